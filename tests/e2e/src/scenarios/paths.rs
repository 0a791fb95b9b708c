//! A path that is broken while nobody is worse off, and what `kubectl cortenlb` says of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::cli::cortenlb;
use super::ownership::{ensure_no_move, probe, served};
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON};

/// The speakers' port.
const PORT: u16 = 7946;

/// A speaker misses another one when it has not heard it for 10 s; the rest is for the command, which asks all of them.
const WITHIN: Duration = Duration::from_secs(30);

/// Datagrams from n1 to n2 are lost, and come through the other way: `doctor` names the two in that direction, and nothing
/// moves. Once they come through, it says nothing of it.
pub(super) async fn one_direction_between_two_nodes_is_found(cluster: &Cluster) -> anyhow::Result<()> {
    served(cluster).await?;
    let all_heard = || async {
        let found = not_heard(cluster).await?;
        ensure!(found.is_none(), "doctor says: {found:?}");
        Ok(())
    };
    // A scenario before may have ended a moment ago with a node cut off.
    eventually(SOON, all_heard).await?;

    let prober = probe(cluster).await?;
    cluster.lab.block("n1", "n2", PORT).await?;
    let begin = Instant::now();
    let named = || async {
        let found = not_heard(cluster).await?;
        let found = found.context("doctor says nothing of it")?;
        ensure!(found.ends_with(": n2 does not hear n1"), "doctor says: {found}");
        Ok(())
    };
    eventually(WITHIN, named).await?;
    println!("  found after {:.1} s", begin.elapsed().as_secs_f64());
    cluster.lab.unmute().await?;
    eventually(WITHIN, all_heard).await?;
    ensure_no_move("n2 does not hear n1 for a while", &prober.stop()?)
}

/// What `doctor` finds of speakers that do not hear others.
async fn not_heard(cluster: &Cluster) -> anyhow::Result<Option<String>> {
    let said = cortenlb(cluster, &["doctor", "-o", "json"]).await?.json()?;
    let findings = said["findings"].as_array().context("findings")?;
    let found = findings.iter().find(|one| one["code"] == "CLB012");
    Ok(found.map(|one| one["what"].as_str().unwrap_or_default().to_owned()))
}

/// A node that stands by loses the carrier of its interface on the segment of the address: `why` says that it cannot have
/// it, and why; and that it can, when the carrier is back.
pub(super) async fn standby_without_carrier_is_told_of(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let nodes = cluster.lab.nodes();
    let standby = nodes.iter().find(|node| **node != owner);
    let standby = standby.context("nobody stands by")?;
    why_says(cluster, standby, true, "stands by").await?;
    cluster.lab.unplug(standby).await?;
    why_says(cluster, standby, false, "no carrier towards 172.21.5.240").await?;
    cluster.lab.plug(standby).await?;
    why_says(cluster, standby, true, "stands by").await
}

/// Waits until `why` says of a node whether it can announce the Service, and this.
async fn why_says(cluster: &Cluster, node: &str, can: bool, why: &str) -> anyhow::Result<()> {
    eventually(WITHIN, || async {
        let said = cortenlb(cluster, &["why", "service", "e2e/web", "-o", "json"]).await?;
        let said = said.json()?;
        let lines = said["announcement"]["nodes"].as_array().context("nodes")?;
        let line = lines.iter().find(|line| line["node"] == node);
        let line = line.with_context(|| format!("nothing of {node}: {said:#}"))?;
        ensure!(line["can"] == can && line["why"] == why, "{line:#}");
        Ok(())
    })
    .await
}
