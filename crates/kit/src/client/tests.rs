use std::{pin::pin, time::Duration};

use axum::{
    Router,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    routing::get,
};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Config, api::WatchParams};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use super::{ConnectError, Deadlines, connect_with_kubeconfig, stack, with_config};
use crate::logs::{LogLevel, tests::Captured};

#[tokio::test]
async fn requests_arrive_and_say_who_sent_them() {
    let version = get(async |headers: HeaderMap| {
        let agent = headers["user-agent"].to_str().unwrap().to_owned();
        json!({ "major": "1", "minor": "36", "gitVersion": agent, "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "" })
        .to_string()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/version", version)).await });
    let client = with_config(Config::new(url.parse().unwrap()), "cortenlb-controller").unwrap();
    let agent = client.apiserver_version().await.unwrap().git_version;
    assert!(agent.starts_with("cortenlb-controller/"), "{agent}");
}

/// As the API server sheds load: in plain words, the time in the header alone. A `Status` stays what it is.
#[tokio::test]
async fn a_server_that_sheds_load_says_for_how_long_to_wait() {
    let words = get(async || {
        (
            StatusCode::TOO_MANY_REQUESTS,
            [(RETRY_AFTER, "7")],
            "Too many requests.",
        )
    });
    let status =
        json!({ "status": "Failure", "code": 429, "message": "own", "details": { "retryAfterSeconds": 3 } });
    let status = get(async move || {
        let headers = [(RETRY_AFTER, "7"), (CONTENT_TYPE, "application/json")];
        (StatusCode::TOO_MANY_REQUESTS, headers, status.to_string())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/version", words).route("/api", status);
    tokio::spawn(async { axum::serve(listener, router).await });
    let client = with_config(Config::new(url.parse().unwrap()), "test").unwrap();
    let wish = |error| match error {
        kube::Error::Api(status) => (
            status.code,
            status.details.unwrap().retry_after_seconds,
            status.message,
        ),
        other => panic!("{other}"),
    };
    let shed = wish(client.apiserver_version().await.unwrap_err());
    let message = "the API server has too much to do and asks to wait for 7 s";
    assert_eq!(shed, (429, 7, message.to_owned()));
    let own = wish(client.list_core_api_versions().await.unwrap_err());
    assert_eq!(own, (429, 3, "own".to_owned()));
}

/// TLS needs one crypto provider, chosen by the features of the whole build: two would panic here.
#[tokio::test]
async fn a_client_for_https_is_made_without_a_request() {
    let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
    config.root_cert = Some(Vec::new());
    let client = with_config(config, "test").unwrap();
    let error = client
        .apiserver_version()
        .await
        .expect_err("nobody listens on port 1");
    assert!(
        crate::logs::chain(&error).to_lowercase().contains("refused"),
        "{}",
        crate::logs::chain(&error)
    );
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_there_is_named() {
    let Err(error) = connect_with_kubeconfig("/nowhere/config", "test").await else {
        panic!("there is no file")
    };
    assert!(matches!(&error, ConnectError::Kubeconfig { path, .. } if path == "/nowhere/config"));
    assert!(error.to_string().contains("/nowhere/config"), "{error}");
}

/// A server whose kernel accepts connections, and which then says `words` to each request and no more.
async fn mk_hanging(scheme: &str, words: &'static str) -> Config {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {
                    stream.write_all(words.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let mut config = Config::new(url.parse().unwrap());
    config.root_cert = Some(Vec::new());
    config
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for_without_end() {
    let soon = Deadlines {
        connect: Duration::from_secs(60),
        handshake: Duration::from_secs(60),
        silence: Duration::from_millis(100),
    };
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let cases = [
        ("before the answer", "http", "", soon),
        ("within the answer", "http", begun, soon),
        (
            "in the TLS handshake",
            "https",
            "",
            Deadlines {
                handshake: soon.silence,
                silence: soon.connect,
                ..soon
            },
        ),
    ];
    for (case, scheme, words, deadlines) in cases {
        let client = stack(mk_hanging(scheme, words).await, deadlines).unwrap();
        let answer = timeout(Duration::from_secs(20), client.apiserver_version()).await;
        assert!(answer.expect(case).is_err(), "{case}");
    }
}

#[tokio::test]
async fn that_nobody_listens_is_said_once() {
    let captured = Captured::new();
    let client = with_config(Config::new("http://127.0.0.1:1".parse().unwrap()), "test").unwrap();
    for _ in 0..5 {
        assert!(client.apiserver_version().await.is_err());
    }
    let lines = captured.lines();
    let [line] = lines.as_slice() else {
        panic!("one line: {lines:?}")
    };
    assert_eq!(line["server"], "http://127.0.0.1:1/");
    assert!(
        line["error"].as_str().unwrap().to_lowercase().contains("refused"),
        "{line}"
    );
}

/// As kube words it: a new version of it may need other texts in `logs`.
#[tokio::test]
async fn a_watch_whose_connection_ends_is_no_warning() {
    for (level, lines) in [(LogLevel::Info, 0), (LogLevel::Debug, 1)] {
        let captured = Captured::at(level);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            let begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(begun).await.unwrap();
        });
        let client = with_config(Config::new(url.parse().unwrap()), "test").unwrap();
        let maps = Api::<ConfigMap>::default_namespaced(client);
        let mut events = pin!(maps.watch(&WatchParams::default(), "1").await.unwrap());
        assert!(events.next().await.is_none());
        assert_eq!(captured.lines().len(), lines, "{:?}", captured.lines());
    }
}
