//! The secured port: connections, each in a task of its own, bounded in number and time.
//!
//! The accepting task waits for a slot, then for a connection; both are cancel safe. Whoever is slow, or says nothing,
//! holds one slot until its time is over, and nobody waits for it while others are free. All connections end with
//! [`serve`].

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::tls::Tls;

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at one time. Each takes some 40 KiB.
    connections: usize,
    /// For the TLS handshake.
    handshake: Duration,
    /// Then for the head of the request.
    head: Duration,
    /// For a whole connection: what reads more slowly than this is no scrape.
    longest: Duration,
}

/// Two Prometheus servers and a curious user need three connections. A scrape is over within ten seconds.
pub(super) const LIMITS: Limits = Limits {
    connections: 64,
    handshake: Duration::from_secs(5),
    head: Duration::from_secs(5),
    longest: Duration::from_secs(30),
};

/// After a failure that is ours (no file descriptors), until the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers on `listener` until `shutdown`.
pub(super) async fn serve(
    listener: TcpListener,
    mut tls: Tls,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let acceptor = tls.acceptor();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tls.follow() => {}
        () = accept(listener, &acceptor, router, limits) => {}
    }
}

/// Never ends. Dropped, it ends its connections.
async fn accept(listener: TcpListener, acceptor: &TlsAcceptor, router: Router, limits: Limits) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await;
        let slot = slot.expect("the semaphore is never closed");
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let talk = talk(stream, acceptor.clone(), router.clone(), limits, slot);
                connections.spawn(timeout(limits.longest, talk));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the port of the metrics cannot be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// One connection, with one request: scrapes are far apart.
async fn talk(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    limits: Limits,
    _slot: OwnedSemaphorePermit,
) {
    let Limits { handshake, head, .. } = limits;
    let stream = match timeout(handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake on the port of the metrics failed");
            return;
        }
        Err(_) => {
            tracing::debug!("a TLS handshake on the port of the metrics was not done within {handshake:?}");
            return;
        }
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the port of the metrics ended early");
    }
}

#[cfg(test)]
mod tests;
