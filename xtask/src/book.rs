//! `cargo xtask book`: the documentation as a website, by mdBook.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::check::resolve;

/// Build the documentation as a website.
#[derive(Args)]
pub(crate) struct Book {}

/// The version that the pages are held against. It is a program, not a dependency: nothing of it is in the product.
const MDBOOK: &str = "0.5.3";

impl Book {
    /// Builds, and says where the first page is.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self {} = self;
        let folder = build()?;
        println!("{}", folder.join("index.html").display());
        Ok(())
    }
}

/// Builds the book, and follows its links. Installs mdBook into the cache, if it is not there: that takes some minutes.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let root = crate::workspace_root();
    let folder = crate::target_directory(&root).join("book");
    let status = Command::new(mdbook()?)
        .args(["build", "--dest-dir"])
        .arg(&folder)
        .arg(root.join("docs"))
        .status()
        .context("starting mdbook")?;
    ensure!(status.success(), "mdbook build docs: {status}");
    let wrong = wrong_links(&folder)?;
    ensure!(
        wrong.is_empty(),
        "links of the built book that lead nowhere: {}",
        wrong.join(", ")
    );
    Ok(folder)
}

/// The program, in the user's cache.
fn mdbook() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let folder = cache
        .context("neither XDG_CACHE_HOME nor HOME is set")?
        .join("cortenlb/tools")
        .join(format!("mdbook-{MDBOOK}"));
    let program = folder.join("bin/mdbook");
    if !program.is_file() {
        let status = Command::new(crate::cargo())
            .args([
                "install",
                "mdbook",
                "--quiet",
                "--locked",
                "--no-default-features",
            ])
            .args(["--version", MDBOOK, "--root"])
            .arg(&folder)
            // Not the workspace's: its flags and its folder are for other things.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .status()
            .context("starting cargo install")?;
        ensure!(
            status.success(),
            "cargo install mdbook --version {MDBOOK}: {status}"
        );
    }
    Ok(program)
}

/// The links between pages of the book, of which one end is missing, as `page: target`.
fn wrong_links(book: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for page in crate::check::files(book, ".html")? {
        let text = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
        let from = page
            .to_str()
            .with_context(|| format!("{} is not UTF-8", page.display()))?;
        for target in targets(&text) {
            // What is beside the book (manifests, examples) is in the repository alone; links to it are checked there.
            let path = PathBuf::from(resolve(from, target));
            if path.starts_with(book) && !path.exists() {
                let page = page.strip_prefix(book).unwrap_or(&page);
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    Ok(wrong)
}

/// The files that a page links to, without headings.
fn targets(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("href=\"").skip(1);
    let links = links.filter_map(|rest| rest.split('"').next());
    let files = links.filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
    files
        .map(|link| link.split('#').next().unwrap_or_default())
        .filter(|link| !link.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_followed() {
        let page =
            r##"<a href="a.html">, <a href="b/c.html#d">, <a href="#here">, <a href="https://e.org">"##;
        assert_eq!(targets(page).collect::<Vec<_>>(), ["a.html", "b/c.html"]);
    }

    #[test]
    fn paths_are_followed_upwards() {
        let from = |target| resolve("/book/adr/page.html", target);
        assert_eq!(from("../index.html"), "/book/index.html");
        assert_eq!(from("../../deploy/x"), "/deploy/x");
        assert_eq!(from("./1.html"), "/book/adr/1.html");
    }
}
