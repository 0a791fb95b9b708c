//! Why an operation on a lab failed.

use std::io;
use std::path::PathBuf;

use crate::command::CommandError;
use crate::folder::FileError;
use crate::host::HostError;
use crate::pki::PkiError;
use crate::plan::{NameError, Nics};
use crate::probe::ProbeError;
use crate::process::ServerError;
use crate::relay::RelayError;
use crate::servers::BuildError;
use crate::traffic::TrafficError;
use crate::wait::WaitError;

/// Why an operation on a lab failed. After a failed `up` everything that was started is still there, for its logs;
/// the next `up` or `down` removes it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A name that cannot be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The machine is not fit.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The servers could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A helper program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// No certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A server did not start or ended.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The prober could not start.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A host could not send or receive.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// The relay could not start.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// Something in Kubernetes did not come about.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A node did not get Ready.
    #[error("node {node} did not get Ready; its log is {}", log.display())]
    Node {
        /// The node.
        node: String,
        /// The kubelet's log.
        log: PathBuf,
        /// What was waited for.
        #[source]
        source: Box<WaitError>,
    },
    /// The lab's own kubeconfig cannot be used.
    #[error("cannot use the lab's kubeconfig; `down` and `up` make it anew")]
    Kubeconfig {
        /// What kube says.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// A request to the API server failed.
    #[error("{doing} failed")]
    Api {
        /// What was tried.
        doing: &'static str,
        /// What kube says.
        #[source]
        source: Box<kube::Error>,
    },
    /// There is a lab of that name that looks different.
    #[error(
        "lab {name} exists with {nodes} nodes and {nics:?} network card(s) each; take it down first, or use another --name"
    )]
    Differs {
        /// Its name.
        name: String,
        /// How many nodes it has.
        nodes: u8,
        /// How many network cards they have.
        nics: Nics,
    },
    /// Namespaces of that name exist, but the folder knows no such lab.
    #[error(
        "network namespace {namespace} exists, but not as a part of a lab in this folder: another CORTENLB_LAB_DIR? `down` removes it"
    )]
    Foreign {
        /// The namespace.
        namespace: String,
    },
    /// There is no such lab.
    #[error("there is no lab called {name}; `up` starts one")]
    Absent {
        /// The name asked for.
        name: String,
    },
    /// All networks from the machine to control planes are taken.
    #[error("no network 10.213.x.0/30 is free for the way to the control plane; take other labs down")]
    NoAccess,
    /// No speaker runs on a node.
    #[error("no process called {process} runs on node {node}")]
    NoProcess {
        /// The program's name.
        process: &'static str,
        /// The node.
        node: String,
    },
    /// A thread of a speaker could not be stopped; it runs.
    #[error("cannot stop thread {thread} of the speaker on node {node} by ptrace")]
    Thread {
        /// Its name.
        thread: &'static str,
        /// The node.
        node: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is one API server, and it runs.
    #[error("the API server runs already; end it first")]
    ApiRuns,
    /// kubectl, run for the lab itself, failed.
    #[error("kubectl {arguments}: {said}")]
    Kubectl {
        /// Its arguments.
        arguments: String,
        /// What it printed.
        said: String,
    },
}
