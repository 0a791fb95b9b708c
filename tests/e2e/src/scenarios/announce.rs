//! Which node announces, and when nobody does.

use anyhow::ensure;
use cortenlb_crds::{BGPPeer, ServiceL2Status};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::cluster::objects::ANNOUNCED;
use crate::cluster::{Cluster, EXCLUDE_LABEL, RANGE, SOON, SYSTEM};
use crate::objects::{NAMESPACE, backend_pod, mk_service};

const VIP: &str = "172.21.5.240";

/// An IPv6 VIP: the client resolves it by neighbour discovery and gets an answer through it.
pub(super) async fn ipv6_through_ndp(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("six", &["fd00:5::f0-fd00:5::ff"]).await?;
    cluster.advertise("default", json!({})).await?;
    let six = mk_service("web")
        .spec("ipFamilyPolicy", "SingleStack")
        .spec("ipFamilies", json!(["IPv6"]));
    cluster.create(six).await?;
    cluster.expect_address("web", "fd00:5::f0").await?;
    let node = cluster.announced_from("web").await?;
    cluster.curl("http://[fd00:5::f0]/").await?;
    cluster.expect_answer_from("fd00:5::f0", &node).await
}

/// Without a ready endpoint nobody answers, and the Service says so; with one, somebody does.
pub(super) async fn no_ready_endpoints(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster
        .create(mk_service("web").spec("selector", json!({ "app": "late" })))
        .await?;
    cluster.expect_address("web", VIP).await?;
    cluster
        .condition("web", ANNOUNCED, "False", "NoEndpoints")
        .await?;
    cluster.expect_silence(VIP).await?;

    let late = mk_pod("late", "late", "n1")?;
    cluster
        .api(NAMESPACE)
        .create(&PostParams::default(), &late)
        .await?;
    let node = cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;
    cluster.expect_answer_from(VIP, &node).await?;
    cluster.delete(cluster.api::<Pod>(NAMESPACE), "late").await?;
    cluster
        .condition("web", ANNOUNCED, "False", "NoEndpoints")
        .await?;
    cluster.expect_silence(VIP).await
}

/// `externalTrafficPolicy: Local`: only a node with an endpoint of its own answers, and the client's address is kept.
pub(super) async fn local_traffic_policy(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    let local = mk_service("web")
        .spec("externalTrafficPolicy", "Local")
        .spec("selector", json!({ "app": "only" }));
    cluster.create(local).await?;
    for node in ["n3", "n1"] {
        cluster
            .api(NAMESPACE)
            .create(&PostParams::default(), &mk_pod("only", "only", node)?)
            .await?;
        let announced = cluster.announced_from("web").await?;
        ensure!(
            announced == node,
            "the endpoint is on {node}, and {announced} announces"
        );
        cluster.expect_answer_from(VIP, node).await?;
        let page = cluster.curl("http://172.21.5.240/").await?;
        ensure!(
            page.contains("172.21.5.100"),
            "the backend should see the client's address: {page}"
        );
        cluster.delete(cluster.api::<Pod>(NAMESPACE), "only").await?;
        cluster
            .condition("web", ANNOUNCED, "False", "NoEndpoints")
            .await?;
    }
    Ok(())
}

/// An advertisement selects pools, nodes and interfaces; a pool that none names is not announced, and says so.
pub(super) async fn advertisement_selectors(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster
        .advertise("other", json!({ "ipAddressPools": ["other"] }))
        .await?;
    cluster.create(mk_service("web")).await?;
    let condition = cluster
        .condition("web", ANNOUNCED, "False", "NoAdvertisement")
        .await?;
    ensure!(
        condition.message.contains("default-addresspool"),
        "the message names no pool: {}",
        condition.message
    );
    cluster.expect_silence(VIP).await?;

    let node_selectors = json!([{ "matchLabels": { "kubernetes.io/hostname": "n2" } }]);
    let spec = json!({
        "ipAddressPools": ["default-addresspool"],
        "nodeSelectors": node_selectors,
        "interfaces": ["eth0"],
    });
    cluster.advertise("only-n2", spec).await?;
    let node = cluster.announced_from("web").await?;
    ensure!(node == "n2", "only n2 is selected, and {node} announces");
    cluster.expect_answer_from(VIP, "n2").await?;
    let statuses = cluster
        .api::<ServiceL2Status>(SYSTEM)
        .list(&ListParams::default())
        .await?;
    ensure!(
        statuses.items.len() == 1,
        "one ServiceL2Status per Service, found {}",
        statuses.items.len()
    );
    Ok(())
}

/// While a BGPPeer exists, its user is told that it has no effect.
pub(super) async fn bgp_peer_is_told(cluster: &Cluster) -> anyhow::Result<()> {
    let peer = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: router, namespace: metallb-system}\n\
                spec: {myASN: 64500, peerASN: 64501, peerAddress: 172.21.5.1}\n";
    let file = cluster.lab.scratch_file("bgp-peer.yaml", peer).await?;
    cluster.kubectl(&["apply", "-f", &file]).await?;
    let peer = cluster.api::<BGPPeer>(SYSTEM).get("router").await?;
    let event = cluster.event_about(&peer, "BGPNotSupported").await?;
    ensure!(event.contains("BGP"), "the event reads: {event}");
    cluster.kubectl(&["delete", "-f", &file]).await?;
    Ok(())
}

/// A cluster of one node serves; with the exclude label it does not, and says which label and how to mend it.
pub(super) async fn one_node_and_the_exclude_label(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster.create(mk_service("web")).await?;
    let node = cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;

    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let label = json!({ "metadata": { "labels": { EXCLUDE_LABEL: "" } } });
    nodes
        .patch(&node, &PatchParams::default(), &Patch::Merge(label))
        .await?;
    let condition = cluster
        .condition("web", ANNOUNCED, "False", "AllNodesExcluded")
        .await?;
    ensure!(
        condition.message.contains(EXCLUDE_LABEL),
        "the message names no label: {}",
        condition.message
    );
    let remedy = format!("kubectl label node {node} {EXCLUDE_LABEL}-");
    ensure!(
        condition.message.contains(&remedy),
        "the message should say `{remedy}`: {}",
        condition.message
    );
    cluster.expect_silence(VIP).await?;

    cluster
        .kubectl(&["label", "node", &node, &format!("{EXCLUDE_LABEL}-")])
        .await?;
    cluster
        .condition_within("web", ANNOUNCED, "True", "Announced", SOON)
        .await?;
    cluster.expect_answer_from(VIP, &node).await
}

/// One backend pod labelled `app`, on a given node.
fn mk_pod(name: &str, app: &str, node: &str) -> anyhow::Result<Pod> {
    let mut spec = backend_pod(cortenlb_lab::BACKEND_IMAGE);
    spec["nodeName"] = node.into();
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": { "app": app } },
        "spec": spec,
    }))?;
    ensure!(pod.name_any() == name, "the pod's name");
    Ok(pod)
}
