//! What restarts, removals and upgrades must not change.

use anyhow::ensure;
use cortenlb_crds::IPAddressPool;
use serde_json::json;

use crate::cluster::objects::ADDRESS_ASSIGNED;
use crate::cluster::{Cluster, RANGE, SOON, SYSTEM};
use crate::objects::mk_service;

const VIP: &str = "172.21.5.240";

async fn two_services(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster
        .advertise("default", json!({ "ipAddressPools": ["default-addresspool"] }))
        .await?;
    for (name, address) in [("first", VIP), ("second", "172.21.5.241")] {
        cluster.create(mk_service(name)).await?;
        cluster.expect_address(name, address).await?;
        cluster.announced_from(name).await?;
    }
    cluster.curl("http://172.21.5.240/").await?;
    Ok(())
}

/// The pool is deleted: both Services keep address and answer, also after a restart of the speakers and of the
/// controller; the pool comes back: nothing moves.
pub(super) async fn pool_deleted_keeps_addresses(cluster: &Cluster) -> anyhow::Result<()> {
    two_services(cluster).await?;
    let before = cluster.assignments().await?;
    cluster
        .delete(cluster.api::<IPAddressPool>(SYSTEM), "default-addresspool")
        .await?;
    cluster
        .condition("first", ADDRESS_ASSIGNED, "True", "PoolGone")
        .await?;
    cluster.curl("http://172.21.5.240/").await?;

    for component in ["speaker", "controller"] {
        cluster.delete_pods(component).await?;
        cluster.product_ready().await?;
        let node = cluster.announced_from("first").await?;
        cluster.expect_answer_from(VIP, &node).await?;
        cluster.curl("http://172.21.5.240/").await?;
    }
    ensure!(
        cluster.assignments().await? == before,
        "addresses moved when the pool was deleted"
    );

    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster
        .condition("first", ADDRESS_ASSIGNED, "True", "Assigned")
        .await?;
    cluster.create(mk_service("third")).await?;
    cluster.expect_address("third", "172.21.5.242").await?;
    let mut after = cluster.assignments().await?;
    after.retain(|(name, _)| name != "third");
    ensure!(
        after == before,
        "addresses moved when the pool came back: {after:?}"
    );
    Ok(())
}

/// The controller is killed: nothing moves, and a Service made meanwhile is served by its successor.
pub(super) async fn controller_restart_moves_nothing(cluster: &Cluster) -> anyhow::Result<()> {
    two_services(cluster).await?;
    let before = cluster.assignments().await?;
    let replicas = cluster.scale_controller(0).await?;
    cluster.delete_pods("controller").await?;
    cluster.create(mk_service("meanwhile")).await?;
    cluster.curl("http://172.21.5.240/").await?;
    cluster.scale_controller(replicas).await?;
    cluster.expect_address("meanwhile", "172.21.5.242").await?;
    let mut after = cluster.assignments().await?;
    after.retain(|(name, _)| name != "meanwhile");
    ensure!(after == before, "addresses moved: {before:?} became {after:?}");

    // Killed without notice: the container is started again and takes its own Lease.
    cluster.crash("controller").await?;
    cluster.create(mk_service("later")).await?;
    cluster.expect_address("later", "172.21.5.243").await
}

/// Our manifests are applied over a running earlier install: no address changes.
pub(super) async fn applied_again_changes_no_address(cluster: &Cluster) -> anyhow::Result<()> {
    two_services(cluster).await?;
    let before = cluster.assignments().await?;
    for set in ["deployment/controller", "daemonset/speaker"] {
        // An earlier version differs in the pod template; a field that our manifests do not own stands for that.
        let earlier =
            r#"{"spec":{"template":{"metadata":{"annotations":{"example.org/version":"earlier"}}}}}"#;
        cluster
            .kubectl(&["patch", "-n", SYSTEM, set, "--type=merge", "-p", earlier])
            .await?;
    }
    cluster.product_ready().await?;
    for set in ["deployment/controller", "daemonset/speaker"] {
        let ours = r#"{"spec":{"template":{"metadata":{"annotations":{"example.org/version":null}}}}}"#;
        cluster
            .kubectl(&["patch", "-n", SYSTEM, set, "--type=merge", "-p", ours])
            .await?;
    }
    cluster.apply_product().await?;
    cluster.product_ready().await?;
    ensure!(cluster.assignments().await? == before, "addresses moved");
    let node = cluster.announced_from("first").await?;
    cluster.expect_answer_from(VIP, &node).await?;
    cluster.create(mk_service("third")).await?;
    cluster.expect_address("third", "172.21.5.242").await?;
    cluster
        .condition_within(
            "third",
            crate::cluster::objects::ANNOUNCED,
            "True",
            "Announced",
            SOON,
        )
        .await?;
    Ok(())
}
