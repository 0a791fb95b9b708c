//! The connection to the API server.
//!
//! The stack is put together here rather than by [`Client::try_from`] for six reasons: TCP keep-alive (a watch
//! over a dead connection would go unnoticed for five minutes), an end to connections on which a server that hangs says
//! nothing, no Nagle delay between a request's head and body, no retries below [`write`](crate::write), which would
//! hold a write back for minutes behind its caller's back, `Retry-After`, which `kube` does not hand on, and one line in
//! the log when nobody answers, whoever asks.

use std::{env, time::Duration};

use axum::http::{HeaderValue, header::USER_AGENT};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt},
    config::{InferConfigError, KubeconfigError},
};
use thiserror::Error;
use tower::{BoxError, ServiceBuilder};

use crate::{outage::Noticing, retry_after};

/// How long a request may take before it counts as failed. Watches are not requests: their end is the watcher's.
///
/// Longer than the API server's own patience with a slow etcd (about 5 s). Longer than a term of the
/// [`lease`](crate::lease) too: a write that was sent within a term may land after it whatever the sender's patience is,
/// and is fenced off by its resourceVersion. The election has times of its own
/// ([`LeaseState::give_up`](crate::lease::LeaseState::give_up)).
///
/// A server that was stopped and continues answers what it was asked at once, however long ago that was; a server that
/// died resets its connections. Neither is met any sooner with a shorter time, and each request that was given up too
/// early may still be done.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// A peer that is silent while we are is noticed after 5 + 3 × 2 = 11 s; one that does not acknowledge what we sent,
/// after as long. The kernel's own patience is two hours and a quarter of one, and after a cut it would go on waiting
/// for its next retransmission long after the network is back.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_PROBES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(11);

/// A connection that nobody uses is closed after this time: a bulk of writes leaves dozens behind, each with 40 KiB here and
/// more on the server. What asks every few seconds, as a Lease does, keeps the one that it uses.
const IDLE: Duration = Duration::from_secs(10);

/// How long the server may say nothing, by what it is asked for.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    /// Until a connection stands. One of several servers may not answer while the next would.
    connect: Duration,
    /// The same with the TLS handshake, which a server that hangs never ends: its kernel has accepted the connection.
    handshake: Duration,
    /// Between a request and the first byte of its answer, and between two bytes of an answer. HTTP/1.1 has one request
    /// on a connection, so that silence on the connection is the request's. Longer than any watch
    /// ([`WATCH_FOR`](crate::watch::WATCH_FOR)), and than what the API server gives a list (60 s).
    silence: Duration,
}

const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    handshake: Duration::from_secs(10),
    silence: Duration::from_secs(75),
};

/// Why there is no client. Nothing was sent to the API server.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a service account was found.
    #[error(
        "no way to the API server: KUBECONFIG names no usable file and no service account is mounted in this pod"
    )]
    NoConfig(#[source] Box<InferConfigError>),
    /// The kubeconfig named on the command line cannot be used.
    #[error("kubeconfig {path:?} cannot be used")]
    Kubeconfig {
        /// The file that was named.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The configuration was found, but no client can be made from it (a certificate, a token or a proxy).
    #[error("the configuration for API server {url} cannot be used: check certificates and credentials")]
    Unusable {
        /// The API server's URL.
        url: String,
        /// The part that failed.
        #[source]
        source: Box<kube::Error>,
    },
}

/// A client from `KUBECONFIG`, `~/.kube/config` or the pod's service account, in this order.
///
/// `component` goes into the `User-Agent` with this crate's version, for the API server's audit log.
///
/// # Errors
/// [`ConnectError`]; no request is made, so that an API server that is away is not an error.
pub async fn connect(component: &str) -> Result<Client, ConnectError> {
    let config = Config::infer()
        .await
        .map_err(|source| ConnectError::NoConfig(Box::new(source)))?;
    with_config(config, component)
}

/// A client from one kubeconfig file, with its current context.
///
/// # Errors
/// [`ConnectError`]; no request is made.
pub async fn connect_with_kubeconfig(path: &str, component: &str) -> Result<Client, ConnectError> {
    let failed = |source| ConnectError::Kubeconfig {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let kubeconfig = kube::config::Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default())
        .await
        .map_err(failed)?;
    with_config(config, component)
}

/// A client from a configuration that the caller has.
///
/// # Errors
/// [`ConnectError::Unusable`]; no request is made.
pub fn with_config(mut config: Config, component: &str) -> Result<Client, ConnectError> {
    let agent = format!(
        "{component}/{} ({}/{})",
        env!("CARGO_PKG_VERSION"),
        env::consts::OS,
        env::consts::ARCH
    );
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        config.headers.push((USER_AGENT, agent));
    }
    let url = config.cluster_url.to_string();
    stack(config, DEADLINES).map_err(|source| ConnectError::Unusable {
        url,
        source: Box::new(source),
    })
}

fn stack(config: Config, deadlines: Deadlines) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(deadlines.connect));
    tcp.set_keepalive(Some(KEEPALIVE_IDLE));
    tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(Some(deadlines.handshake));
    connector.set_read_timeout(Some(deadlines.silence));
    // Or a request on a connection that has rested would have only what is left of the time.
    connector.set_reset_reader_on_write(true);
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build::<_, Body>(connector);
    // Innermost: a token that cannot be read is no silence of the server's.
    let http = Noticing::new(&config.cluster_url.to_string(), http);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_response(retry_after::in_status)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

#[cfg(test)]
mod tests;
