//! Who gets which address.

use anyhow::{Context as _, ensure};
use cortenlb_crds::IPAddressPool;
use cortenlb_lab::probe::Kind;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::objects::{ADDRESS_ASSIGNED, addresses};
use crate::cluster::{Cluster, RANGE, SOON, SYSTEM};
use crate::objects::{NAMESPACE, mk_service};

/// The demonstration's table: a pool, a Service, its EXTERNAL-IP, an answer on the segment.
pub(super) async fn external_ip_answers(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    let prober = cluster.probe("172.21.5.240").await?;
    cluster.create(mk_service("web")).await?;
    cluster.expect_address("web", "172.21.5.240").await?;

    let table = cluster.kubectl(&["get", "svc", "-n", NAMESPACE, "web"]).await?;
    ensure!(
        table.contains("172.21.5.240"),
        "kubectl shows no EXTERNAL-IP: {table}"
    );
    let event = cluster.event("web", "IPAllocated").await?;
    ensure!(
        event == r#"Assigned IP ["172.21.5.240"]"#,
        "the event reads: {event}"
    );
    let service = cluster.services().get("web").await?;
    let pool = service
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get("metallb.io/ip-allocated-from-pool"));
    ensure!(
        pool.is_some_and(|pool| pool == "default-addresspool"),
        "annotation ip-allocated-from-pool: {pool:?}"
    );

    let node = cluster.announced_from("web").await?;
    let event = cluster.event("web", "nodeAssigned").await?;
    ensure!(
        event == format!(r#"announcing from node "{node}" with protocol "layer2""#),
        "the event reads: {event}"
    );
    cluster.curl("http://172.21.5.240/").await?;
    cluster.expect_answer_from("172.21.5.240", &node).await?;
    let owner = cluster.mac_of(&node).await?;
    let report = prober.stop()?;
    for kind in [Kind::GratuitousRequest, Kind::GratuitousReply] {
        let told = report
            .announcements
            .iter()
            .any(|one| one.kind == kind && one.mac.to_string() == owner);
        ensure!(
            told,
            "{node} ({owner}) sent no {kind:?}: {:?}",
            report.announcements
        );
    }
    pool_counters(cluster, 1, 10).await
}

/// Waits until the pool's status says how many addresses are assigned and available.
async fn pool_counters(cluster: &Cluster, assigned: i64, available: i64) -> anyhow::Result<()> {
    let what = format!("counts {assigned} assigned and {available} available");
    let pools = cluster.api::<IPAddressPool>(SYSTEM);
    cluster
        .wait(pools, "default-addresspool", &what, SOON, |found| {
            found
                .and_then(|pool| pool.status.as_ref())
                .is_some_and(|status| status.assigned_ipv4 == assigned && status.available_ipv4 == available)
        })
        .await?;
    Ok(())
}

/// The pool has eleven addresses; the twelfth Service says why it waits, and gets the first address set free.
pub(super) async fn twelfth_service_waits_for_a_free_address(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    for index in 1..=11 {
        let name = format!("web{index:02}");
        cluster.create(mk_service(&name)).await?;
        cluster
            .expect_address(&name, &format!("172.21.5.{}", 239 + index))
            .await?;
    }
    cluster.create(mk_service("web12")).await?;
    let event = cluster.event("web12", "AllocationFailed").await?;
    ensure!(
        event.starts_with(r#"Failed to allocate IP for "e2e/web12": "#),
        "the event reads: {event}"
    );
    let service = cluster
        .wait(
            cluster.services(),
            "web12",
            "has condition AddressAssigned False",
            SOON,
            |found| {
                let condition =
                    found.and_then(|service| crate::cluster::objects::condition(service, ADDRESS_ASSIGNED));
                condition.is_some_and(|condition| condition.status == "False")
            },
        )
        .await?
        .context("web12 exists")?;
    ensure!(
        addresses(&service).is_empty(),
        "web12 has an address although the pool is exhausted"
    );

    cluster.delete(cluster.services(), "web05").await?;
    cluster.expect_address("web12", "172.21.5.244").await?;
    pool_counters(cluster, 11, 0).await
}

/// An address asked for in each of the three ways; one outside every pool; one that is taken.
pub(super) async fn requested_addresses(cluster: &Cluster) -> anyhow::Result<()> {
    const ASK: &str = "metallb.io/loadBalancerIPs";
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster
        .create(mk_service("by-annotation").annotation(ASK, "172.21.5.245"))
        .await?;
    cluster.expect_address("by-annotation", "172.21.5.245").await?;
    let old =
        mk_service("by-old-annotation").annotation("metallb.universe.tf/loadBalancerIPs", "172.21.5.246");
    cluster.create(old).await?;
    cluster
        .expect_address("by-old-annotation", "172.21.5.246")
        .await?;
    cluster
        .create(mk_service("by-field").spec("loadBalancerIP", "172.21.5.247"))
        .await?;
    cluster.expect_address("by-field", "172.21.5.247").await?;
    cluster
        .create(mk_service("by-pool").annotation("metallb.io/address-pool", "default-addresspool"))
        .await?;
    cluster.expect_address("by-pool", "172.21.5.240").await?;

    cluster
        .create(mk_service("outside").annotation(ASK, "172.21.5.99"))
        .await?;
    let event = cluster.event("outside", "AllocationFailed").await?;
    ensure!(
        event.contains("172.21.5.99") && event.contains("is not allowed in config"),
        "the event reads: {event}"
    );

    cluster
        .create(mk_service("taken").annotation(ASK, "172.21.5.245"))
        .await?;
    let event = cluster.event("taken", "AllocationFailed").await?;
    ensure!(
        event.contains("address also in use by e2e/by-annotation"),
        "the event reads: {event}"
    );
    let condition = cluster
        .condition("taken", ADDRESS_ASSIGNED, "False", "AddressInUse")
        .await?;
    ensure!(
        condition.message.contains("e2e/by-annotation"),
        "the message names no holder: {}",
        condition.message
    );
    cluster.delete(cluster.services(), "by-annotation").await?;
    cluster.expect_address("taken", "172.21.5.245").await
}

/// A node's own address in the status, as another load balancer leaves it, is replaced and the VIP is served.
pub(super) async fn foreign_address_is_replaced(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.create(mk_service("web")).await?;
    let foreign = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "172.21.5.11" }] } } });
    cluster
        .services()
        .patch_status("web", &PatchParams::default(), &Patch::Merge(foreign))
        .await?;

    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    let replaced = |found: Option<&Service>| found.is_some_and(|service| addresses(service) == [VIP]);
    cluster
        .wait(
            cluster.services(),
            "web",
            "has 172.21.5.240 and nothing else",
            SOON,
            replaced,
        )
        .await?;
    let node = cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;
    cluster.expect_answer_from("172.21.5.240", &node).await
}

const VIP: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(172, 21, 5, 240));
