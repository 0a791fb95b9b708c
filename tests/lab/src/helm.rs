//! Helm, and MetalLB's chart and manifest.

use std::path::PathBuf;
use std::process::Output;

use tokio::process::Command;

use crate::command::{self, CommandError};
use crate::error::LabError;
use crate::folder::Root;
use crate::lab::Lab;
use crate::process::without_proxies;
use crate::servers::{self, BuildError};

/// A module of Go that is fetched, and not built: MetalLB's.
const METALLB: &str = "go.universe.tf/metallb";

/// Helm, which keeps its own files apart from those of a user's.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    home: PathBuf,
}

impl Helm {
    /// Finds Helm in the cache, or builds it, which takes minutes.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn ensure() -> Result<Self, BuildError> {
        let root = Root::from_env();
        Ok(Self {
            program: servers::helm(&root).await?,
            home: root.helm(),
        })
    }

    /// Runs `helm`, away from any cluster, and returns whatever came of it.
    ///
    /// # Errors
    /// It cannot be started; its failure is no error.
    pub async fn run(&self, words: &[&str]) -> Result<Output, CommandError> {
        let arguments: Vec<String> = self.environment().chain(self.words(words)).collect();
        command::output("env", &arguments).await
    }

    fn environment(&self) -> impl Iterator<Item = String> {
        let folders = ["CACHE", "CONFIG", "DATA"].map(|what| {
            let folder = self.home.join(what.to_lowercase());
            format!("HELM_{what}_HOME={}", folder.display())
        });
        ["-u".to_owned(), "KUBECONFIG".to_owned()]
            .into_iter()
            .chain(folders)
    }

    fn words(&self, words: &[&str]) -> impl Iterator<Item = String> {
        let program = self.program.display().to_string();
        [program]
            .into_iter()
            .chain(words.iter().map(|word| (*word).to_owned()))
    }
}

impl Lab {
    /// Runs `helm` as the cluster's administrator, and returns whatever came of it.
    ///
    /// # Errors
    /// It cannot be started; its failure is no error.
    pub async fn helm(&self, helm: &Helm, words: &[&str]) -> Result<Output, LabError> {
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig().display());
        let arguments: Vec<String> = without_proxies()
            .chain(helm.environment())
            .chain(helm.words(words))
            .chain([kubeconfig])
            .collect();
        Ok(command::output("env", &arguments).await?)
    }
}

/// The folder of MetalLB's chart, of the version that tests/servers/metallb names; Go fetches it if need be.
///
/// # Errors
/// Go is not there, or cannot fetch it.
pub async fn metallb_chart() -> Result<PathBuf, BuildError> {
    Ok(metallb().await?.join("charts/metallb"))
}

/// The manifest by which MetalLB is installed where neither Helm nor FRR is, of the same version.
///
/// # Errors
/// Go is not there, or cannot fetch it.
pub async fn metallb_manifest() -> Result<PathBuf, BuildError> {
    Ok(metallb().await?.join("config/manifests/metallb-native.yaml"))
}

/// The folder of MetalLB's module.
async fn metallb() -> Result<PathBuf, BuildError> {
    let fetch = Command::new("go")
        .args(["mod", "download", "-json", METALLB])
        .current_dir(servers::source("metallb"))
        .output();
    let output = fetch.await.map_err(|source| {
        BuildError::NoGo(CommandError::Spawn {
            command: "go mod download".to_owned(),
            source,
        })
    })?;
    let module = serde_json::from_slice::<serde_json::Value>(&output.stdout).ok();
    let folder = module.as_ref().and_then(|module| module["Dir"].as_str());
    match folder {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Err(BuildError::NoModule {
            said: String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
                .trim()
                .to_owned(),
        }),
    }
}
