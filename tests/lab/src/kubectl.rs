//! kubectl without a cluster, for what it does by itself.

use std::path::PathBuf;
use std::process::Output;

use crate::command::{self, CommandError};
use crate::folder::Root;
use crate::servers::{self, BuildError};

/// The labs' kubectl.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// The program that kubectl is a part of.
    program: PathBuf,
}

impl Kubectl {
    /// Finds it in the cache, or builds it together with the servers of Kubernetes, which takes minutes.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn ensure() -> Result<Self, BuildError> {
        let program = servers::kubernetes(&Root::from_env()).await?;
        Ok(Self { program })
    }

    /// Runs `kubectl`, away from any cluster, and returns whatever came of it.
    ///
    /// # Errors
    /// It cannot be started; its failure is no error.
    pub async fn run(&self, words: &[&str]) -> Result<Output, CommandError> {
        let program = self.program.display().to_string();
        let first = ["-u", "KUBECONFIG", &program, "kubectl"];
        command::output("env", &[&first[..], words].concat()).await
    }
}
