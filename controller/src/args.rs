//! Flags and environment: MetalLB's, so that its manifests and charts start this controller unchanged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use clap::Parser;
use cortenlb_core::ipam::Rules;
use cortenlb_crds::configuration_state::Pod;
use cortenlb_kit::admin;
use cortenlb_kit::flags::{self, Flags};
use cortenlb_kit::lease::Timing;
use cortenlb_kit::logs;

use crate::index;
use crate::replica::Replica;
use crate::run::{self, Settings};
use crate::secret::Wanted;

/// Gives addresses to Services of type LoadBalancer.
#[derive(Clone, Debug, Parser)]
#[command(name = "controller", version)]
pub struct Args {
    /// Name of this pod, by which it holds the Lease; by default the host name
    #[arg(long, env = "METALLB_POD_NAME", default_value = "")]
    pod_name: String,
    /// UID of this pod, which the controller's ConfigurationState then belongs to
    #[arg(long, env = "CORTENLB_POD_UID", default_value = "")]
    pod_uid: String,
    /// Labels by which the speaker pods are found
    #[arg(
        long,
        env = "METALLB_ML_LABELS",
        default_value = "app=metallb,component=speaker"
    )]
    ml_labels: String,
    /// Take an address away from its Service when no pool would give it any more, as MetalLB does; by default it stays
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    reassign_on_pool_change: bool,
    /// Name of the Secret with the key by which the speakers know one another: it is made when it is missing. Empty: it is
    /// left to you
    #[arg(long, env = "METALLB_ML_SECRET_NAME", default_value = "")]
    ml_secret_name: String,
    /// Name of the controller's Deployment, which that Secret is deleted with
    #[arg(long, env = "METALLB_DEPLOYMENT", default_value = "")]
    deployment: String,
    // Behind the others: the last of these flags come below a heading of the help, and so would all that follow them.
    #[command(flatten)]
    common: Flags,
    #[command(flatten)]
    without_effect: WithoutEffect,
}

/// Flags of MetalLB's controller that are accepted, and do nothing: there is no webhook.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accepted for compatibility, without effect in this version")]
struct WithoutEffect {
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
}

impl Args {
    /// Runs the controller with these flags until SIGTERM.
    ///
    /// # Errors
    /// What keeps it from starting; a controller that runs does not end by itself.
    pub fn run(self) -> anyhow::Result<()> {
        let Self {
            common,
            pod_name,
            pod_uid,
            ml_labels,
            reassign_on_pool_change,
            ml_secret_name,
            deployment,
            without_effect,
        } = self;
        let common = common.start("controller", env!("CARGO_PKG_VERSION"), &without_effect.given())?;
        let identity = identity(pod_name)?;
        let settings = Settings {
            admin: admin::Settings {
                plain: everywhere(common.health_probe_port),
                secured: common.metrics_port.map(everywhere),
                tls: common.tls,
            },
            kubeconfig: common.kubeconfig,
            replica: Replica {
                settings: index::Settings {
                    class: common.class,
                    namespace: common.namespace,
                    rules: Rules {
                        reassign_on_pool_change,
                    },
                    pod: (!pod_uid.is_empty()).then(|| Pod {
                        name: identity.clone(),
                        uid: pod_uid,
                    }),
                },
                identity,
                speaker_labels: ml_labels,
                timing: Timing::default(),
                secret: secret(ml_secret_name, deployment),
            },
        };
        let ended = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("the runtime cannot be started")?
            .block_on(run::run(settings));
        logs::flush();
        ended
    }
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

/// The Secret that is to be kept, if any.
fn secret(name: String, deployment: String) -> Option<Wanted> {
    (!name.is_empty()).then(|| Wanted {
        name,
        deployment: Some(deployment).filter(|name| !name.is_empty()),
    })
}

/// A port on all addresses of the pod: probes and scrapes come from elsewhere. Where the kernel has IPv6, `[::]` takes IPv4
/// as well.
fn everywhere(port: u16) -> SocketAddr {
    let any: IpAddr = if Path::new("/proc/net/if_inet6").exists() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    SocketAddr::new(any, port)
}

impl WithoutEffect {
    /// The flags that were given.
    fn given(&self) -> Vec<&'static str> {
        let Self {
            disable_cert_rotation,
            cert_dir,
            cert_service_name,
            webhook_mode,
            webhook_secret,
            webhook_http2,
        } = self;
        flags::given(&[
            ("--disable-cert-rotation", *disable_cert_rotation),
            ("--cert-dir", !cert_dir.is_empty()),
            ("--cert-service-name", !cert_service_name.is_empty()),
            ("--webhook-mode", webhook_mode != "enabled"),
            ("--webhook-secret", !webhook_secret.is_empty()),
            ("--webhook-http2", *webhook_http2),
        ])
    }
}

#[cfg(test)]
mod tests;
