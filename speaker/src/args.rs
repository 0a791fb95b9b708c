//! Flags and environment: MetalLB's, so that its manifests and charts start this speaker unchanged.

use crate::l2;
use crate::membership::{DEFAULT_PORT, Membership};
use crate::run::{self, Settings};
use crate::statuses::Me;
use anyhow::Context;
use clap::{ArgAction, Parser};
use cortenlb_kit::admin;
use cortenlb_kit::flags::{self, Flags};
use cortenlb_kit::logs;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroU16, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

/// The labels of the speaker pods in MetalLB's plain manifests, and in ours.
const SPEAKER_LABELS: &str = "app=metallb,component=speaker";

/// Announces the addresses of LoadBalancer Services from this node.
#[derive(Clone, Debug, Parser)]
#[command(name = "speaker", version)]
pub struct Args {
    /// Name of this node
    #[arg(long, env = "METALLB_NODE_NAME")]
    node_name: String,
    /// Name of this pod
    #[arg(long, env = "METALLB_POD_NAME")]
    pod_name: String,
    /// Address of this node: its family is the one that /metrics listens on
    #[arg(long, env = "METALLB_HOST")]
    host: Option<IpAddr>,
    /// Labels by which the speaker pods are found; empty: app=metallb,component=speaker
    #[arg(long, env = "METALLB_ML_LABELS", default_value = "")]
    ml_labels: String,
    /// Announce although the node has the label node.kubernetes.io/exclude-from-external-load-balancers
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    ignore_exclude_lb: bool,
    /// Announce nothing from a node that is cordoned, and give away what it has: not only from one with the annotation
    /// cortenlb.io/drain: "true", or the label above
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    drain_cordoned: bool,
    /// Seconds in which each announced address is told of once more by gratuitous ARP or an unsolicited neighbour
    /// advertisement; 0: only on taking over
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    gratuitous_arp_interval: u32,
    /// Give addresses, one group in ten seconds, to nodes that could have them as well and have fewer: one that joined or
    /// returned gets its share. Without it nothing moves that need not
    #[arg(
        long, env = "CORTENLB_REBALANCE", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true"
    )]
    rebalance: bool,
    /// While the speaker of a node restarts, another one answers in that node's name, with its MAC. false, the same on all
    /// nodes: what the node had goes to others instead, for networks that forbid that (ARP inspection, port security)
    #[arg(
        long, env = "CORTENLB_STAND_IN", num_args = 0..=1, require_equals = true, default_value_t = true,
        default_missing_value = "true", action = ArgAction::Set
    )]
    stand_in: bool,
    #[command(flatten)]
    membership: MembershipFlags,
    // Behind the others: the last of these flags come below a heading of the help, and so would all that follow them.
    #[command(flatten)]
    common: Flags,
    #[command(flatten)]
    without_effect: WithoutEffect,
}

/// How the speakers know one another.
#[derive(Clone, Debug, clap::Args)]
struct MembershipFlags {
    /// Address at which the other speakers are heard, as a rule the pod's. Empty: they do not hear one another, and a
    /// node that is lost is left only when Kubernetes says that its pods are not Ready
    #[arg(
        long,
        env = "METALLB_ML_BIND_ADDR",
        default_value = "",
        value_name = "ADDRESS"
    )]
    ml_bindaddr: Bind,
    /// UDP port at which the other speakers are heard, the same on all nodes; by default 7946
    #[arg(long, env = "METALLB_ML_BIND_PORT", default_value = "", value_name = "PORT")]
    ml_bindport: Port,
    /// Directory at which the Secret with the speakers' key is mounted
    #[arg(
        long,
        env = "METALLB_ML_SECRET_KEY_PATH",
        default_value = "",
        value_name = "DIRECTORY"
    )]
    ml_secret_key_path: String,
    /// Name of that Secret, which is read from the API server while nothing is mounted; empty: it is waited for
    #[arg(
        long,
        env = "METALLB_ML_SECRET_NAME",
        default_value = "memberlist",
        value_name = "NAME"
    )]
    ml_secret_name: String,
}

/// `--ml-bindaddr`; empty is none, as in MetalLB.
#[derive(Clone, Copy, Debug)]
struct Bind(Option<IpAddr>);

impl FromStr for Bind {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address)))
    }
}

/// `--ml-bindport`; empty is the default, as in MetalLB.
#[derive(Clone, Copy, Debug)]
struct Port(u16);

impl FromStr for Port {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(DEFAULT_PORT));
        }
        // Port 0 would be another one on each node.
        text.parse().map(|port: NonZeroU16| Self(port.get()))
    }
}

/// Flags of MetalLB's speaker that are accepted, and do nothing (yet).
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accepted for compatibility, without effect in this version")]
struct WithoutEffect {
    #[arg(long, env = "METALLB_ML_NAMESPACE", default_value = "")]
    ml_namespace: String,
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    ml_wan_config: bool,
    #[arg(long, env = "METALLB_BGP_DEBOUNCE_TIMEOUT", default_value = "")]
    bgp_debounce_timeout: String,
    #[arg(long, env = "FRRK8S_NAMESPACE", default_value = "")]
    frrk8s_namespace: String,
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    frrk8s_secret_passthrough: bool,
}

impl Args {
    /// Runs the speaker with these flags until SIGTERM.
    ///
    /// # Errors
    /// What keeps it from starting; a speaker that runs does not end by itself.
    pub fn run(self) -> anyhow::Result<()> {
        let Self {
            common,
            node_name,
            pod_name,
            host,
            ml_labels,
            // Read from the pod by all speakers and the controller, so that they decide alike.
            ignore_exclude_lb: _,
            drain_cordoned: _,
            gratuitous_arp_interval,
            rebalance,
            stand_in,
            membership,
            without_effect,
        } = self;
        let common = common.start("speaker", env!("CARGO_PKG_VERSION"), &without_effect.given())?;
        let settings = Settings {
            me: Me {
                node: node_name,
                namespace: common.namespace,
                pod: pod_name,
            },
            speaker_labels: if ml_labels.is_empty() {
                SPEAKER_LABELS.to_owned()
            } else {
                ml_labels
            },
            refresh: refresh(gratuitous_arp_interval),
            rebalance,
            stand_in,
            membership: membership.read(),
            class: common.class,
            kubeconfig: common.kubeconfig,
            admin: admin::Settings {
                // The probes come from this node alone.
                plain: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), common.health_probe_port),
                secured: common.metrics_port.map(|port| metrics_address(host, port)),
                tls: common.tls,
            },
        };
        let ended = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .on_thread_start(l2::give_way)
            .enable_all()
            .build()
            .context("the runtime cannot be started")?
            .block_on(run::run(settings));
        logs::flush();
        ended
    }
}

impl MembershipFlags {
    fn read(self) -> Membership {
        let Self {
            ml_bindaddr: Bind(bind),
            ml_bindport: Port(port),
            ml_secret_key_path,
            ml_secret_name,
        } = self;
        Membership {
            bind,
            port,
            secret_key_path: (!ml_secret_key_path.is_empty()).then(|| ml_secret_key_path.into()),
            secret_name: (!ml_secret_name.is_empty()).then_some(ml_secret_name),
        }
    }
}

/// What `--gratuitous-arp-interval` means.
fn refresh(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

/// Metrics are asked for in the family that the node's own address has.
fn metrics_address(host: Option<IpAddr>, port: u16) -> SocketAddr {
    let any = if host.is_some_and(|host| host.is_ipv6()) {
        IpAddr::from(Ipv6Addr::UNSPECIFIED)
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    SocketAddr::new(any, port)
}

impl WithoutEffect {
    /// The flags that were given.
    fn given(&self) -> Vec<&'static str> {
        let Self {
            ml_namespace,
            ml_wan_config,
            bgp_debounce_timeout,
            frrk8s_namespace,
            frrk8s_secret_passthrough,
        } = self;
        flags::given(&[
            ("--ml-namespace", !ml_namespace.is_empty()),
            ("--ml-wan-config", *ml_wan_config),
            ("--bgp-debounce-timeout", !bgp_debounce_timeout.is_empty()),
            ("--frrk8s-namespace", !frrk8s_namespace.is_empty()),
            ("--frrk8s-secret-passthrough", *frrk8s_secret_passthrough),
        ])
    }
}

#[cfg(test)]
mod tests;
