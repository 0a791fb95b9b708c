//! The admin server: what a process shows of itself, on two ports.
//!
//! | port | how | what |
//! | --- | --- | --- |
//! | plain | HTTP | `/healthz`, `/readyz`, and the paths of [`Admin::with_json`]: for probes, and for whoever may forward a port |
//! | secured | HTTPS, with a token that may get the path | `/metrics`, and the same paths |
//!
//! Reads only: nothing can be changed through it.

mod access;
mod readiness;
mod secured;
pub mod tls;

use std::{fmt, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::from_fn_with_state,
    routing::get,
};
use futures::future::join;
use kube::Client;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::readiness::{Readiness, ReadyHandle};
use self::{
    access::Access,
    tls::{Tls, TlsError},
};
use crate::metrics::{self, Registry};

/// Where the admin server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The plain port.
    pub plain: SocketAddr,
    /// The secured port; `None`: there is none.
    pub secured: Option<SocketAddr>,
    /// How the secured port is encrypted.
    pub tls: tls::Settings,
}

/// Why there is no admin server. Nothing listens.
#[derive(Debug, Error)]
pub enum BindError {
    /// An address cannot be listened on.
    #[error(
        "the admin server cannot listen on {address}: another process may hold the port, or this node lacks the address"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("the admin server cannot encrypt what it shows")]
    Tls(#[from] TlsError),
}

/// A server that has its sockets and does not answer yet.
pub struct Admin {
    plain: TcpListener,
    secured: Option<(TcpListener, Tls)>,
    json: Router,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("plain", &self.plain_address())
            .field("secured", &self.secured_address())
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// Listens on both ports.
    ///
    /// # Errors
    /// The first that fails; what was listened on is given back.
    pub async fn bind(settings: Settings) -> Result<Self, BindError> {
        let Settings { plain, secured, tls } = settings;
        let plain = listen(plain).await?;
        let secured = match secured {
            Some(address) => Some((listen(address).await?, Tls::new(tls).await?)),
            None => None,
        };
        let json = Router::new();
        Ok(Self { plain, secured, json })
    }

    /// Answers at this path too, with the JSON that `show` makes for each request. It must not block.
    #[must_use]
    pub fn with_json(self, path: &str, show: impl Fn() -> String + Clone + Send + Sync + 'static) -> Self {
        let answer = async move || ([(CONTENT_TYPE, "application/json")], show());
        Self {
            json: self.json.route(path, get(answer)),
            ..self
        }
    }

    /// The plain port's address; it tells which port the kernel chose for port 0.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.local_addr().ok()
    }

    /// The secured port's address, as [`plain_address`](Self::plain_address).
    #[must_use]
    pub fn secured_address(&self) -> Option<SocketAddr> {
        let (listener, _) = self.secured.as_ref()?;
        listener.local_addr().ok()
    }

    /// Answers until `shutdown`: `/healthz` with 200 while the process runs, `/readyz` with 200 or with 503 and a line for
    /// each thing that is missing, `/metrics` with the registry in OpenMetrics form. `client` is asked who may see what
    /// is secured.
    pub async fn serve(
        self,
        readiness: Readiness,
        registry: Arc<Registry>,
        client: Client,
        shutdown: CancellationToken,
    ) {
        let Self { plain, secured, json } = self;
        let open = json
            .clone()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(async move || ready(&readiness)));
        let open = axum::serve(plain, open).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let open = async {
            if let Err(error) = open.await {
                tracing::error!(%error, "admin server ended");
            }
        };
        let closed = async {
            let Some((listener, tls)) = secured else { return };
            let shown = json
                .route(metrics::PATH, get(async move || exposition(&registry)))
                .route_layer(from_fn_with_state(Arc::new(Access::new(client)), access::guard));
            secured::serve(listener, tls, shown, secured::LIMITS, shutdown).await;
        };
        join(open, closed).await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| BindError::Listen { address, source })
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

fn exposition(registry: &Registry) -> impl axum::response::IntoResponse + use<> {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(registry))
}

#[cfg(test)]
mod tests;
