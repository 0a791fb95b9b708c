//! The sources in another folder: what is built there shows whether a path of the first one is in what is built here.

use std::path::Path;

use anyhow::Context as _;

/// Neither is a source: what is built, and what Git keeps.
const NO_SOURCES: [&str; 2] = ["target", ".git"];

/// Copies the sources below a folder, without `target`, which may have another name.
pub(super) fn sources(from: &Path, to: &Path, target: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if NO_SOURCES.iter().any(|one| name == *one) || path == target {
            continue;
        }
        let copy = to.join(name);
        if path.is_dir() {
            sources(&path, &copy, target)?;
        } else {
            std::fs::copy(&path, &copy).with_context(|| format!("copying {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_copied_and_what_is_built_of_them_is_not() {
        let folder = std::env::temp_dir().join(format!("cortenlb-copy-{}", std::process::id()));
        let from = folder.join("from");
        for file in [
            "Cargo.toml",
            ".cargo/config.toml",
            "a/src/lib.rs",
            "a/target/lib.o",
            ".git/HEAD",
            "built/lib.o",
        ] {
            let path = from.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let to = folder.join("to");
        sources(&from, &to, &from.join("built")).unwrap();
        let is_there = |file: &&str| std::fs::read_to_string(to.join(file)).is_ok_and(|text| text == **file);
        assert!(
            ["Cargo.toml", ".cargo/config.toml", "a/src/lib.rs"]
                .iter()
                .all(is_there)
        );
        for gone in ["a/target", ".git", "built"] {
            assert!(!to.join(gone).exists(), "{gone}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
