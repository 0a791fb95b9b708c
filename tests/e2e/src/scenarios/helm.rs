//! The Helm chart: a release of ours from its first day to its last, and one of MetalLB's that becomes ours.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use cortenlb_crds::IPAddressPool;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::metallb::{first_node, handed_over, nothing_refuses};
use crate::cluster::helm::RELEASE;
use crate::cluster::metallb::stand_ins;
use crate::cluster::wait::eventually;
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

/// A release of MetalLB's, of its own chart and with its default values, becomes ours by `helm upgrade`: pools, the
/// speakers' key and addresses stay, workloads are changed in place, the address is handed over, and what only MetalLB has is
/// gone.
///
/// MetalLB's images are not to be had here: stand-ins run in its workloads, and answer for the address.
pub(super) async fn helm_upgrade_of_metallb_keeps_pools_and_addresses(
    cluster: &Cluster,
) -> anyhow::Result<()> {
    metallb(cluster).await?;
    cluster.expect_answer_from(LATER, &first_node(cluster)?).await?;
    cluster.curl(&format!("http://{LATER}/")).await?;
    let before = Identities::read(cluster).await?;
    let observer = Observer::start(cluster).await?;
    observer.expect(["web"], Right::At(LATER.parse()?));

    let refused = cluster.helm_upgrade(&["--set=crds.enabled=false"]).await;
    let refused = refused
        .err()
        .context("without the definitions every pool would be deleted")?;
    ensure!(
        format!("{refused:#}").contains("Helm would delete it with all its objects"),
        "{refused:#}"
    );
    let prober = cluster.probe_closely(LATER).await?;
    cluster.helm_upgrade(&[]).await?;
    answers(cluster).await?;
    let report = prober.stop()?;
    handed_over(LATER, &report).with_context(|| format!("seen on the segment: {report}"))?;
    let after = Identities::read(cluster).await?;
    ensure!(after == before, "changed from {before:?} to {after:?}");
    observer.all_right_after(Instant::now(), SOON).await?;
    observer.finish().await?;

    nothing_refuses(cluster).await?;
    eventually(SOON, || async {
        for pod in cluster.api::<Pod>(SYSTEM).list(&ListParams::default()).await? {
            let ours = pod.labels().contains_key("cortenlb.io/component");
            ensure!(ours, "pod {} is left of MetalLB", pod.name_any());
        }
        Ok(())
    })
    .await?;
    end(cluster).await
}

/// MetalLB's release, with a pool, and a Service that has an address of it.
async fn metallb(cluster: &Cluster) -> anyhow::Result<()> {
    let chart = cortenlb_lab::metallb_chart().await?;
    let chart = chart.to_str().context("the path of MetalLB's chart is UTF-8")?;
    // While its webhook cannot be asked, pools can be made only so.
    cluster
        .helm(&[
            "install",
            RELEASE,
            chart,
            "--create-namespace",
            "--set=crds.validationFailurePolicy=Ignore",
        ])
        .await?;
    cluster.crds_established().await?;
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster
        .helm(&[
            "upgrade",
            RELEASE,
            chart,
            "--set=crds.validationFailurePolicy=Fail",
        ])
        .await?;
    cluster.metallb_webhook_refuses().await?;
    cluster.metallb_key("metallb-memberlist", CONTROLLER).await?;
    let [controller, speaker] = stand_ins(cluster, &[LATER]).await?;
    put_in::<Deployment>(cluster, CONTROLLER, controller).await?;
    put_in::<DaemonSet>(cluster, SPEAKER, speaker).await?;
    cluster
        .rolled_out(&["deployment/metallb-controller", "daemonset/metallb-speaker"])
        .await?;
    cluster.create_as_metallb("web", LATER).await
}

/// Puts a stand-in in the place of MetalLB's program. It is Ready at once, and stays so on a busy machine as long as it would
/// with MetalLB's own probe.
async fn put_in<K>(cluster: &Cluster, name: &str, mut stand_in: Value) -> anyhow::Result<()>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    stand_in["name"] = json!(name.strip_prefix("metallb-"));
    stand_in["readinessProbe"] =
        json!({ "initialDelaySeconds": 0, "periodSeconds": 1, "failureThreshold": 30 });
    let change = json!({ "spec": { "template": { "spec": { "containers": [stand_in] } } } });
    cluster
        .api::<K>(SYSTEM)
        .patch(name, &PatchParams::default(), &Patch::Strategic(change))
        .await?;
    Ok(())
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
    cluster.delete_all(cluster.services()).await?;
    cluster.helm(&["uninstall", RELEASE, "--wait"]).await?;
    cluster.uninstall().await
}
