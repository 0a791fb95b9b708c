use std::{net::SocketAddr, sync::Arc};

use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::{Admin, Readiness};
use crate::metrics::Registry;

const ANY_PORT: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

/// The status line and the body.
async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (
        head.lines().next().unwrap_or_default().to_owned(),
        body.to_owned(),
    )
}

#[tokio::test]
async fn it_answers_on_every_address_until_shutdown() {
    let admin = Admin::bind(&ANY_PORT.map(|address| address.parse().unwrap()))
        .await
        .unwrap();
    let admin = admin.with_json("/things", || "[]".to_owned());
    let addresses = admin.addresses();
    let mut registry = Registry::default();
    registry.register("things", "Things counted", Counter::<u64>::default());
    let readiness = Readiness::default();
    let (services, pools) = (
        readiness.handle("Services are listed"),
        readiness.handle("pools are listed"),
    );
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(admin.serve(readiness, Arc::new(registry), shutdown.clone()));

    assert_eq!(addresses.len(), 2);
    for &address in &addresses {
        assert_eq!(get(address, "/healthz").await.0, "HTTP/1.1 200 OK");
        let (status, body) = get(address, "/metrics").await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(body.contains("things_total 0"), "{body}");
        assert_eq!(
            get(address, "/things").await,
            ("HTTP/1.1 200 OK".to_owned(), "[]".to_owned())
        );
    }
    let (status, body) = get(addresses[0], "/readyz").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "waiting: Services are listed\nwaiting: pools are listed\n");
    services.ready();
    assert_eq!(
        get(addresses[0], "/readyz").await.1,
        "waiting: pools are listed\n"
    );
    drop(pools);
    assert_eq!(
        get(addresses[1], "/readyz").await,
        ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned())
    );

    shutdown.cancel();
    task.await.unwrap();
    assert!(TcpStream::connect(addresses[0]).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let first = Admin::bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
    let taken = first.addresses();
    let error = Admin::bind(&taken).await.unwrap_err();
    assert_eq!(error.address, taken[0]);
    assert!(error.to_string().contains(&taken[0].to_string()), "{error}");
}

#[test]
fn one_name_for_two_things_waits_for_both() {
    let readiness = Readiness::default();
    let [first, second] = [readiness.handle("a list"), readiness.handle("a list")];
    assert_eq!(readiness.missing(), ["a list"]);
    first.ready();
    assert_eq!(readiness.missing(), ["a list"]);
    second.ready();
    assert!(readiness.missing().is_empty());
}
