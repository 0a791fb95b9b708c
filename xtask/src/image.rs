//! `cargo xtask image`: the container image, static binaries and nothing else, the same bytes for the same source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use cortenlb_lab::Product;
use cortenlb_lab::image::{Image as Archive, write_archive};
use sha2::{Digest as _, Sha256};

/// Build the container image of controller and speaker as an OCI archive.
#[derive(Args)]
pub(crate) struct Image {
    /// The reference that the archive carries.
    #[arg(long, default_value = REFERENCE)]
    image: String,
    /// Where to write the archive [default: target/image/cortenlb.tar].
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

/// The reference of the image, unless a user names another one.
pub(crate) const REFERENCE: &str = concat!("ghcr.io/cortenlb/cortenlb:", env!("CARGO_PKG_VERSION"));

/// What the archive must stay below: a node on a slow line pulls it in seconds.
const LIMIT: u64 = 25_000_000;

const PROGRAMS: [&str; 2] = ["controller", "speaker"];

impl Image {
    /// Builds and says where the archive is, how large, and its digest.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { image, out } = self;
        let sources = Sources::of_this_workspace();
        let path = out.unwrap_or_else(|| sources.image());
        build(&sources, &image, &path)?;
        let bytes = std::fs::read(&path)?;
        let digest = sha256(&bytes);
        println!(
            "{} {:.1} MB sha256:{digest}",
            path.display(),
            bytes.len() as f64 / 1e6
        );
        Ok(())
    }
}

/// A digest as it is written.
pub(crate) fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is built, and where cargo puts what it makes of it.
pub(crate) struct Sources {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Sources {
    /// Those that this task is of.
    pub(crate) fn of_this_workspace() -> Self {
        let root = crate::workspace_root();
        let target = crate::target_directory(&root);
        Self { root, target }
    }

    /// Where the archive is written, unless a user names another place.
    fn image(&self) -> PathBuf {
        self.target.join("image/cortenlb.tar")
    }
}

/// Builds the image under the name that the manifest has for it, and returns it with the manifest.
pub(crate) fn product() -> anyhow::Result<Product> {
    let sources = Sources::of_this_workspace();
    let image = sources.image();
    build(&sources, &crate::r#gen::image()?, &image)?;
    Ok(Product {
        image,
        manifest: sources.root.join(crate::r#gen::MANIFEST),
    })
}

/// The same with what scenarios need besides.
pub(crate) fn scenarios_product() -> anyhow::Result<cortenlb_e2e::Product> {
    let Product { image, manifest } = product()?;
    let root = crate::workspace_root();
    Ok(cortenlb_e2e::Product {
        image,
        manifest,
        chart: root.join(crate::r#gen::CHART),
        examples: root.join("crds/examples"),
        cli: None,
        artefacts: crate::target_directory(&root).join("artefacts"),
    })
}

/// What a release has of programs.
pub(crate) struct Release {
    /// Controller, speaker and CLI.
    pub(crate) programs: Vec<PathBuf>,
    /// The archive of the image.
    pub(crate) image: PathBuf,
    /// As Go and OCI name it.
    pub(crate) architecture: &'static str,
}

/// Builds the image under its own name, and the CLI as static as what is in it.
pub(crate) fn release(sources: &Sources) -> anyhow::Result<Release> {
    let image = sources.image();
    build(sources, REFERENCE, &image)?;
    let platform = Platform::of_this_machine()?;
    let folder = platform.build(sources, &["kubectl-cortenlb"])?;
    let programs = PROGRAMS.iter().chain(&["kubectl-cortenlb"]);
    Ok(Release {
        programs: programs.map(|program| folder.join(program)).collect(),
        image,
        architecture: platform.architecture,
    })
}

fn build(sources: &Sources, reference: &str, path: &Path) -> anyhow::Result<()> {
    let platform = Platform::of_this_machine()?;
    let folder = platform.build(sources, &PROGRAMS)?;
    let archive = Archive {
        reference: reference.to_owned(),
        architecture: platform.architecture.to_owned(),
        files: PROGRAMS
            .map(|program| (format!("/{program}"), folder.join(program)))
            .into(),
        entrypoint: vec!["/controller".to_owned()],
        labels: BTreeMap::from([
            (
                "org.opencontainers.image.licenses".to_owned(),
                "Apache-2.0".to_owned(),
            ),
            ("org.opencontainers.image.title".to_owned(), "CortenLB".to_owned()),
            (
                "org.opencontainers.image.version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ]),
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    write_archive(&archive, path)?;
    let size = std::fs::metadata(path)?.len();
    ensure!(
        size < LIMIT,
        "{} has {size} bytes, and must have less than {LIMIT}",
        path.display()
    );
    Ok(())
}

/// What to build for.
struct Platform {
    /// As Go and OCI name it.
    architecture: &'static str,
    /// As Rust names it.
    triple: &'static str,
}

impl Platform {
    /// Images are built where they run: cross-compiling would need another C compiler for aws-lc.
    fn of_this_machine() -> anyhow::Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self {
                architecture: "amd64",
                triple: "x86_64-unknown-linux-gnu",
            }),
            "aarch64" => Ok(Self {
                architecture: "arm64",
                triple: "aarch64-unknown-linux-gnu",
            }),
            other => bail!("no image for the processor {other}: build on x86_64 or aarch64"),
        }
    }

    /// Builds programs for release, static, without the paths of this machine; returns their folder.
    ///
    /// Naming the target keeps these flags away from build scripts and from ordinary builds.
    fn build(&self, sources: &Sources, programs: &[&str]) -> anyhow::Result<PathBuf> {
        let Sources { root, target } = sources;
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(default_cargo_home);
        let cargo_home = cargo_home.context("neither CARGO_HOME nor HOME is set")?;
        // The last one that a path begins with counts.
        let prefixes = [
            (cargo_home.as_path(), "/cargo"),
            (root.as_path(), "/cortenlb"),
            (target.as_path(), "/cortenlb/target"),
        ];
        let map = |flag: &str| -> Vec<String> {
            prefixes
                .iter()
                .map(|(from, to)| format!("{flag}={}={to}", from.display()))
                .collect()
        };
        let variable = format!(
            "CARGO_TARGET_{}_RUSTFLAGS",
            self.triple.to_uppercase().replace('-', "_")
        );
        // Where a program is loaded is random, and what depends on that is listed in it: packed, the list takes 5 KB of
        // memory instead of 450.
        let rustflags = format!(
            "-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs {}",
            map("--remap-path-prefix").join(" ")
        );
        let status = Command::new(crate::cargo())
            .args(["build", "--release", "--locked", "--target", self.triple])
            .args(programs.iter().flat_map(|program| ["--bin", program]))
            .env(variable, rustflags)
            .env("CFLAGS", map("-ffile-prefix-map").join(" "))
            .env("CARGO_TARGET_DIR", target)
            .current_dir(root)
            .status()
            .context("starting cargo build")?;
        ensure!(
            status.success(),
            "cargo build --release --target {}: {status}",
            self.triple
        );
        Ok(target.join(self.triple).join("release"))
    }
}

fn default_cargo_home() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))
}
