//! The Helm chart: a release of ours from its first day to its last, and one of MetalLB's that becomes ours.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use cortenlb_crds::IPAddressPool;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::ownership::VIP;
use crate::cluster::helm::RELEASE;
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
/// speakers' key and addresses stay, workloads are changed in place, and what only MetalLB has is gone.
///
/// MetalLB's images are not to be had here: its workloads run a program that does nothing.
pub(super) async fn helm_upgrade_of_metallb_keeps_pools_and_addresses(
    cluster: &Cluster,
) -> anyhow::Result<()> {
    metallb(cluster).await?;
    let before = Identities::read(cluster).await?;
    let observer = Observer::start(cluster).await?;
    observer.expect(["web"], Right::Address);

    let refused = cluster.helm_upgrade(&["--set=crds.enabled=false"]).await;
    let refused = refused
        .err()
        .context("without the definitions every pool would be deleted")?;
    ensure!(
        format!("{refused:#}").contains("Helm would delete it with all its objects"),
        "{refused:#}"
    );
    cluster.helm_upgrade(&[]).await?;
    answers(cluster).await?;
    let after = Identities::read(cluster).await?;
    ensure!(after == before, "changed from {before:?} to {after:?}");
    observer.all_right_after(Instant::now(), SOON).await?;
    observer.finish().await?;

    // Each of these would have asked MetalLB's webhook, which nobody answers.
    let other = json!({ "addresses": ["192.0.2.0/24"], "autoAssign": false });
    cluster.pool_with("another", other).await?;
    cluster.create(mk_service("second")).await?;
    cluster.expect_address("second", VIP).await?;
    eventually(SOON, || async {
        for pod in cluster.api::<Pod>(SYSTEM).list(&ListParams::default()).await? {
            let ours = pod.labels().contains_key("cortenlb.io/component");
            ensure!(ours, "pod {} is left of MetalLB", pod.name_any());
        }
        Ok(())
    })
    .await?;
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let conversion = crds.get("bgppeers.metallb.io").await?.spec.conversion;
    ensure!(
        conversion
            .as_ref()
            .is_some_and(|conversion| conversion.strategy == "None" && conversion.webhook.is_none()),
        "the conversion of BGPPeers reads {conversion:?}"
    );
    cluster.delete(cluster.services(), "second").await?;
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
    blocked(cluster).await?;

    let deployment = cluster.api::<Deployment>(SYSTEM).get(CONTROLLER).await?;
    // As MetalLB's controller makes it.
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {
            "name": "metallb-memberlist",
            "ownerReferences": [{
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": CONTROLLER,
                "uid": deployment.uid(),
            }],
        },
        "stringData": { "secretkey": "c2l4dGVlbiBieXRlcyE" },
    }))?;
    cluster
        .api(SYSTEM)
        .create(&PostParams::default(), &secret)
        .await?;
    stand_in::<Deployment>(cluster, CONTROLLER).await?;
    stand_in::<DaemonSet>(cluster, SPEAKER).await?;
    for workload in ["deployment/metallb-controller", "daemonset/metallb-speaker"] {
        cluster
            .kubectl(&["rollout", "status", "-n", SYSTEM, workload, "--timeout=300s"])
            .await?;
    }

    cluster.create(mk_service("web")).await?;
    let pool = json!({ "metadata": { "annotations": { "metallb.io/ip-allocated-from-pool": "default-addresspool" } } });
    let services = cluster.services();
    let parameters = PatchParams::default();
    services.patch("web", &parameters, &Patch::Merge(pool)).await?;
    let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": LATER, "ipMode": "VIP" }] } } });
    services
        .patch_status("web", &parameters, &Patch::Merge(status))
        .await?;
    Ok(())
}

/// Waits until MetalLB's webhook, which nobody answers, keeps pools out.
async fn blocked(cluster: &Cluster) -> anyhow::Result<()> {
    let pool = json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": "blocked", "namespace": SYSTEM },
        "spec": { "addresses": ["192.0.2.0/24"] },
    });
    let file = cluster
        .lab
        .scratch_file("blocked.json", &pool.to_string())
        .await?;
    eventually(SOON, || async {
        let pool = cluster.kubectl(&["apply", "--dry-run=server", "-f", &file]).await;
        let refused = pool
            .err()
            .context("a pool is accepted that MetalLB's webhook should keep out")?;
        ensure!(
            format!("{refused:#}").contains("failed calling webhook"),
            "{refused:#}"
        );
        Ok(())
    })
    .await
}

/// Puts a program that does nothing in the place of MetalLB's.
async fn stand_in<K>(cluster: &Cluster, name: &str) -> anyhow::Result<()>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let container = json!({
        "name": name.strip_prefix("metallb-"),
        "image": cortenlb_lab::PAUSE_IMAGE,
        "command": ["/pause"],
        "livenessProbe": null,
        "readinessProbe": null,
    });
    let change = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
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
    cluster.delete(cluster.services(), "web").await?;
    cluster.helm(&["uninstall", RELEASE, "--wait"]).await?;
    cluster.uninstall().await
}
