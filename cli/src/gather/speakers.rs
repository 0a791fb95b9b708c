//! What our pods show of themselves over HTTP, asked through the API server: read-only.

use std::time::Duration;

use cortenlb_crds::names::COMPONENT;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt as _};

use crate::connect::chain;
use crate::facts::{self, Facts, flag};
use crate::failovers::{self, Told};

/// A pod that runs answers within a millisecond; the API server waits for one that does not for half a minute.
const PATIENCE: Duration = Duration::from_secs(5);

/// `--port`, if no other is given.
const PORT: u16 = 9120;

/// The time lines of all our speakers, by node.
pub(crate) async fn failovers(client: &Client, facts: &Facts) -> Vec<Told> {
    let mut told = ask_all(client, facts, "failovers", |answer| failovers::read(&answer)).await;
    told.sort_by(|a, b| (&a.node, &a.pod).cmp(&(&b.node, &b.pod)));
    told
}

/// What `/metrics` of each of our speakers says.
pub(super) async fn metrics(client: &Client, facts: &Facts) -> Vec<facts::Told<String>> {
    ask_all(client, facts, "metrics", Ok).await
}

/// What each of our speakers answers at `path`, as `read` understands it.
async fn ask_all<T>(
    client: &Client,
    facts: &Facts,
    path: &str,
    read: impl Fn(String) -> Result<T, String>,
) -> Vec<facts::Told<T>> {
    let asked = facts.our_pods("speaker").map(async |pod| {
        let spec = pod.spec.as_ref();
        facts::Told {
            pod: pod.name_any(),
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            answer: ask(client, pod, path).await.and_then(&read),
        }
    });
    join_all(asked).await
}

/// What the pod answers at `path` on the port of its metrics; or why it does not.
async fn ask(client: &Client, pod: &Pod, path: &str) -> Result<String, String> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let port = port(pod);
    // Plain HTTP is tried first, which is what our programs speak; behind TLS the same is there.
    let mut why = String::new();
    for scheme in ["", "https:"] {
        let url = format!("/api/v1/namespaces/{namespace}/pods/{scheme}{name}:{port}/proxy/{path}");
        let request = http::Request::get(url)
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, client.request_text(request)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                return Err(format!("{} (needs the right to get pods/proxy)", status.message));
            }
            Ok(Err(kube::Error::Api(status))) => why = status.message.clone(),
            Ok(Err(error)) => why = chain(&error),
            Err(_) => why = format!("no answer within {} s", PATIENCE.as_secs()),
        }
    }
    Err(why)
}

/// The port of its metrics, by its flags.
fn port(pod: &Pod) -> u16 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let component = pod.labels().get(COMPONENT);
    let mut ours = containers.filter(|container| Some(&container.name) == component);
    let given = ours.find_map(|container| flag(container, "port"));
    given.and_then(|port| port.parse().ok()).unwrap_or(PORT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::tests::mk_pod;

    #[test]
    fn the_port_is_the_one_of_the_flags() {
        let mut pod = mk_pod("speaker", "n1", true);
        assert_eq!(port(&pod), 9120);
        let containers = &mut pod.spec.as_mut().unwrap().containers;
        containers[0].args = Some(vec!["--port=17473".to_owned()]);
        assert_eq!(port(&pod), 17473);
        let containers = &mut pod.spec.as_mut().unwrap().containers;
        containers[0].args = None;
        assert_eq!(port(&pod), 9120);
    }
}
