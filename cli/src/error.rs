//! Why a command could not be done. Nothing was changed, since nothing ever is.

use std::path::PathBuf;

use cortenlb_core::name::ServiceKey;

/// One line that says what, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The kubeconfig cannot be used.
    #[error(
        "no way to the API server: {0}; name a kubeconfig with --kubeconfig or KUBECONFIG, and a context with --context"
    )]
    Config(String),
    /// The API server does not answer, or refuses.
    #[error("{what} cannot be listed: {why}")]
    List {
        /// The kind, in the plural.
        what: String,
        /// What the API server says, and what to do.
        why: String,
    },
    /// There is no such Service.
    #[error("there is no Service {0}; `kubectl get services -A` lists them")]
    NoService(ServiceKey),
    /// A Service that gets no address by its type.
    #[error(
        "Service {service} is of type {kind}, and only one of type LoadBalancer gets an address; set spec.type: \
         LoadBalancer"
    )]
    NoLoadBalancer {
        /// The Service.
        service: ServiceKey,
        /// `spec.type`.
        kind: String,
    },
    /// A Service that another controller serves.
    #[error(
        "Service {service} has loadBalancerClass {class:?}, and this controller serves {ours}; spec.loadBalancerClass can \
         only be changed with the type: create the Service anew"
    )]
    OtherClass {
        /// The Service.
        service: ServiceKey,
        /// `spec.loadBalancerClass`.
        class: String,
        /// What is served.
        ours: String,
    },
    /// There is no such node.
    #[error("there is no Node {node:?}; --node takes one of: {known}")]
    NoNode {
        /// As given.
        node: String,
        /// Those that there are.
        known: String,
    },
    /// The file with pools cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The file holds something that is no such object.
    #[error("{}, document {document}: {why}", path.display())]
    Document {
        /// As given.
        path: PathBuf,
        /// Its place in the file, from 1.
        document: usize,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The report cannot be written.
    #[error("the report cannot be written: {0}")]
    Write(String),
}
