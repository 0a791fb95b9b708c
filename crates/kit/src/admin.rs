//! The admin server: `/healthz`, `/readyz` and `/metrics`, and what else a process shows of itself as JSON.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use futures::future::join_all;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::{self, Registry};

/// What still keeps the process from being ready, and how many wait for it under one name. Cheap to clone; all clones are one.
///
/// A process is ready once every [`ReadyHandle`] that was taken is dropped: a task that never takes off can so not be
/// forgotten.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl Readiness {
    /// Makes the process wait for `what`, as `/readyz` will name it ("Services are listed"), until the handle is
    /// dropped; with one name for several, until all of them are. Take all handles before serving: with none, the
    /// process is ready.
    #[must_use]
    pub fn handle(&self, what: &'static str) -> ReadyHandle {
        *self.lock().entry(what).or_default() += 1;
        ReadyHandle {
            readiness: self.clone(),
            what,
        }
    }

    /// What is missing, in alphabetical order; empty when the process is ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the process from being ready while it lives.
#[derive(Debug)]
pub struct ReadyHandle {
    readiness: Readiness,
    what: &'static str,
}

impl ReadyHandle {
    /// The thing that was waited for is there. The same as dropping the handle.
    pub fn ready(self) {
        drop(self);
    }
}

impl Drop for ReadyHandle {
    fn drop(&mut self) {
        let mut waiting = self.readiness.lock();
        if let Entry::Occupied(mut handles) = waiting.entry(self.what) {
            *handles.get_mut() -= 1;
            if *handles.get() == 0 {
                handles.remove();
            }
        }
    }
}

/// An address of the admin server cannot be listened on. No server runs.
#[derive(Debug, Error)]
#[error(
    "the admin server cannot listen on {address}: another process may hold the port, or this node lacks the address"
)]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// The kernel's answer.
    #[source]
    pub source: std::io::Error,
}

/// A server that has its sockets and does not answer yet.
pub struct Admin {
    listeners: Vec<TcpListener>,
    router: Router,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admin").field(&self.addresses()).finish()
    }
}

impl Admin {
    /// Listens on every address.
    ///
    /// # Errors
    /// The first address that fails; those before it are given back.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for &address in addresses {
            listeners.push(
                TcpListener::bind(address)
                    .await
                    .map_err(|source| BindError { address, source })?,
            );
        }
        let router = Router::new();
        Ok(Self { listeners, router })
    }

    /// Answers at this path too, with the JSON that `show` makes for each request. It must not block.
    #[must_use]
    pub fn with_json(self, path: &str, show: impl Fn() -> String + Clone + Send + Sync + 'static) -> Self {
        let answer = async move || ([(CONTENT_TYPE, "application/json")], show());
        Self {
            router: self.router.route(path, get(answer)),
            ..self
        }
    }

    /// The addresses in use; they tell which port the kernel chose for port 0.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Answers on every address until `shutdown`: `/healthz` with 200 while the process runs, `/readyz` with 200 or
    /// with 503 and a line for each thing that is missing, `/metrics` with the registry in OpenMetrics form.
    pub async fn serve(self, readiness: Readiness, registry: Arc<Registry>, shutdown: CancellationToken) {
        let router = self
            .router
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(async move || ready(&readiness)))
            .route(
                "/metrics",
                get(async move || {
                    (
                        [(CONTENT_TYPE, metrics::CONTENT_TYPE)],
                        metrics::render(&registry),
                    )
                }),
            );
        let servers = self.listeners.into_iter().map(|listener| {
            let serve = axum::serve(listener, router.clone())
                .with_graceful_shutdown(shutdown.clone().cancelled_owned());
            async move { serve.await }
        });
        for result in join_all(servers).await {
            if let Err(error) = result {
                tracing::error!(%error, "admin server ended");
            }
        }
    }
}

fn ready(readiness: &Readiness) -> (StatusCode, String) {
    let missing = readiness.missing();
    if missing.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        missing.iter().map(|what| format!("waiting: {what}\n")).collect(),
    )
}

#[cfg(test)]
mod tests;
