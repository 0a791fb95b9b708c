//! The key by which the speakers know one another is changed, and is missing.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{LogParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::ownership::{VIP, answered_by_another, ensure_no_move, probe, served};
use super::takeover::is_ready;
use crate::cluster::scrape::value_of;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON, SYSTEM};

/// The Secret, and its entries.
const SECRET: &str = "memberlist";
const KEY: &str = "secretkey";
const ACCEPTED: &str = "secretkey-accepted";

/// Another key than the controller's, which are random.
const ANOTHER: &str = "another key of the speakers";

/// What a speaker logs whenever it has other keys than before.
const KNOWN: &str = "the key of the speakers is known";

/// The key is changed by the three documented steps: no speaker is without the others for a moment, and nothing moves.
pub(super) async fn key_is_changed_in_three_steps(cluster: &Cluster) -> anyhow::Result<()> {
    served(cluster).await?;
    let token = cluster.metrics_token().await?;
    let secrets = cluster.api::<Secret>(SYSTEM);
    let data = secrets.get(SECRET).await?.data.unwrap_or_default();
    let old = data.get(KEY).context("the Secret has no key")?;
    let new = ByteString(ANOTHER.into());
    let before = unopened(cluster, &token).await?;
    let said = said(cluster).await?;
    let prober = probe(cluster).await?;
    let begin = Instant::now();
    for (step, data) in [
        json!({ ACCEPTED: new }),
        json!({ KEY: new, ACCEPTED: old }),
        json!({ ACCEPTED: null }),
    ]
    .into_iter()
    .enumerate()
    {
        let change = Patch::Merge(json!({ "data": data }));
        secrets.patch(SECRET, &PatchParams::default(), &change).await?;
        let wanted: Vec<(String, usize)> = said
            .iter()
            .map(|(pod, times)| (pod.clone(), times + step + 1))
            .collect();
        let followed = eventually(SOON, || async {
            renew_mounts(cluster, begin.elapsed().as_secs()).await?;
            let now = self::said(cluster).await?;
            ensure!(now == wanted, "told of keys {now:?} times, and not {wanted:?}");
            Ok(())
        });
        followed.await.with_context(|| format!("step {}", step + 1))?;
    }
    println!(
        "  all speakers have another key after {} s",
        begin.elapsed().as_secs()
    );
    ensure_no_move("the key is changed", &prober.stop()?)?;
    let after = unopened(cluster, &token).await?;
    ensure!(
        after == before,
        "datagrams of other speakers that were not opened: {before:?}, then {after:?}"
    );
    Ok(())
}

/// How often each speaker has said that it has other keys.
async fn said(cluster: &Cluster) -> anyhow::Result<Vec<(String, usize)>> {
    let pods = cluster.api::<Pod>(SYSTEM);
    let mut said = Vec::new();
    for pod in cluster.pods("speaker").await? {
        let name = pod.name_any();
        let log = pods.logs(&name, &LogParams::default()).await?;
        said.push((name, log.matches(KNOWN).count()));
    }
    Ok(said)
}

/// The kubelet renews what is mounted about once a minute, and when something about the pod changes: with each other
/// `number` this does.
async fn renew_mounts(cluster: &Cluster, number: u64) -> anyhow::Result<()> {
    let nudge = json!({ "metadata": { "annotations": { "e2e/nudge": number.to_string() } } });
    for pod in cluster.pods("speaker").await? {
        let pods = cluster.api::<Pod>(SYSTEM);
        let patch = Patch::Merge(&nudge);
        pods.patch(&pod.name_any(), &PatchParams::default(), &patch)
            .await?;
    }
    Ok(())
}

/// How many datagrams each speaker could not open. All hear others.
async fn unopened(cluster: &Cluster, token: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut unopened = Vec::new();
    for pod in cluster.pods("speaker").await? {
        let (pod, text) = (pod.name_any(), cluster.metrics(&pod, token).await?);
        let unheard = value_of(&text, "cortenlb_membership_unheard");
        ensure!(unheard == Some("0"), "{pod} hears nobody: {unheard:?}");
        let count = value_of(&text, "cortenlb_membership_refused_total{reason=\"foreign_key\"}");
        unopened.push((pod, count.context("no count of foreign keys")?.to_owned()));
    }
    Ok(unopened)
}

/// A speaker that starts while there is no key is not Ready, says why, and leaves its address to others; with the Secret
/// it is Ready, and gains nothing.
pub(super) async fn speaker_without_a_key_waits(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let secrets = cluster.api::<Secret>(SYSTEM);
    let secret = secrets.get(SECRET).await?;
    // Who leads would make another one.
    let replicas = cluster.stop_controller().await?;
    let outcome = async {
        cluster.delete(secrets.clone(), SECRET).await?;
        while_it_is_missing(cluster, &owner).await
    };
    let outcome = outcome.await;
    // Without it, and without controllers, no later scenario could be.
    let metadata = ObjectMeta {
        name: secret.metadata.name,
        owner_references: secret.metadata.owner_references,
        ..ObjectMeta::default()
    };
    let again = Secret { metadata, ..secret };
    let restored = secrets.create(&PostParams::default(), &again).await;
    cluster.scale_controller(replicas).await?;
    let taken = outcome?;
    restored.context("making the Secret again")?;
    cluster.product_ready().await?;
    eventually(SOON, || cluster.ensure_kept("web", VIP, &taken)).await
}

/// Returns the MAC address of the node that answers in place of the owner.
async fn while_it_is_missing(cluster: &Cluster, owner: &str) -> anyhow::Result<String> {
    let mac = cluster.mac_of(owner).await?;
    let pods = cluster.api::<Pod>(SYSTEM);
    let speaker = cluster.speaker(owner).await?.pod;
    cluster.delete(pods.clone(), &speaker).await?;
    let speaker = cluster.speaker(owner).await?.pod;
    eventually(SOON, || async {
        // It shows that on its node alone.
        let url = "http://127.0.0.1:17472/readyz";
        let ready = cluster
            .on_host(owner, &["curl", "-sS", "--max-time", "2", url])
            .await?;
        let waits = format!("waiting: {KNOWN}\n");
        ensure!(ready.contains(&waits), "/readyz does not say {waits:?}: {ready}");
        let log = pods.logs(&speaker, &LogParams::default()).await?;
        let says = format!("waiting for the key of the speakers, Secret {SYSTEM}/{SECRET}");
        ensure!(log.contains(&says), "its log does not say {says:?}: {log}");
        Ok(())
    })
    .await?;
    let taken = answered_by_another(cluster, &mac).await?;
    cluster.curl(&format!("http://{VIP}/")).await?;
    let pod = pods.get(&speaker).await?;
    ensure!(!is_ready(Some(&pod)), "{speaker} is Ready without a key");
    Ok(taken)
}
