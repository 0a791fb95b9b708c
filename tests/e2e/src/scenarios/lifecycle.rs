//! What restarts, removals and upgrades must not change.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use cortenlb_crds::IPAddressPool;
use k8s_openapi::api::apps::v1::DaemonSet;
use serde_json::{Value, json};

use crate::cluster::objects::ADDRESS_ASSIGNED;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, RANGE, SOON, SYSTEM, manifest};
use crate::objects::mk_service;
use crate::observer::Observer;
use crate::observer::model::Right;

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

/// The controller is stopped: nothing moves, and a Service made meanwhile is served by its successor.
pub(super) async fn controller_restart_moves_nothing(cluster: &Cluster) -> anyhow::Result<()> {
    two_services(cluster).await?;
    let before = cluster.assignments().await?;
    let replicas = cluster.stop_controller().await?;
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

/// What [`earlier`] has in its pod templates, and our manifest has not.
const EARLIER: &str = "example.org/version";

/// Another version's manifest and ours, each applied over the other: one node answers all the time. Then the workloads
/// are deleted, and then everything; what is installed after that finds every Service with the address that it had.
pub(super) async fn our_upgrade_and_reinstall_keep_addresses(cluster: &Cluster) -> anyhow::Result<()> {
    let (free, held) = (VIP, "172.21.5.241");
    two_services(cluster).await?;
    // Who asks for any address would get this one.
    cluster.delete(cluster.services(), "first").await?;
    let observer = Observer::start(cluster).await?;
    observer.expect(["second"], Right::At(held.parse()?));

    let earlier = earlier(cluster).await?;
    let ours = cluster.product.manifest.to_str();
    let ours = ours.context("the manifest's path is UTF-8")?;
    for (file, version) in [(earlier.as_str(), Some("earlier")), (ours, None)] {
        let prober = cluster.probe(held).await?;
        cluster.kubectl(&["apply", "-f", file]).await?;
        cluster.product_ready().await?;
        let speakers = cluster.api::<DaemonSet>(SYSTEM).get("speaker").await?;
        let annotations = speakers.spec.and_then(|spec| spec.template.metadata?.annotations);
        let found = annotations.and_then(|mut annotations| annotations.remove(EARLIER));
        ensure!(
            found.as_deref() == version,
            "the speakers are of version {found:?} after {file}"
        );
        answers(cluster, held).await?;
        let answerers = prober.stop()?.answerers();
        ensure!(answerers.len() == 1, "{held} moved at {file}: {answerers:?}");
    }

    cluster.delete_workloads().await?;
    cluster.expect_silence(held).await?;
    cluster.create(mk_service("meanwhile")).await?;
    cluster.install().await?;
    answers(cluster, held).await?;
    cluster.expect_address("meanwhile", free).await?;

    cluster.uninstall().await?;
    cluster.expect_silence(held).await?;
    cluster.install().await?;
    cluster
        .condition("second", ADDRESS_ASSIGNED, "True", "PoolGone")
        .await?;
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster
        .condition("second", ADDRESS_ASSIGNED, "True", "Assigned")
        .await?;
    answers(cluster, held).await?;
    cluster.create(mk_service("third")).await?;
    cluster.expect_address("third", "172.21.5.242").await?;
    observer.expect(["meanwhile"], Right::At(free.parse()?));
    observer.all_right_after(Instant::now(), SOON).await?;
    observer.finish().await
}

/// The manifest of another version, as far as there can be one: other arguments and annotations of all pods.
async fn earlier(cluster: &Cluster) -> anyhow::Result<String> {
    let mut objects = manifest::read(&cluster.product.manifest)?;
    let is_workload = |object: &&mut Value| {
        ["Deployment", "DaemonSet"]
            .map(Value::from)
            .contains(&object["kind"])
    };
    for workload in objects.iter_mut().filter(is_workload) {
        let template = &mut workload["spec"]["template"];
        template["metadata"]["annotations"][EARLIER] = "earlier".into();
        template["spec"]["containers"][0]["args"] = json!(["--port=9120", "--log-level=debug"]);
    }
    cluster.manifest("earlier.json", &objects).await
}

/// Requires that Service `second` has this address, and that the node that announces it answers. What is left of speakers
/// that are gone may name another node for a while, or none.
async fn answers(cluster: &Cluster, address: &str) -> anyhow::Result<()> {
    cluster.expect_address("second", address).await?;
    eventually(SOON, || async {
        let node = cluster.announced_from("second").await?;
        let found = cluster.who_answers(address).await?;
        ensure!(
            found == [cluster.mac_of(&node).await?],
            "{node} announces {address}, and {found:?} answer"
        );
        Ok(())
    })
    .await?;
    cluster.curl(&format!("http://{address}/")).await.map(drop)
}
