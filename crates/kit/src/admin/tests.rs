use std::net::Ipv4Addr;

use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::rustls::{
    pki_types::{CertificateDer, ServerName},
    version::TLS13,
};

use super::{
    tls::tests::{Folder, Pair, mk_connector},
    *,
};
use crate::fake::Fake;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server with `/things` beside its metrics. The token `reader` may get the metrics.
struct Served {
    plain: SocketAddr,
    secured: SocketAddr,
    trusted: CertificateDer<'static>,
    fake: Fake,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    _folder: Folder,
}

impl Served {
    async fn new(readiness: Readiness) -> Self {
        let (folder, pair) = (Folder::new(), Pair::new());
        pair.put(&folder);
        let settings = Settings {
            plain: ANY,
            secured: Some(ANY),
            tls: tls::Settings {
                cert_dir: Some(folder.0.clone()),
                ..Default::default()
            },
        };
        let admin = Admin::bind(settings).await.unwrap();
        let admin = admin.with_json("/things", || "[]".to_owned());
        let fake = Fake::new();
        fake.knows("reader", "r");
        fake.grants("r", "get", "/metrics");
        let mut registry = Registry::default();
        registry.register("things", "Things counted", Counter::<u64>::default());
        let shutdown = CancellationToken::new();
        Self {
            plain: admin.plain_address().unwrap(),
            secured: admin.secured_address().unwrap(),
            trusted: pair.trusted,
            task: tokio::spawn(admin.serve(readiness, Arc::new(registry), fake.client(), shutdown.clone())),
            fake,
            shutdown,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let stream = TcpStream::connect(self.plain).await.unwrap();
        ask(stream, "GET", path, None).await
    }

    async fn secured(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let stream = TcpStream::connect(self.secured).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = mk_connector(&self.trusted, &[&TLS13]).connect(name, stream).await;
        ask(stream.unwrap(), method, path, token).await
    }

    async fn scrape(&self) -> (u16, String) {
        self.secured("GET", "/metrics", Some("reader")).await
    }
}

/// The status and the body.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    token: Option<&str>,
) -> (u16, String) {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{}\r\n",
        token.unwrap_or_default()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, body.to_owned())
}

#[tokio::test]
async fn the_plain_port_has_probes_and_json_and_no_metrics() {
    let readiness = Readiness::default();
    let (services, pools) = (
        readiness.handle("Services are listed"),
        readiness.handle("pools are listed"),
    );
    let served = Served::new(readiness).await;
    let ok = (200, "ok\n".to_owned());
    assert_eq!(served.get("/healthz").await, ok);
    assert_eq!(served.get("/things").await, (200, "[]".to_owned()));
    assert_eq!(served.get("/metrics").await.0, 404);
    let waiting = |text: &str| (503, text.to_owned());
    assert_eq!(
        served.get("/readyz").await,
        waiting("waiting: Services are listed\nwaiting: pools are listed\n")
    );
    services.ready();
    assert_eq!(
        served.get("/readyz").await,
        waiting("waiting: pools are listed\n")
    );
    drop(pools);
    assert_eq!(served.get("/readyz").await, ok);

    served.shutdown.cancel();
    served.task.await.unwrap();
    for address in [served.plain, served.secured] {
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn the_secured_port_shows_what_a_token_may_get() {
    let served = Served::new(Readiness::default()).await;
    let (code, body) = served.scrape().await;
    assert_eq!(code, 200);
    assert!(body.contains("things_total 0"), "{body}");

    let (code, body) = served.secured("GET", "/metrics", None).await;
    assert_eq!(code, 401);
    assert!(body.contains("Authorization: Bearer"), "{body}");
    assert_eq!(served.secured("GET", "/metrics", Some("guessed")).await.0, 401);
    // The right to the one path is none to the other, nor to another method.
    let (code, body) = served.secured("GET", "/things", Some("reader")).await;
    assert_eq!(code, 403);
    assert!(
        body.contains("r may not get the nonResourceURL /things"),
        "{body}"
    );
    assert_eq!(served.secured("HEAD", "/metrics", Some("reader")).await.0, 403);
    assert_eq!(served.secured("POST", "/metrics", Some("reader")).await.0, 405);
    served.fake.grants("r", "get", "/things");
    served.fake.knows("second", "r");
    assert_eq!(
        served.secured("GET", "/things", Some("second")).await,
        (200, "[]".to_owned())
    );
    assert_eq!(served.secured("GET", "/healthz", Some("reader")).await.0, 404);
}

#[tokio::test]
async fn while_the_api_server_is_away_nobody_new_is_let_in() {
    let served = Served::new(Readiness::default()).await;
    served.fake.knows("second", "r");
    assert_eq!(served.scrape().await.0, 200);
    served.fake.stop();
    assert_eq!(served.scrape().await.0, 200, "it was asked a moment ago");
    let (code, body) = served.secured("GET", "/metrics", Some("second")).await;
    assert_eq!(code, 503);
    assert!(
        body.contains("nobody can say whether this token may get /metrics"),
        "{body}"
    );
}

#[tokio::test]
async fn without_tls_nothing_is_said() {
    let served = Served::new(Readiness::default()).await;
    let mut stream = TcpStream::connect(served.secured).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    // At most an alert (RFC 8446, section 6).
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let settings = |plain| Settings {
        plain,
        secured: None,
        tls: tls::Settings::default(),
    };
    let first = Admin::bind(settings(ANY)).await.unwrap();
    assert_eq!(first.secured_address(), None);
    let taken = first.plain_address().unwrap();
    let error = Admin::bind(settings(taken)).await.unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}
