//! A MetalLB that still runs: its controller decides, and its speakers answer, until they are gone, and ours say so.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::faults::{POOL, mk_quiet};
use super::ownership::{VIP, probe, served};
use crate::cluster::objects::{ADDRESS_ASSIGNED, ANNOUNCED, addresses};
use crate::cluster::{Cluster, SOON, SYSTEM};
use crate::objects::backend_pod;
use crate::observer::Observer;
use crate::observer::model::Right;

/// From the end of MetalLB's last speaker to the first answer.
const GAP: Duration = Duration::from_secs(2);

/// The reason in the condition of a Service, and of the Event on the pod.
const REASON: &str = "MetalLBRunning";

/// The stand-in for a pod of MetalLB.
const STAND_IN: &str = "metallb-stand-in";

/// While a pod with MetalLB's labels and without ours runs, nothing is allocated and what has an address keeps it; with
/// its end everything waiting is served.
pub(super) async fn running_metallb_controller_is_waited_for(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let observer = Observer::start(cluster).await?;
    observer.expect(["before"], Right::Address);
    cluster.create(mk_quiet("before")).await?;
    observer.all_right_after(Instant::now(), SOON).await?;

    let pods = cluster.api::<Pod>(SYSTEM);
    let pod = create(cluster, json!({ "app": "metallb", "component": "controller" })).await?;
    let outcome = async {
        cluster
            .wait(pods.clone(), STAND_IN, "is Ready", SOON, is_ready)
            .await?;
        cluster.event_about(&pod, REASON).await?;
        cluster.create(mk_quiet("waiting")).await?;
        cluster
            .condition("waiting", ADDRESS_ASSIGNED, "False", REASON)
            .await?;
        let waiting = cluster.services().get("waiting").await?;
        ensure!(
            addresses(&waiting).is_empty(),
            "{} has {:?} while MetalLB's controller runs",
            waiting.name_any(),
            addresses(&waiting)
        );
        observer.all_right_after(Instant::now(), SOON).await.map(|_| ())
    };
    let outcome = outcome.await;
    // It would stand in the way of every later scenario.
    pods.delete(STAND_IN, &DeleteParams::default()).await?;
    outcome?;
    cluster
        .wait(pods, STAND_IN, "is gone", SOON, |found| found.is_none())
        .await?;
    let ended = Instant::now();
    observer.expect(["waiting"], Right::Address);
    let took = observer.all_right_after(ended, SOON).await?;
    println!(
        "  served {:.2} s after MetalLB's controller was gone",
        took.as_secs_f64()
    );
    observer.finish().await
}

/// While a speaker of MetalLB is Ready, on whatever node, none of ours answers; with its end they take over at once. No
/// address changes.
pub(super) async fn running_metallb_speaker_is_waited_for(cluster: &Cluster) -> anyhow::Result<()> {
    served(cluster).await?;
    let before = cluster.assignments().await?;
    // By the labels of the chart: a pod with those of the manifests would be taken for one of our DaemonSet's.
    let labels = json!({ "app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "speaker" });
    let pods = cluster.api::<Pod>(SYSTEM);
    let pod = create(cluster, labels).await?;
    let outcome = async {
        cluster
            .wait(pods.clone(), STAND_IN, "is Ready", SOON, is_ready)
            .await?;
        cluster.event_about(&pod, REASON).await?;
        cluster.condition("web", ANNOUNCED, "False", REASON).await?;
        cluster.expect_silence(VIP).await
    };
    let outcome = outcome.await;
    let prober = probe(cluster).await?;
    let started = Instant::now();
    // It would stand in the way of every later scenario.
    pods.delete(STAND_IN, &DeleteParams::default()).await?;
    outcome?;
    let ended = |found: Option<&Pod>| !is_ready(found);
    cluster
        .wait(pods.clone(), STAND_IN, "is not Ready", SOON, ended)
        .await?;
    let ended = started.elapsed();
    cluster.condition("web", ANNOUNCED, "True", "Announced").await?;
    let owner = cluster.announced_from("web").await?;
    cluster.expect_answer_from(VIP, &owner).await?;
    let report = prober.stop()?;
    let answerers = report.answerers();
    ensure!(answerers.len() == 1, "one node is to take over: {answerers:?}");
    let first = report.answers.first().context("nobody answered")?;
    let gap = first.at.saturating_sub(ended);
    println!(
        "  answered {} ms after MetalLB's speaker was gone",
        gap.as_millis()
    );
    ensure!(gap < GAP, "answered {gap:?} after MetalLB's speaker was gone");
    let after = cluster.assignments().await?;
    ensure!(after == before, "addresses changed from {before:?} to {after:?}");
    cluster
        .wait(pods, STAND_IN, "is gone", SOON, |found| found.is_none())
        .await?;
    Ok(())
}

/// A pod with these labels, and without ours.
async fn create(cluster: &Cluster, labels: Value) -> anyhow::Result<Pod> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": STAND_IN, "labels": labels },
        "spec": backend_pod(cortenlb_lab::BACKEND_IMAGE),
    }))?;
    let pods = cluster.api::<Pod>(SYSTEM);
    Ok(pods.create(&PostParams::default(), &pod).await?)
}

pub(super) fn is_ready(pod: Option<&Pod>) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}
