//! Whether this node can forward what comes in: the kubelet's word, and kube-proxy's where there is a kube-proxy.
//!
//! A node that boots and takes an address before its pods have a network and its rules are there is a black hole. The
//! kubelet says that the node is Ready, kube-proxy on its health port that it is well. Where nobody listens there, after a moment in which it may still be starting, another data plane does
//! its work (Cilium, for instance), and nothing is known.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cortenlb_kit::watch::{Change, Config, LONGEST_OF_MANY, watch};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Where kube-proxy tells of its health (`--healthz-bind-address`).
const HEALTH: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10256);

/// So long nobody may listen there.
const STARTS: Duration = Duration::from_secs(5);

/// So long an answer may take, and between two questions.
const AGAIN: Duration = Duration::from_millis(500);

/// Waits until this node is Ready, and kube-proxy is well or there seems to be none.
pub async fn until_ready(client: Client, node: &str) {
    tokio::join!(until_node_is_ready(client, node), until_kube_proxy_is_well());
}

async fn until_node_is_ready(client: Client, node: &str) {
    let (changes, mut received) = mpsc::channel(1);
    let only = Config::default().fields(&format!("metadata.name={node}"));
    // Ends with this function.
    let mut watching = JoinSet::new();
    watching.spawn(watch(Api::<Node>::all(client), only, LONGEST_OF_MANY, changes));
    let mut told = false;
    while let Some(change) = received.recv().await {
        if tells_ready(&change) {
            return;
        }
        if !told {
            told = true;
            tracing::info!(
                node,
                "waiting for the node to be Ready, for 30 s at most, before new addresses are taken"
            );
        }
    }
}

fn tells_ready(change: &Change<Node>) -> bool {
    let is_ready = |node: &Node| {
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    match change {
        Change::Apply(node) => is_ready(node),
        Change::Delete(_) => false,
        Change::Reset(nodes) => nodes.iter().any(is_ready),
    }
}

async fn until_kube_proxy_is_well() {
    let began = Instant::now();
    let mut told = false;
    loop {
        match timeout(AGAIN, is_well(HEALTH)).await {
            Ok(Ok(true)) => return,
            Ok(Err(_)) if began.elapsed() >= STARTS => {
                tracing::info!(address = %HEALTH, "no kube-proxy tells of its health: taken for another data plane");
                return;
            }
            _ if !told => {
                told = true;
                tracing::info!(address = %HEALTH, "waiting for kube-proxy, for 30 s at most, before new addresses are taken");
            }
            _ => {}
        }
        sleep(AGAIN).await;
    }
}

/// Whether it answers 200.
async fn is_well(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(head.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::net::TcpListener;

    #[test]
    fn a_node_is_ready_when_its_condition_says_so() {
        let node = |status: &str| -> Node {
            let condition = json!({ "type": "Ready", "status": status });
            serde_json::from_value(json!({ "status": { "conditions": [condition] } })).unwrap()
        };
        for (change, ready) in [
            (Change::Reset(vec![]), false),
            (Change::Reset(vec![node("Unknown")]), false),
            (Change::Reset(vec![node("True")]), true),
            (Change::Apply(Node::default()), false),
            (Change::Apply(node("False")), false),
            (Change::Apply(node("True")), true),
            (Change::Delete(node("True")), false),
        ] {
            assert_eq!(tells_ready(&change), ready, "{change:?}");
        }
    }

    #[tokio::test]
    async fn kube_proxy_is_well_when_it_says_200() {
        for (answer, well) in [
            ("HTTP/1.0 200 OK\r\n\r\n", true),
            ("HTTP/1.0 503 Service Unavailable\r\n\r\n", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 64];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /healthz "));
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            assert_eq!(is_well(address).await.unwrap(), well);
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_does_not_listen_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(is_well(address).await.is_err());
    }
}
