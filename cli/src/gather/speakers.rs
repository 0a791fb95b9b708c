//! What our pods show of themselves over HTTP, with their port forwarded by the API server: read-only.

use std::time::Duration;

use bytes::Bytes;
use cortenlb_crds::names::COMPONENT;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::connect::chain;
use crate::facts::{self, Facts, Membership, flag, node_of};
use crate::failovers::{Answer, Told};

/// A pod that runs answers within a millisecond; the API server waits for one that does not for half a minute.
const PATIENCE: Duration = Duration::from_secs(5);

/// `--health-probe-port`, if no other is given.
const PORT: u16 = 17472;

/// The time lines of all our speakers, by node.
pub(crate) async fn failovers(client: &Client, facts: &Facts) -> Vec<Told> {
    let speakers = facts.our_pods("speaker");
    let mut told = ask_all(client, speakers, "failovers", |Answer { changes }| changes).await;
    told.sort_by(|a, b| (&a.node, &a.pod).cmp(&(&b.node, &b.pod)));
    told
}

/// How each of our speakers hears the others, and its node is attached; of one node's alone, if that is named.
pub(crate) async fn membership(
    client: &Client,
    facts: &Facts,
    node: Option<&str>,
) -> Vec<facts::Told<Membership>> {
    ask_all(client, speakers(facts, node), "membership", |membership| {
        membership
    })
    .await
}

fn speakers<'a>(facts: &'a Facts, node: Option<&'a str>) -> impl Iterator<Item = &'a Pod> {
    let speakers = facts.our_pods("speaker");
    speakers.filter(move |pod| node.is_none() || node_of(pod) == node)
}

/// What each of these pods answers at `path`, and there the `part` of it that matters.
async fn ask_all<'a, A: DeserializeOwned, T>(
    client: &Client,
    pods: impl Iterator<Item = &'a Pod>,
    path: &str,
    part: impl Fn(A) -> T,
) -> Vec<facts::Told<T>> {
    let asked = pods.map(async |pod| facts::Told {
        pod: pod.name_any(),
        node: node_of(pod).unwrap_or_default().to_owned(),
        answer: ask(client, pod, path)
            .await
            .and_then(|text| understood(&text))
            .map(&part),
    });
    join_all(asked).await
}

/// What the answer, which is JSON, says.
pub(crate) fn understood<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("its answer makes no sense: {error}"))
}

/// What the pod answers at `path` on the port of its probes; or why it does not.
async fn ask(client: &Client, pod: &Pod, path: &str) -> Result<String, String> {
    let asked = tokio::time::timeout(PATIENCE, get(client, pod, path));
    asked
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

/// Forwards the port, which may be open on the node alone, and gets the path through it.
async fn get(client: &Client, pod: &Pod, path: &str) -> Result<String, String> {
    let pods = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let port = port(pod);
    let mut forwarder = pods
        .portforward(&pod.name_any(), &[port])
        .await
        .map_err(|error| format!("{} (needs the right to create pods/portforward)", chain(&error)))?;
    let stream = forwarder
        .take_stream(port)
        .ok_or_else(|| format!("port {port} is not forwarded"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| chain(&error))?;
    // It ends with the sender; what it fails with, the request fails with.
    tokio::spawn(connection);
    let request = http::Request::get(format!("/{path}"))
        .header(http::header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| chain(&error))?;
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|error| chain(&error))?;
    if !status.is_success() {
        return Err(format!("/{path} on port {port}: {status}"));
    }
    String::from_utf8(body.to_bytes().into()).map_err(|error| error.to_string())
}

/// The port of its probes, by its flags.
fn port(pod: &Pod) -> u16 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let component = pod.labels().get(COMPONENT);
    let mut ours = containers.filter(|container| Some(&container.name) == component);
    let given = ours.find_map(|container| flag(container, "health-probe-port"));
    given.and_then(|port| port.parse().ok()).unwrap_or(PORT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::tests::{mk_facts, mk_pod};

    #[test]
    fn where_a_node_is_named_its_speaker_alone_is_asked() {
        let facts = mk_facts();
        let asked = |node| {
            speakers(&facts, node)
                .map(|pod| pod.name_any())
                .collect::<Vec<_>>()
        };
        assert_eq!(asked(Some("n2")), ["speaker-n2"]);
        assert_eq!(asked(None), ["speaker-n1", "speaker-n2", "speaker-n3"]);
        let none: [&str; 0] = [];
        assert_eq!(asked(Some("n9")), none);
    }

    #[test]
    fn the_port_is_the_one_of_the_flags() {
        let mut pod = mk_pod("speaker", "n1", true);
        assert_eq!(port(&pod), 17472);
        let containers = &mut pod.spec.as_mut().unwrap().containers;
        containers[0].args = Some(vec!["--health-probe-port=17473".to_owned()]);
        assert_eq!(port(&pod), 17473);
        let containers = &mut pod.spec.as_mut().unwrap().containers;
        containers[0].args = None;
        assert_eq!(port(&pod), 17472);
    }
}
