//! `cargo xtask dist`: everything that a release consists of, the same bytes for the same source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use crate::image;

/// Build the static programs, the image, the chart's package, the manifests and the CLI, with their checksums.
#[derive(Args)]
pub(crate) struct Dist {
    /// Where to write [default: target/dist]. What was there is deleted.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of the file with the checksums, as `sha256sum --check` reads it.
const SUMS: &str = "SHA256SUMS";

/// Files by their paths in an archive.
type Files = BTreeMap<String, File>;

struct File {
    content: Vec<u8>,
    is_program: bool,
}

impl Dist {
    /// Builds, writes, and says what there is.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let root = crate::workspace_root();
        let out = self
            .out
            .unwrap_or_else(|| crate::target_directory(&root).join("dist"));
        if out.exists() {
            std::fs::remove_dir_all(&out).with_context(|| format!("deleting {}", out.display()))?;
        }
        std::fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
        let release = image::release()?;
        let mut files = Files::new();
        for program in release.programs {
            let name = program.file_name().context("a program without a name")?;
            files.insert(name.display().to_string(), read(&program, true)?);
        }
        files.insert("LICENSE".to_owned(), read(&root.join("LICENSE"), false)?);
        let platform = format!("{VERSION}-linux-{}", release.architecture);
        let chart = below(&root.join(crate::r#gen::CHART), "cortenlb")?;
        let written = [
            (format!("cortenlb-{platform}.tar.gz"), packed(&files)?),
            (format!("cortenlb-{VERSION}.tgz"), packed(&chart)?),
            (
                format!("cortenlb-image-{platform}.tar"),
                std::fs::read(&release.image)?,
            ),
            (
                "cortenlb.yaml".to_owned(),
                std::fs::read(root.join(crate::r#gen::MANIFEST))?,
            ),
        ];
        let mut sums = String::new();
        for (name, content) in written {
            std::fs::write(out.join(&name), &content).with_context(|| format!("writing {name}"))?;
            sums += &sum(&name, &content);
        }
        print!("{sums}");
        std::fs::write(out.join(SUMS), sums)?;
        println!("in {}", out.display());
        Ok(())
    }
}

/// A line of the file with the checksums.
fn sum(name: &str, content: &[u8]) -> String {
    let digest: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{digest}  {name}\n")
}

fn read(path: &Path, is_program: bool) -> anyhow::Result<File> {
    let content = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(File { content, is_program })
}

/// All files below a folder, by their paths below `prefix`.
fn below(folder: &Path, prefix: &str) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let inside = format!("{prefix}/{}", entry.file_name().display());
        if entry.path().is_dir() {
            files.extend(below(&entry.path(), &inside)?);
        } else {
            files.insert(inside, read(&entry.path(), false)?);
        }
    }
    Ok(files)
}

/// A compressed tar in the order of the paths, with no time and no owner of this machine in it.
fn packed(files: &Files) -> anyhow::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(GzBuilder::new().write(Vec::new(), Compression::best()));
    for (path, File { content, is_program }) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if *is_program { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content.as_slice())?;
    }
    Ok(builder.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests;
