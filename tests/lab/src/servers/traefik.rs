//! Traefik and the kinds of the Gateway API, for the scenarios that need them: they take minutes to build.

use std::path::PathBuf;

use super::{BuildError, Module, archive_of};
use crate::command;
use crate::folder::Root;

/// The reference of Traefik's image.
const REFERENCE: &str = "lab.local/traefik:3.6.12";

const MODULE: Module = Module {
    folder: "traefik",
    flags: &["-ldflags=-s -w"],
    packages: &["github.com/traefik/traefik/v3/cmd/traefik"],
    programs: &["traefik"],
};

/// What is there of Traefik.
#[derive(Clone, Debug)]
pub struct Traefik {
    /// The archive of its image; see [`Lab::load_image`](crate::Lab::load_image).
    pub image: PathBuf,
    /// The reference of that image.
    pub reference: &'static str,
    /// The folder with the definitions of the Gateway API's kinds (standard channel), of the version that it implements.
    pub gateway_api: PathBuf,
}

impl Traefik {
    /// Finds it in the cache, or builds it.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn ensure() -> Result<Self, BuildError> {
        let root = Root::from_env();
        let _lock = root.lock_servers().await?;
        let program = MODULE.ensure(&root).await?.join("traefik");
        let image = archive_of("traefik", REFERENCE, &program)?;
        let source = MODULE.source().display().to_string();
        let words = [
            "-C",
            &source,
            "list",
            "-mod=readonly",
            "-m",
            "-f",
            "{{.Dir}}",
            "sigs.k8s.io/gateway-api",
        ];
        let module = command::run("go", &words).await?;
        Ok(Self {
            image,
            reference: REFERENCE,
            gateway_api: PathBuf::from(module.trim()).join("config/crd/standard"),
        })
    }
}
