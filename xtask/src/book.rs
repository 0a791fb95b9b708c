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

/// What begins a link, and what a page shows: a picture, a script.
const LINK: &str = "href=\"";
const SHOWN: &str = "src=\"";

/// The links between pages of the book, of which one end is missing, and what pages show and the book has not; as
/// `page: target`.
fn wrong_links(book: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for page in crate::check::files(book, ".html")? {
        let text = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
        let from = page
            .to_str()
            .with_context(|| format!("{} is not UTF-8", page.display()))?;
        for attribute in [LINK, SHOWN] {
            for target in targets(&text, attribute) {
                let path = PathBuf::from(resolve(from, target));
                let is_there = path.starts_with(book) && path.exists();
                // What is beside the book (manifests, examples) is in the repository alone; links to it are checked there.
                let is_beside = attribute == LINK && !path.starts_with(book);
                if !is_there && !is_beside {
                    let page = page.strip_prefix(book).unwrap_or(&page);
                    wrong.push(format!("{}: {target}", page.display()));
                }
            }
        }
    }
    Ok(wrong)
}

/// The files that a page names in this attribute, without headings.
fn targets<'a>(page: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    let links = page.split(attribute).skip(1);
    let links = links.filter_map(|rest| rest.split('"').next());
    let elsewhere = |link: &str| {
        link.contains("://") || ["mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
    };
    let files = links.filter(move |link| !elsewhere(link));
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
        assert_eq!(targets(page, LINK).collect::<Vec<_>>(), ["a.html", "b/c.html"]);
        let page = r#"<img src="images/a.svg" alt="">, <img src="https://e.org/b.png">, <img src="data:image/png;base64,aa">"#;
        assert_eq!(targets(page, SHOWN).collect::<Vec<_>>(), ["images/a.svg"]);
    }

    /// A page may link to what is beside the book, and cannot show it.
    #[test]
    fn what_is_missing_in_the_book_is_named() {
        let folder = std::env::temp_dir().join(format!("cortenlb-book-{}", std::process::id()));
        let book = folder.join("book");
        std::fs::create_dir_all(&book).unwrap();
        std::fs::write(folder.join("beside.svg"), "").unwrap();
        std::fs::write(book.join("here.svg"), "").unwrap();
        let page = r#"<a href="page.html"> <a href="gone.html"> <a href="../beside.svg">
            <img src="here.svg"> <img src="gone.svg"> <img src="../beside.svg">"#;
        std::fs::write(book.join("page.html"), page).unwrap();
        let wrong = wrong_links(&book).unwrap();
        assert_eq!(
            wrong,
            [
                "page.html: gone.html",
                "page.html: gone.svg",
                "page.html: ../beside.svg"
            ]
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn paths_are_followed_upwards() {
        let from = |target| resolve("/book/adr/page.html", target);
        assert_eq!(from("../index.html"), "/book/index.html");
        assert_eq!(from("../../deploy/x"), "/deploy/x");
        assert_eq!(from("./1.html"), "/book/adr/1.html");
    }
}
