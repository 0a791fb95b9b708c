//! The controller's process: signals, the connection, the admin server, and one [replica](crate::replica).

use std::sync::Arc;

use anyhow::Context;
use cortenlb_kit::admin::{self, Admin, Readiness};
use cortenlb_kit::{client, metrics, shutdown};
use k8s_openapi::jiff::Timestamp;

use crate::index::COMPONENT;
use crate::replica::{self, Replica};
use crate::webhook;

/// What the flags say, parsed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What makes this replica.
    pub replica: Replica,
    /// A kubeconfig, in place of the pod's service account.
    pub kubeconfig: Option<String>,
    /// Where the admin server listens.
    pub admin: admin::Settings,
}

/// Runs until SIGTERM, then gives the Lease back and returns.
///
/// # Errors
/// Something that it cannot do without is not there; the API server may be away.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let Settings {
        replica,
        kubeconfig,
        admin,
    } = settings;
    let shutdown = shutdown::on_signal().context("cannot wait for signals")?;
    let client = match kubeconfig {
        Some(path) => client::connect_with_kubeconfig(&path, COMPONENT).await?,
        None => client::connect(COMPONENT).await?,
    };
    let admin = Admin::bind(admin).await?;
    let readiness = Readiness::default();
    let mut registry = metrics::registry();
    let replica = replica::Running::start(client.clone(), replica, &readiness, &mut registry, Timestamp::now);
    tokio::spawn(webhook::remove(client.clone()));
    tokio::spawn(admin.serve(readiness, Arc::new(registry), client, shutdown.clone()));
    // The thread that starts the runtime is none of its workers: an index there is woken, and wakes the writer, across
    // threads, and on a busy machine each wait for a core is felt by the Service that waits for its address.
    let ended = tokio::spawn(replica.run(shutdown)).await;
    ended.context("the controller ended badly")?
}
