//! The documentation: every page is in the book, every link leads somewhere, and the pages of names have those that the
//! code has.
//!
//! | module | owns |
//! | --- | --- |
//! | `markdown` | headings, links and names of a page |
//! | `links` | the book's table of contents, links and headings |
//! | `names` | annotations, labels, conditions and events: their pages against the code |
//! | `rust` | the texts in a Rust file |

mod links;
mod markdown;
mod names;
mod rust;

pub(crate) use links::resolve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// Where names are that users meet: the two programs, and what they are made of.
const SOURCE: [&str; 4] = ["controller/src", "speaker/src", "crds/src", "crates"];

/// Files by their path below the workspace.
type Pages = BTreeMap<String, String>;

/// Fails with everything that is wrong.
pub(super) fn check() -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let pages = read(&root, &super::files(&root, ".md")?)?;
    let mut code = names::Code::default();
    for folder in SOURCE {
        let files = super::files(&root.join(folder), ".rs")?;
        for (path, text) in read(&root, &files)? {
            if !is_for_tests(&path) {
                code.read(&path, &text);
            }
        }
    }
    let mut wrong = links::wrong(&pages, &|path| root.join(path).exists());
    wrong.extend(names::wrong(&pages, &code));
    ensure!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
    Ok(())
}

fn read(root: &Path, files: &[PathBuf]) -> anyhow::Result<Pages> {
    let read = files.iter().map(|path| {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let path = path.strip_prefix(root).expect("it was found below the root");
        Ok((path.to_string_lossy().into_owned(), text))
    });
    read.collect()
}

/// Whether a file has tests alone, or what only tests use.
fn is_for_tests(path: &str) -> bool {
    ["/tests", "/kit/src/fake"].iter().any(|part| path.contains(part))
}

#[cfg(test)]
mod tests;
