//! The flags and the start that both programs have in common: MetalLB's names, so that its manifests and charts start
//! these programs unchanged.

#[cfg(any(test, feature = "fake"))]
mod table;

use std::io;

use clap::Args;
use thiserror::Error;
use tracing_subscriber::util::TryInitError;

use crate::{
    admin::tls::{self, MinVersion},
    logs::{self, LogFormat, LogLevel},
};

#[cfg(any(test, feature = "fake"))]
pub use table::table;

/// Where a pod finds the namespace it runs in.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Flags of both programs.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// Namespace of the configuration; by default the one of the pod
    #[arg(long, env = "METALLB_NAMESPACE", default_value = "")]
    namespace: String,
    /// Port of /metrics (HTTPS, for tokens that may get it); 0 disables it
    #[arg(long, default_value_t = 9120)]
    port: u16,
    /// Port of /healthz and /readyz (HTTP)
    #[arg(long, default_value_t = 17472)]
    health_probe_port: u16,
    /// all, debug, info, warn, error or none
    #[arg(long, default_value_t)]
    log_level: LogLevel,
    /// auto, json or text; auto is text on a terminal, and otherwise json
    #[arg(long, env = "CORTENLB_LOG_FORMAT", default_value_t)]
    log_format: LogFormat,
    /// Serve only Services of this class; by default those without a class
    #[arg(long, default_value = "")]
    lb_class: String,
    /// Path of a kubeconfig; by default KUBECONFIG, then the pod's service account
    #[arg(long, default_value = "")]
    kubeconfig: String,
    /// Oldest version of TLS on the port of /metrics: VersionTLS12 or VersionTLS13; by default VersionTLS13
    #[arg(long, default_value = "", value_name = "VERSION")]
    tls_min_version: MinVersion,
    /// Directory with tls.crt and tls.key for the port of /metrics, read again when they change; by default a certificate
    /// is made at the start
    #[arg(long, default_value = "", value_name = "DIRECTORY")]
    metrics_cert_dir: String,
    #[command(flatten)]
    without_effect: WithoutEffect,
}

/// Flags that both programs accept, and that do nothing yet.
// A group is named after its type, and the programs have one of this name too.
#[derive(Clone, Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Accepted for compatibility, without effect in this version")]
struct WithoutEffect {
    #[arg(long, default_value = "")]
    pprof_bind_address: String,
    #[arg(long, default_value = "")]
    tls_cipher_suites: String,
    #[arg(long, default_value = "")]
    tls_curve_preferences: String,
}

/// What [`Flags`] say, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The namespace of the configuration.
    pub namespace: String,
    /// `--lb-class`.
    pub class: Option<String>,
    /// A kubeconfig, in place of the pod's service account.
    pub kubeconfig: Option<String>,
    /// Where `/healthz` and `/readyz` are, and what is shown as JSON.
    pub health_probe_port: u16,
    /// Where `/metrics` is; `None` if switched off.
    pub metrics_port: Option<u16>,
    /// How `/metrics` is encrypted.
    pub tls: tls::Settings,
}

/// Why a program cannot start. Nothing has been done.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is a subscriber already.
    #[error("logging cannot be set up")]
    Logs(#[source] TryInitError),
    /// The namespace is neither given nor found.
    #[error("cannot read {NAMESPACE_FILE}: outside a pod say --namespace or METALLB_NAMESPACE")]
    Namespace(#[source] io::Error),
}

impl Flags {
    /// Starts the logs, with a line that says what runs and one for each flag without effect: `more` are the program's
    /// own, in the form of [`given`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self, program: &str, version: &str, more: &[&'static str]) -> Result<Common, StartError> {
        let Self {
            namespace,
            port,
            health_probe_port,
            log_level,
            log_format,
            lb_class,
            kubeconfig,
            tls_min_version,
            metrics_cert_dir,
            without_effect,
        } = self;
        logs::init(log_level, log_format).map_err(StartError::Logs)?;
        tracing::info!(version, "CortenLB {program} starting");
        for flag in more.iter().chain(&without_effect.given()) {
            tracing::warn!(flag, "this flag has no effect in this version");
        }
        Ok(Common {
            namespace: if namespace.is_empty() {
                namespace_of_pod()?
            } else {
                namespace
            },
            class: Some(lb_class).filter(|class| !class.is_empty()),
            kubeconfig: Some(kubeconfig).filter(|path| !path.is_empty()),
            health_probe_port,
            metrics_port: Some(port).filter(|port| *port != 0),
            tls: tls::Settings {
                min_version: tls_min_version,
                cert_dir: (!metrics_cert_dir.is_empty()).then(|| metrics_cert_dir.into()),
            },
        })
    }
}

fn namespace_of_pod() -> Result<String, StartError> {
    let namespace = std::fs::read_to_string(NAMESPACE_FILE).map_err(StartError::Namespace)?;
    Ok(namespace.trim().to_owned())
}

impl WithoutEffect {
    fn given(&self) -> Vec<&'static str> {
        let Self {
            pprof_bind_address,
            tls_cipher_suites,
            tls_curve_preferences,
        } = self;
        given(&[
            ("--pprof-bind-address", !pprof_bind_address.is_empty()),
            ("--tls-cipher-suites", !tls_cipher_suites.is_empty()),
            ("--tls-curve-preferences", !tls_curve_preferences.is_empty()),
        ])
    }
}

/// The names of the flags that were given.
pub fn given(flags: &[(&'static str, bool)]) -> Vec<&'static str> {
    flags
        .iter()
        .filter(|(_, given)| *given)
        .map(|(flag, _)| *flag)
        .collect()
}

#[cfg(test)]
mod tests;
