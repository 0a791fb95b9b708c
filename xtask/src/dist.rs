//! `cargo xtask dist`: everything that a release consists of, the same bytes for the same source.
//!
//! | module | owns |
//! | --- | --- |
//! | `pack` | files in an archive |
//! | `elf` | whether a program is static |
//! | `folder` | a release as it lies in its folder: its checksums, and what differs from another one |
//! | `copy` | the sources in another folder |

mod copy;
mod elf;
mod folder;
mod pack;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use self::folder::Contents;
use self::pack::{Files, packed, read};
use crate::image::{self, Sources};

/// Build what a release consists of: the static programs, the image, the chart's package and the manifests, with checksums.
#[derive(Args)]
pub(crate) struct Dist {
    /// Where to write [default: target/dist]. What was there is deleted.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Build all of it again, from a copy of the sources in another folder, and fail if a byte differs.
    #[arg(long)]
    twice: bool,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What of `deploy` is packed as it is: the chart has a package of its own, and the Dockerfile is for who has the sources.
const DEPLOY: [&str; 6] = [
    "deploy/addons",
    "deploy/dashboards",
    "deploy/kustomize",
    "deploy/manifests",
    "deploy/monitoring",
    "deploy/network-policy",
];

impl Dist {
    /// Builds, writes, reads it again, and says what there is.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { out, twice } = self;
        let sources = Sources::of_this_workspace();
        let out = out.unwrap_or_else(|| sources.target.join("dist"));
        let first = release(&sources, &out)?;
        print!("{}", first.sums()?);
        println!("in {}", out.display());
        if twice {
            let folder = sources.target.join("dist-again");
            emptied(&folder)?;
            copy::sources(&sources.root, &folder.join("sources"), &sources.target)?;
            let copy = Sources {
                root: folder.join("sources"),
                target: folder.join("target"),
            };
            let second = release(&copy, &folder.join("dist"))?;
            let differ = first.differences(&second);
            ensure!(
                differ.is_empty(),
                "built again in another folder, these are not the same: {}; compare {} with {}",
                differ.join(", "),
                out.display(),
                folder.join("dist").display()
            );
            std::fs::remove_dir_all(&folder).with_context(|| format!("deleting {}", folder.display()))?;
            println!("built again in another folder: the same bytes");
        }
        Ok(())
    }
}

/// Builds a release into a folder; returns what is in that, once its checksums are right.
fn release(sources: &Sources, out: &Path) -> anyhow::Result<Contents> {
    let root = &sources.root;
    let release = image::release(sources)?;
    let mut programs = Files::new();
    for path in release.programs {
        let name = path.file_name().context("a program without a name")?;
        let program = read(&path)?;
        elf::require_static(&program.content).with_context(|| format!("checking {}", path.display()))?;
        programs.insert(name.display().to_string(), program);
    }
    programs.insert("LICENSE".to_owned(), read(&root.join("LICENSE"))?);
    let platform = format!("{VERSION}-linux-{}", release.architecture);
    let chart = pack::below(&root.join(crate::r#gen::CHART), "cortenlb")?;
    let written = [
        (format!("cortenlb-{platform}.tar.gz"), packed(&programs)?),
        (format!("cortenlb-{VERSION}.tgz"), packed(&chart)?),
        (
            format!("cortenlb-deploy-{VERSION}.tar.gz"),
            packed(&deploy(root)?)?,
        ),
        (
            format!("cortenlb-image-{platform}.tar"),
            std::fs::read(&release.image)?,
        ),
        (
            "cortenlb.yaml".to_owned(),
            std::fs::read(root.join(crate::r#gen::MANIFEST))?,
        ),
    ];
    emptied(out)?;
    Contents::from(written).write(out)?;
    let found = Contents::read(out)?;
    let wrong = found.wrong_sums()?;
    ensure!(
        wrong.is_empty(),
        "{} is not as its checksums say: {}",
        out.display(),
        wrong.join(", ")
    );
    Ok(found)
}

/// What an install uses besides the programs, by the paths that the documentation names.
fn deploy(root: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for folder in DEPLOY {
        files.extend(pack::below(&root.join(folder), folder)?);
    }
    for file in ["CHANGELOG.md", "LICENSE"] {
        files.insert(file.to_owned(), read(&root.join(file))?);
    }
    Ok(files)
}

/// Makes a folder, and deletes what was in it.
fn emptied(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("deleting {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

#[cfg(test)]
mod tests;
