//! A MetalLB that still runs: its controller decides until it is gone, and ours says so.

use std::time::Instant;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::faults::{POOL, mk_quiet};
use crate::cluster::objects::{ADDRESS_ASSIGNED, addresses};
use crate::cluster::{Cluster, SOON, SYSTEM};
use crate::objects::backend_pod;
use crate::observer::Observer;
use crate::observer::model::Right;

/// The reason in the condition of a Service, and of the Event on the pod.
const REASON: &str = "MetalLBRunning";

/// The stand-in for MetalLB's controller.
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
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {
            "name": STAND_IN,
            "labels": { "app": "metallb", "component": "controller" },
        },
        "spec": backend_pod(cortenlb_lab::BACKEND_IMAGE),
    }))?;
    let pod = pods.create(&PostParams::default(), &pod).await?;
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

fn is_ready(pod: Option<&Pod>) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}
