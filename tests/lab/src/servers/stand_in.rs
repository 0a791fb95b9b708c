//! What stands in for MetalLB's programs, for the scenarios that replace a MetalLB.

use std::path::PathBuf;

use super::{BuildError, Module, archive_of};
use crate::folder::Root;

/// The reference of the image of stand-ins.
const REFERENCE: &str = "lab.local/standin:1";

const MODULE: Module = Module {
    folder: "standin",
    flags: &["-ldflags=-s -w"],
    packages: &["."],
    programs: &["standin"],
};

/// A program that stands in for MetalLB's controller and speaker; `tests/servers/standin` says what it does, and what not.
/// Its answers are [marked](crate::probe::Answer::marked).
#[derive(Clone, Debug)]
pub struct StandIn {
    /// The archive of its image; see [`Lab::load_image`](crate::Lab::load_image).
    pub image: PathBuf,
    /// The reference of that image.
    pub reference: &'static str,
}

impl StandIn {
    /// Finds it in the cache, or builds it.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn ensure() -> Result<Self, BuildError> {
        let root = Root::from_env();
        let _lock = root.lock_servers().await?;
        let program = MODULE.ensure(&root).await?.join("standin");
        let image = archive_of("standin", REFERENCE, &program)?;
        Ok(Self {
            image,
            reference: REFERENCE,
        })
    }
}
