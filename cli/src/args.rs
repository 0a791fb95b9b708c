//! Commands and flags, and what is said about bad ones.

use std::path::PathBuf;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::SYSTEM_NAMESPACE;

use crate::page::Format;

/// Says why a Service has its address or none, who answers for it, and what is wrong. Changes nothing.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-cortenlb",
    bin_name = "kubectl cortenlb",
    version,
    max_term_width = 110,
    after_help = "Examples:\n  kubectl cortenlb doctor\n  kubectl cortenlb why service shop/web\n  kubectl cortenlb status \
                  -o wide\n\nExit codes: 0 all is well, 1 the command could not be done, 2 there is something to look at."
)]
pub struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of all commands, as kubectl has them.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// Path of the kubeconfig [default: KUBECONFIG, then ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Namespace of CortenLB and of its configuration
    #[arg(short, long, global = true, value_name = "NAME", default_value = SYSTEM_NAMESPACE)]
    pub(crate) namespace: String,
    /// How the report is written
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Say why something is as it is
    #[command(
        subcommand,
        after_help = "Examples:\n  kubectl cortenlb why service shop/web\n  kubectl cortenlb why service --help"
    )]
    Why(Why),
    /// Show how full the pools are, and who answers for which address
    #[command(after_help = "Examples:\n  kubectl cortenlb status\n  kubectl cortenlb status -o wide")]
    Status,
    /// Find what is wrong, with the command that mends it
    #[command(
        after_help = "Examples:\n  kubectl cortenlb doctor\n  kubectl cortenlb doctor -o json | jq -r \
                            '.findings[].code'\n\nExit code 2: something is an error. Each code has a section in \
                            docs/doctor.md."
    )]
    Doctor,
    /// Say what an edit of pools would do to Services, without doing it
    #[command(
        after_help = "Examples:\n  kubectl cortenlb plan -f pools.yaml\n  kubectl get ipaddresspools -n \
                            metallb-system -o yaml | sed s/250/245/ | kubectl cortenlb plan -f -\n\nExit code 2: a Service \
                            would be worse off, or a pool ignored."
    )]
    Plan {
        /// File with IPAddressPools, and L2Advertisements if they change too; - is the standard input
        #[arg(short, long, value_name = "FILE")]
        filename: PathBuf,
        /// Take pools that are not in the file for deleted
        #[arg(long)]
        prune: bool,
    },
    /// Show what the speakers took over of late, and how long each step took
    #[command(
        after_help = "Examples:\n  kubectl cortenlb failovers\n  kubectl cortenlb failovers -o json | jq '.changes[0]'"
    )]
    Failovers,
    /// Prepare to put CortenLB in MetalLB's place
    #[command(
        subcommand,
        after_help = "Examples:\n  kubectl cortenlb migrate check\n  kubectl cortenlb migrate check --help"
    )]
    Migrate(Migrate),
    /// Write the completion of a shell, for kubectl-cortenlb
    #[command(
        after_help = "Examples:\n  source <(kubectl cortenlb completion bash)\n\nFor `kubectl cortenlb` kubectl's own \
                      completion asks a program kubectl_complete-cortenlb: make a link to kubectl-cortenlb by that name."
    )]
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// What to say it about.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Why {
    /// Why a Service has its address or none, and which nodes can answer for it
    #[command(
        visible_alias = "svc",
        after_help = "Examples:\n  kubectl cortenlb why service shop/web\n  kubectl cortenlb why service shop/web --node \
                      n1 -o json\n\nExit code 2: the Service has no address, or nobody answers for it."
    )]
    Service {
        /// NAMESPACE/NAME
        service: Target,
        /// Only this node
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
}

/// What to prepare.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Say what becomes of each object and address of a cluster that runs MetalLB
    #[command(
        after_help = "Examples:\n  kubectl cortenlb migrate check\n  kubectl cortenlb migrate check -n lb -o \
                      json\n\nExit code 2: something is not supported (BGP), an \
                            address would not stay, or a step has to be done first."
    )]
    Check,
}

/// A Service on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(pub(crate) ServiceKey);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self(ServiceKey::new(namespace, name)))
            }
            _ => Err("write NAMESPACE/NAME, such as shop/web".to_owned()),
        }
    }
}

/// What is wrong with the command line, in one line; none if help or the version was asked for.
pub(crate) fn mistake(error: &clap::Error) -> Option<String> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return None;
    }
    let text = error.render().to_string();
    let said = text.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<&str> = said.split_whitespace().collect();
    Some(format!("{}; --help shows examples", words.join(" ")))
}

#[cfg(test)]
mod tests;
