//! Flags and environment: MetalLB's, so that its manifests and charts start this speaker unchanged.

use crate::run::{self, Settings};
use crate::statuses::Me;
use anyhow::Context;
use clap::Parser;
use cortenlb_kit::logs::{self, LogLevel};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a pod finds the namespace it runs in.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The labels of the speaker pods in MetalLB's plain manifests, and in ours.
const SPEAKER_LABELS: &str = "app=metallb,component=speaker";

/// Announces the addresses of LoadBalancer Services from this node.
#[derive(Clone, Debug, Parser)]
#[command(name = "speaker", version)]
pub struct Args {
    /// Namespace of the configuration; by default the one of the pod
    #[arg(long, env = "METALLB_NAMESPACE", default_value = "")]
    namespace: String,
    /// Name of this node
    #[arg(long, env = "METALLB_NODE_NAME")]
    node_name: String,
    /// Name of this pod
    #[arg(long, env = "METALLB_POD_NAME")]
    pod_name: String,
    /// Address of this node: its family is the one that /metrics listens on
    #[arg(long, env = "METALLB_HOST")]
    host: Option<IpAddr>,
    /// Labels by which the speaker pods are found
    #[arg(long, env = "METALLB_ML_LABELS", default_value = "")]
    ml_labels: String,
    /// Port of /metrics (plain HTTP); 0 disables it
    #[arg(long, default_value_t = 9120)]
    port: u16,
    /// Port of /healthz and /readyz on 127.0.0.1
    #[arg(long, default_value_t = 17472)]
    health_probe_port: u16,
    /// all, debug, info, warn, error or none
    #[arg(long, default_value_t)]
    log_level: LogLevel,
    /// Announce only Services of this class; by default those without a class
    #[arg(long, default_value = "")]
    lb_class: String,
    /// Announce although the node has the label node.kubernetes.io/exclude-from-external-load-balancers
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    ignore_exclude_lb: bool,
    /// Path of a kubeconfig; by default KUBECONFIG, then the pod's service account
    #[arg(long, default_value = "")]
    kubeconfig: String,
    #[command(flatten)]
    without_effect: WithoutEffect,
}

/// Flags of MetalLB's speaker that are accepted, and do nothing (yet).
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accepted for compatibility, without effect in this version")]
struct WithoutEffect {
    #[arg(long, env = "METALLB_ML_BIND_ADDR", default_value = "")]
    ml_bindaddr: String,
    #[arg(long, env = "METALLB_ML_BIND_PORT", default_value = "")]
    ml_bindport: String,
    #[arg(long, env = "METALLB_ML_SECRET_KEY_PATH", default_value = "")]
    ml_secret_key_path: String,
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    ml_wan_config: bool,
    #[arg(long, default_value = "")]
    gratuitous_arp_interval: String,
    #[arg(long, default_value = "")]
    pprof_bind_address: String,
    #[arg(long, env = "METALLB_BGP_DEBOUNCE_TIMEOUT", default_value = "")]
    bgp_debounce_timeout: String,
    #[arg(long, env = "FRRK8S_NAMESPACE", default_value = "")]
    frrk8s_namespace: String,
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    frrk8s_secret_passthrough: bool,
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
    /// Runs the speaker with these flags until SIGTERM.
    ///
    /// # Errors
    /// What keeps it from starting; a speaker that runs does not end by itself.
    pub fn run(self) -> anyhow::Result<()> {
        let Self {
            namespace,
            node_name,
            pod_name,
            host,
            ml_labels,
            port,
            health_probe_port,
            log_level,
            lb_class,
            // Read from the pod by all speakers and the controller, so that they decide alike.
            ignore_exclude_lb: _,
            kubeconfig,
            without_effect,
        } = self;
        logs::init(log_level).context("logging cannot be set up")?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "CortenLB speaker starting");
        for flag in without_effect.given() {
            tracing::warn!(flag, "this flag has no effect in this version");
        }
        let settings = Settings {
            me: Me {
                node: node_name,
                namespace: namespace_or_pods(namespace)?,
                pod: pod_name,
            },
            speaker_labels: if ml_labels.is_empty() {
                SPEAKER_LABELS.to_owned()
            } else {
                ml_labels
            },
            class: Some(lb_class).filter(|class| !class.is_empty()),
            kubeconfig: Some(kubeconfig).filter(|path| !path.is_empty()),
            admin: admin_addresses(host, health_probe_port, port),
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

/// The probes come from this node alone; metrics from the family that the node's own address has.
fn admin_addresses(host: Option<IpAddr>, probes: u16, metrics: u16) -> Vec<SocketAddr> {
    let any = if host.is_some_and(|host| host.is_ipv6()) {
        IpAddr::from(Ipv6Addr::UNSPECIFIED)
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let metrics = (metrics != 0).then_some(SocketAddr::new(any, metrics));
    [SocketAddr::new(Ipv4Addr::LOCALHOST.into(), probes)]
        .into_iter()
        .chain(metrics)
        .collect()
}

impl WithoutEffect {
    /// The flags that were given.
    fn given(&self) -> Vec<&'static str> {
        let Self {
            ml_bindaddr,
            ml_bindport,
            ml_secret_key_path,
            ml_wan_config,
            gratuitous_arp_interval,
            pprof_bind_address,
            bgp_debounce_timeout,
            frrk8s_namespace,
            frrk8s_secret_passthrough,
            tls_min_version,
            tls_cipher_suites,
            tls_curve_preferences,
            metrics_cert_dir,
        } = self;
        let flags = [
            ("--ml-bindaddr", !ml_bindaddr.is_empty()),
            ("--ml-bindport", !ml_bindport.is_empty()),
            ("--ml-secret-key-path", !ml_secret_key_path.is_empty()),
            ("--ml-wan-config", *ml_wan_config),
            ("--gratuitous-arp-interval", !gratuitous_arp_interval.is_empty()),
            ("--pprof-bind-address", !pprof_bind_address.is_empty()),
            ("--bgp-debounce-timeout", !bgp_debounce_timeout.is_empty()),
            ("--frrk8s-namespace", !frrk8s_namespace.is_empty()),
            ("--frrk8s-secret-passthrough", *frrk8s_secret_passthrough),
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
