use std::{io, net::SocketAddr};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::AbortHandle,
};
use tokio_rustls::rustls::{
    pki_types::{CertificateDer, ServerName},
    version::TLS13,
};

use super::*;
use crate::admin::tls::{
    Settings,
    tests::{Folder, Pair, mk_connector},
};

/// For what takes a moment, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that says `hello` to everybody.
struct Served {
    address: SocketAddr,
    trusted: CertificateDer<'static>,
    task: AbortHandle,
    _folder: Folder,
}

impl Served {
    async fn new(limits: Limits) -> Self {
        let (folder, pair) = (Folder::new(), Pair::new());
        pair.put(&folder);
        let settings = Settings {
            cert_dir: Some(folder.0.clone()),
            ..Settings::default()
        };
        let tls = Tls::new(settings).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        let task = tokio::spawn(serve(listener, tls, router, limits, CancellationToken::new()));
        Self {
            address,
            trusted: pair.trusted,
            task: task.abort_handle(),
            _folder: folder,
        }
    }

    /// Clients that say nothing.
    async fn silent(&self, count: usize) -> Vec<TcpStream> {
        let mut silent = Vec::new();
        for _ in 0..count {
            silent.push(TcpStream::connect(self.address).await.unwrap());
        }
        silent
    }

    async fn get(&self) -> io::Result<String> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = mk_connector(&self.trusted, &[&TLS13])
            .connect(name, stream)
            .await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_waiting() {
    let served = Served::new(LIMITS).await;
    // One after the other they would take longer than anybody waits here.
    let silent = usize::try_from(PATIENCE.as_secs() / LIMITS.handshake.as_secs()).unwrap() + 10;
    assert!(silent < LIMITS.connections);
    let _silent = served.silent(silent).await;
    let answer = timeout(PATIENCE, served.get())
        .await
        .expect("it waits for those before it");
    let answer = answer.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn who_says_nothing_has_a_place_for_a_while_only() {
    let limits = Limits {
        connections: 2,
        handshake: Duration::from_secs(1),
        ..LIMITS
    };
    let served = Served::new(limits).await;
    let mut silent = served.silent(limits.connections).await;
    let get = async {
        // A machine that is busy may not shake hands within the second either.
        while served.get().await.is_err() {}
    };
    timeout(PATIENCE, get).await.expect("there is no place any more");
    let mut said = Vec::new();
    // Ended, in good order or not.
    let _ = timeout(PATIENCE, silent[0].read_to_end(&mut said))
        .await
        .expect("it is still connected");
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test]
async fn who_shakes_hands_and_asks_nothing_is_sent_away() {
    let limits = Limits {
        head: Duration::from_millis(50),
        ..LIMITS
    };
    let served = Served::new(limits).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = mk_connector(&served.trusted, &[&TLS13])
        .connect(name, stream)
        .await;
    let mut stream = stream.unwrap();
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said))
        .await
        .expect("it is still connected");
}
