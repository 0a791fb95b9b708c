//! A real Kubernetes cluster on this machine, in network namespaces.
//!
//! | module | owns |
//! | --- | --- |
//! | [`lab`](Lab) | up, attach, down; programs on hosts; images; installing the product |
//! | `error` | why an operation on a lab failed |
//! | `diagnose` | status and diagnostics |
//! | `faults`, `frozen` | cutting, unplugging, freezing, pausing, killing; a thread that is stopped |
//! | [`relay`] | a way to the API server on which writes go wrong |
//! | `plan` | names and addresses (pure) |
//! | `config` | the servers' files and command lines (pure) |
//! | `network`, `access` | namespaces, bridges, cables, routes; the machine's way to the control plane |
//! | `pki` | certificates and kubeconfigs |
//! | `servers` | building and caching the programs of tests/servers |
//! | `helm` | Helm, without a cluster and against a lab; MetalLB's chart and manifest |
//! | `kubectl` | kubectl without a cluster |
//! | `package` | programs of Debian packages that are not to be installed |
//! | `process` | detached servers, pid files, signals |
//! | `start`, `teardown` | the order in which servers start; the end of everything |
//! | [`probe`] | who answers for an address on the segment, and when |
//! | [`traffic`] | what a host sends, records and fetches on the segment |
//! | [`image`] | container images as archives |
//! | `wait` | deadlines |
//! | `host`, `folder`, `command`, `progress` | the machine's programs, files on disk, child processes, lines for the user |
//!
//! It knows Kubernetes and Linux, and nothing of CortenLB's own crates but the wire formats and sockets that its
//! prober and its traffic need.

mod access;
mod command;
mod config;
mod diagnose;
mod error;
mod faults;
mod folder;
mod frozen;
mod helm;
mod host;
pub mod image;
mod kubectl;
mod lab;
mod network;
mod package;
mod pki;
mod plan;
pub mod probe;
mod process;
mod progress;
pub mod relay;
mod servers;
mod start;
mod teardown;
pub mod traffic;
mod wait;

pub use command::CommandError;
pub use diagnose::Status;
pub use error::LabError;
pub use folder::FileError;
pub use frozen::FrozenThread;
pub use helm::{Helm, metallb_chart, metallb_manifest};
pub use host::{HostError, require_packages};
pub use kubectl::Kubectl;
pub use lab::{Lab, LabOptions, Product};
pub use package::{find_unpacked, unpacked};
pub use pki::PkiError;
pub use plan::{MAX_NODES, NameError, Nics};
pub use process::ServerError;
pub use servers::{BACKEND_IMAGE, BuildError, StandIn, Traefik};
pub use wait::{WaitError, wait_for};
