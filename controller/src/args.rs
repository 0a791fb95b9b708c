//! Flags and environment: MetalLB's, so that its manifests and charts start this controller unchanged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use clap::Parser;
use cortenlb_kit::logs::{self, LogLevel};

use crate::run::{self, Settings};

/// Where a pod finds the namespace it runs in.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Gives addresses to Services of type LoadBalancer.
#[derive(Clone, Debug, Parser)]
#[command(name = "controller", version)]
pub struct Args {
    /// Namespace of the configuration and of the Lease; by default the one of the pod
    #[arg(long, env = "METALLB_NAMESPACE", default_value = "")]
    namespace: String,
    /// Name of this pod, by which it holds the Lease; by default the host name
    #[arg(long, env = "METALLB_POD_NAME", default_value = "")]
    pod_name: String,
    /// Port of /metrics (plain HTTP); 0 disables it
    #[arg(long, default_value_t = 9120)]
    port: u16,
    /// Port of /healthz and /readyz
    #[arg(long, default_value_t = 17472)]
    health_probe_port: u16,
    /// all, debug, info, warn, error or none
    #[arg(long, default_value_t)]
    log_level: LogLevel,
    /// Serve only Services of this class; by default those without a class
    #[arg(long, default_value = "")]
    lb_class: String,
    /// Path of a kubeconfig; by default KUBECONFIG, then the pod's service account
    #[arg(long, default_value = "")]
    kubeconfig: String,
    /// Labels by which the speaker pods are found
    #[arg(
        long,
        env = "METALLB_ML_LABELS",
        default_value = "app=metallb,component=speaker"
    )]
    ml_labels: String,
    #[command(flatten)]
    without_effect: WithoutEffect,
}

/// Flags of MetalLB's controller that are accepted, and do nothing: there is no webhook, and no gossip key yet.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accepted for compatibility, without effect in this version")]
struct WithoutEffect {
    #[arg(long, env = "METALLB_ML_SECRET_NAME", default_value = "")]
    ml_secret_name: String,
    #[arg(long, env = "METALLB_DEPLOYMENT", default_value = "")]
    deployment: String,
    #[arg(long, default_value = "")]
    pprof_bind_address: String,
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    disable_cert_rotation: bool,
    #[arg(long, default_value = "")]
    cert_dir: String,
    #[arg(long, default_value = "")]
    cert_service_name: String,
    #[arg(long, default_value = "enabled", value_parser = ["enabled", "disabled", "onlywebhook"])]
    webhook_mode: String,
    #[arg(long, default_value = "")]
    webhook_secret: String,
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    webhook_http2: bool,
    #[arg(long, default_value = "")]
    tls_min_version: String,
    #[arg(long, default_value = "")]
    tls_cipher_suites: String,
    #[arg(long, default_value = "")]
    tls_curve_preferences: String,
    #[arg(long, default_value = "")]
    metrics_cert_dir: String,
}

impl Args {
    /// Runs the controller with these flags until SIGTERM.
    ///
    /// # Errors
    /// What keeps it from starting; a controller that runs does not end by itself.
    pub fn run(self) -> anyhow::Result<()> {
        let Self {
            namespace,
            pod_name,
            port,
            health_probe_port,
            log_level,
            lb_class,
            kubeconfig,
            ml_labels,
            without_effect,
        } = self;
        logs::init(log_level).context("logging cannot be set up")?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            "CortenLB controller starting"
        );
        for flag in without_effect.given() {
            tracing::warn!(flag, "this flag has no effect in this version");
        }
        let settings = Settings {
            namespace: namespace_or_pods(namespace)?,
            identity: identity(pod_name)?,
            class: Some(lb_class).filter(|class| !class.is_empty()),
            kubeconfig: Some(kubeconfig).filter(|path| !path.is_empty()),
            speaker_labels: ml_labels,
            admin: admin_addresses(health_probe_port, port),
        };
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("the runtime cannot be started")?
            .block_on(run::run(settings))
    }
}

fn namespace_or_pods(flag: String) -> anyhow::Result<String> {
    if !flag.is_empty() {
        return Ok(flag);
    }
    let namespace = std::fs::read_to_string(NAMESPACE_FILE).with_context(|| {
        format!("cannot read {NAMESPACE_FILE}: outside a pod say --namespace or METALLB_NAMESPACE")
    })?;
    Ok(namespace.trim().to_owned())
}

/// Two processes of one name would both believe to hold the Lease. A pod's host name is the pod's name.
fn identity(flag: String) -> anyhow::Result<String> {
    if !flag.is_empty() {
        return Ok(flag);
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("cannot read the host name: say --pod-name or METALLB_POD_NAME")?;
    Ok(name.trim().to_owned())
}

/// On all addresses of the pod: probes and scrapes come from elsewhere. Where the kernel has IPv6, `[::]` takes IPv4
/// as well.
fn admin_addresses(probes: u16, metrics: u16) -> Vec<SocketAddr> {
    let any: IpAddr = if Path::new("/proc/net/if_inet6").exists() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let ports = [probes]
        .into_iter()
        .chain((metrics != 0 && metrics != probes).then_some(metrics));
    ports.map(|port| SocketAddr::new(any, port)).collect()
}

impl WithoutEffect {
    /// The flags that were given.
    fn given(&self) -> Vec<&'static str> {
        let Self {
            ml_secret_name,
            deployment,
            pprof_bind_address,
            disable_cert_rotation,
            cert_dir,
            cert_service_name,
            webhook_mode,
            webhook_secret,
            webhook_http2,
            tls_min_version,
            tls_cipher_suites,
            tls_curve_preferences,
            metrics_cert_dir,
        } = self;
        let flags = [
            ("--ml-secret-name", !ml_secret_name.is_empty()),
            ("--deployment", !deployment.is_empty()),
            ("--pprof-bind-address", !pprof_bind_address.is_empty()),
            ("--disable-cert-rotation", *disable_cert_rotation),
            ("--cert-dir", !cert_dir.is_empty()),
            ("--cert-service-name", !cert_service_name.is_empty()),
            ("--webhook-mode", webhook_mode != "enabled"),
            ("--webhook-secret", !webhook_secret.is_empty()),
            ("--webhook-http2", *webhook_http2),
            ("--tls-min-version", !tls_min_version.is_empty()),
            ("--tls-cipher-suites", !tls_cipher_suites.is_empty()),
            ("--tls-curve-preferences", !tls_curve_preferences.is_empty()),
            ("--metrics-cert-dir", !metrics_cert_dir.is_empty()),
        ];
        flags
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(flag, _)| flag)
            .collect()
    }
}

#[cfg(test)]
mod tests;
