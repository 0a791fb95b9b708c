//! The Helm chart: a release of ours from its first day to its last.

use std::time::Instant;

use anyhow::ensure;
use cortenlb_crds::IPAddressPool;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;

use crate::cluster::helm::RELEASE;
use crate::cluster::{Cluster, RANGE, SOON, SYSTEM};
use crate::objects::mk_service;
use crate::observer::Observer;
use crate::observer::model::Right;

const CONTROLLER: &str = "metallb-controller";
const SPEAKER: &str = "metallb-speaker";

/// An address that nobody would get who asks for any.
const LATER: &str = "172.21.5.245";

/// Install, upgrade, roll back, uninstall and install again: pools, definitions and addresses stay, and in each state the
/// Service answers while something is installed.
pub(super) async fn helm_release_keeps_pools_and_addresses(cluster: &Cluster) -> anyhow::Result<()> {
    let notes = cluster.helm_install().await?;
    ensure!(notes.contains("kind: IPAddressPool"), "the notes read: {notes}");
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster
        .create(mk_service("web").spec("loadBalancerIP", LATER))
        .await?;
    answers(cluster).await?;
    let before = Identities::read(cluster).await?;
    let observer = Observer::start(cluster).await?;
    observer.expect(["web"], Right::Address);

    cluster
        .helm_upgrade(&["--set=controller.replicas=1,speaker.logLevel=debug"])
        .await?;
    ensure!(replicas(cluster).await? == 1, "one controller was asked for");
    answers(cluster).await?;
    cluster
        .helm(&["rollback", RELEASE, "1", "--wait", "--timeout=300s"])
        .await?;
    ensure!(
        replicas(cluster).await? == 2,
        "the rollback brings the second controller back"
    );
    answers(cluster).await?;
    let after = Identities::read(cluster).await?;
    ensure!(after == before, "changed from {before:?} to {after:?}");

    cluster.helm(&["uninstall", RELEASE, "--wait"]).await?;
    let left = cluster.api::<Deployment>(SYSTEM).get_opt(CONTROLLER).await?;
    ensure!(left.is_none(), "the controller is uninstalled");
    cluster.helm_install().await?;
    answers(cluster).await?;
    let pool = cluster
        .api::<IPAddressPool>(SYSTEM)
        .get("default-addresspool")
        .await?;
    ensure!(pool.uid() == before.pool, "the pool outlives the release");
    observer.all_right_after(Instant::now(), SOON).await?;
    observer.finish().await?;
    end(cluster).await
}

/// Requires that Service `web` has its address, that one node announces it, and that it answers.
async fn answers(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.expect_address("web", LATER).await?;
    let node = cluster.announced_from("web").await?;
    cluster.expect_answer_from(LATER, &node).await?;
    cluster.curl(&format!("http://{LATER}/")).await?;
    Ok(())
}

/// What an upgrade must not make anew, by UID.
#[derive(Debug, PartialEq)]
struct Identities {
    controller: Option<String>,
    speaker: Option<String>,
    pool: Option<String>,
    key: Option<String>,
    service: Option<String>,
}

impl Identities {
    async fn read(cluster: &Cluster) -> anyhow::Result<Self> {
        Ok(Self {
            controller: cluster.api::<Deployment>(SYSTEM).get(CONTROLLER).await?.uid(),
            speaker: cluster.api::<DaemonSet>(SYSTEM).get(SPEAKER).await?.uid(),
            pool: cluster
                .api::<IPAddressPool>(SYSTEM)
                .get("default-addresspool")
                .await?
                .uid(),
            key: cluster
                .api::<Secret>(SYSTEM)
                .get("metallb-memberlist")
                .await?
                .uid(),
            service: cluster.services().get("web").await?.uid(),
        })
    }
}

async fn replicas(cluster: &Cluster) -> anyhow::Result<i32> {
    let deployment = cluster.api::<Deployment>(SYSTEM).get(CONTROLLER).await?;
    let ready = deployment.status.and_then(|status| status.ready_replicas);
    Ok(ready.unwrap_or_default())
}

/// Takes everything away, the definitions too.
async fn end(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.delete(cluster.services(), "web").await?;
    cluster.helm(&["uninstall", RELEASE, "--wait"]).await?;
    cluster.uninstall().await
}
