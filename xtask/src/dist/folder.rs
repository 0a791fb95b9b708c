//! A release as it lies in its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;

use crate::image::sha256;

/// The name of the file with the checksums, as `sha256sum --check` reads it.
const SUMS: &str = "SHA256SUMS";

/// Files by their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<String, Vec<u8>>);

impl<const N: usize> From<[(String, Vec<u8>); N]> for Contents {
    /// These, and their checksums.
    fn from(files: [(String, Vec<u8>); N]) -> Self {
        let sums: String = files.iter().map(|(name, content)| sum(name, content)).collect();
        let mut files = BTreeMap::from(files);
        files.insert(SUMS.to_owned(), sums.into_bytes());
        Self(files)
    }
}

impl Contents {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().context("a file without a name")?;
            let content = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            files.insert(name.display().to_string(), content);
        }
        Ok(Self(files))
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        for (name, content) in &self.0 {
            std::fs::write(folder.join(name), content).with_context(|| format!("writing {name}"))?;
        }
        Ok(())
    }

    /// The text of the file with the checksums.
    pub(super) fn sums(&self) -> anyhow::Result<&str> {
        let sums = self.0.get(SUMS).with_context(|| format!("there is no {SUMS}"))?;
        std::str::from_utf8(sums).with_context(|| format!("{SUMS} is not UTF-8"))
    }

    /// What `sha256sum --check` would find, and files that it would not look at.
    pub(super) fn wrong_sums(&self) -> anyhow::Result<Vec<String>> {
        let mut unlisted: BTreeSet<&str> = self.0.keys().map(String::as_str).collect();
        unlisted.remove(SUMS);
        let mut wrong = Vec::new();
        for line in self.sums()?.lines() {
            let Some((_, name)) = line.split_once("  ") else {
                wrong.push(format!("{line:?} in {SUMS} is no checksum"));
                continue;
            };
            unlisted.remove(name);
            match self.0.get(name) {
                Some(content) if sum(name, content).trim_end() == line => {}
                Some(_) => wrong.push(format!("{name} has another checksum")),
                None => wrong.push(format!("{name} is missing")),
            }
        }
        wrong.extend(unlisted.iter().map(|name| format!("{name} has no checksum")));
        Ok(wrong)
    }

    /// The names of the files that are in one alone, or differ.
    pub(super) fn differences<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let differ = names
            .into_iter()
            .filter(|name| self.0.get(*name) != other.0.get(*name));
        differ.map(String::as_str).collect()
    }
}

/// A line of the file with the checksums.
fn sum(name: &str, content: &[u8]) -> String {
    format!("{}  {name}\n", sha256(content))
}

#[cfg(test)]
mod tests;
