//! A node that is to go hands its address over: it is drained, cordoned, or shuts down.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ownership::{VIP, ensure_answered, ensure_no_move, print, probe, served};
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON, SYSTEM};

/// The DaemonSet, and its container.
const SPEAKER: &str = "speaker";

/// A node that is drained by its annotation, and one whose kubelet says that it shuts down.
pub(super) async fn drained_and_shutting_down_nodes(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let drain = |value: Value| json!({ "metadata": { "annotations": { "cortenlb.io/drain": value } } });
    let owner = handed_over(
        cluster,
        &owner,
        "the owner is drained",
        &drain("true".into()),
        &drain(Value::Null),
    )
    .await?;

    let ready = |status: &str, reason: &str, message: &str| {
        let condition = json!({ "type": "Ready", "status": status, "reason": reason, "message": message });
        json!({ "status": { "conditions": [condition] } })
    };
    let begin = ready("False", "KubeletNotReady", "node is shutting down");
    let end = ready("True", "KubeletReady", "kubelet is posting ready status");
    handed_over(cluster, &owner, "the owner shuts down", &begin, &end).await?;
    // The taint of a node that is not Ready would keep the pods of later scenarios away.
    let is_untainted = |found: Option<&Node>| {
        let spec = found.and_then(|node| node.spec.as_ref());
        spec.is_some_and(|spec| spec.taints.as_ref().is_none_or(Vec::is_empty))
    };
    cluster
        .wait(nodes(cluster), &owner, "has no taint", SOON, is_untainted)
        .await?;
    Ok(())
}

/// A node that is cordoned, and whose speaker has the flag that makes that a drain.
pub(super) async fn cordoned_node_is_drained_where_that_is_asked_for(
    cluster: &Cluster,
) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let set = cluster.api::<DaemonSet>(SYSTEM).get(SPEAKER).await?;
    let spec = set.spec.context("a DaemonSet has a spec")?;
    let containers = spec.template.spec.map(|pod| pod.containers).unwrap_or_default();
    let container = containers.into_iter().next();
    let arguments = container.and_then(|container| container.args).unwrap_or_default();
    let outcome = async {
        let prober = probe(cluster).await?;
        let flagged = [&arguments[..], &["--drain-cordoned".to_owned()]].concat();
        replace_one(cluster, &owner, &flagged).await?;
        ensure_no_move("the owner's speaker gets a flag", &prober.stop()?)?;
        let cordon = |value: Value| json!({ "spec": { "unschedulable": value } });
        handed_over(
            cluster,
            &owner,
            "the owner is cordoned",
            &cordon(true.into()),
            &cordon(Value::Null),
        )
        .await
    };
    let outcome = outcome.await;
    // Only the speaker with the flag differs from what is wanted then, and is replaced.
    set_speakers(cluster, &json!(spec.update_strategy), &arguments).await?;
    cluster.product_ready().await?;
    outcome.map(drop)
}

/// Replaces the speaker of `node` by one with these arguments; the others keep the pods that they have.
async fn replace_one(cluster: &Cluster, node: &str, arguments: &[String]) -> anyhow::Result<()> {
    let pod = cluster.speaker(node).await?.pod;
    let when_deleted = json!({ "type": "OnDelete", "rollingUpdate": null });
    let generation = set_speakers(cluster, &when_deleted, arguments).await?;
    let sets = cluster.api::<DaemonSet>(SYSTEM);
    // Before it knows the arguments, the DaemonSet would make a pod without them.
    let is_known = status_is(generation, |_, _, _| true);
    cluster
        .wait(sets.clone(), SPEAKER, "knows the arguments", SOON, is_known)
        .await?;
    cluster.delete(cluster.api::<Pod>(SYSTEM), &pod).await?;
    let is_replaced = status_is(generation, |updated, ready, wanted| {
        updated == 1 && ready == wanted
    });
    cluster
        .wait(sets, SPEAKER, "has one pod with the arguments", SOON, is_replaced)
        .await?;
    Ok(())
}

/// Whether the status of a DaemonSet is of this generation, with such numbers of pods: up to date, ready, and wanted.
fn status_is(
    generation: Option<i64>,
    numbers: fn(i32, i32, i32) -> bool,
) -> impl Fn(Option<&DaemonSet>) -> bool + Send {
    move |found| {
        let status = found.and_then(|set| set.status.as_ref());
        let status = status.filter(|status| status.observed_generation == generation);
        status.is_some_and(|status| {
            let updated = status.updated_number_scheduled.unwrap_or_default();
            numbers(updated, status.number_ready, status.desired_number_scheduled)
        })
    }
}

/// Changes how speakers are started and replaced; returns the generation of the DaemonSet.
async fn set_speakers(
    cluster: &Cluster,
    strategy: &Value,
    arguments: &[String],
) -> anyhow::Result<Option<i64>> {
    let container = json!({ "name": SPEAKER, "args": arguments });
    let change = json!({ "spec": {
        "updateStrategy": strategy,
        "template": { "spec": { "containers": [container] } },
    }});
    let (parameters, patch) = (PatchParams::default(), Patch::Strategic(change));
    let set = cluster
        .api::<DaemonSet>(SYSTEM)
        .patch(SPEAKER, &parameters, &patch)
        .await?;
    Ok(set.metadata.generation)
}

/// With the change `begin` of its Node the owner hands the address over, once and so that no question goes unanswered;
/// with the change `end` nothing moves. Returns the node that has the address then.
async fn handed_over(
    cluster: &Cluster,
    owner: &str,
    what: &str,
    begin: &Value,
    end: &Value,
) -> anyhow::Result<String> {
    let before = cluster.mac_of(owner).await?;
    let prober = probe(cluster).await?;
    let moved = eventually(SOON, || async {
        // Again and again: a kubelet that writes what it knows of its node undoes what was said in its name.
        change(cluster, owner, begin).await?;
        let answers = cluster.who_answers(VIP).await?;
        let [mac] = answers.as_slice() else {
            bail!("answered by {answers:?}");
        };
        ensure!(*mac != before, "still answered by {owner}");
        Ok(mac.clone())
    });
    let moved = moved.await;
    // It would stand in the way of every later scenario.
    change(cluster, owner, end).await?;
    let after = moved.with_context(|| what.to_owned())?;
    // That it does not move can only be seen by listening for a while.
    sleep(Duration::from_secs(2)).await;
    let report = prober.stop()?;
    print(what, &report);
    let changes = report.changes();
    ensure!(changes.len() == 2, "{what}: it should move once: {changes:?}");
    ensure_answered(what, &report)?;
    ensure!(
        changes[1].1.to_string() == after,
        "{what}: {after} had taken it, and it moved back"
    );
    cluster.node_with(&after).await.with_context(|| what.to_owned())
}

fn nodes(cluster: &Cluster) -> Api<Node> {
    Api::all(cluster.client.clone())
}

/// Changes a Node, or its status.
async fn change(cluster: &Cluster, node: &str, change: &Value) -> anyhow::Result<()> {
    let (parameters, patch) = (PatchParams::default(), Patch::Strategic(change));
    if change["status"].is_null() {
        nodes(cluster).patch(node, &parameters, &patch).await?;
    } else {
        nodes(cluster).patch_status(node, &parameters, &patch).await?;
    }
    Ok(())
}
