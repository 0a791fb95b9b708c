//! Of a speaker the thread that answers is stuck, and all else of it runs.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use super::ownership::{VIP, answered_by_another, print, probe, served};
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON};

/// How long nobody may answer.
const WITHIN: Duration = Duration::from_secs(2);

/// The owner's thread stands still: within two seconds another node answers, first in the owner's name and then as the next
/// owner. When the thread goes on, it answers nothing that has waited for it, and gets nothing back.
pub(super) async fn owner_whose_thread_is_stuck(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let lost = cluster.mac_of(&owner).await?;
    let prober = probe(cluster).await?;
    let thread = cluster.lab.freeze_thread(&owner)?;
    let taken = answered_by_another(cluster, &lost).await?;
    drop(thread);
    // That it does not answer can only be seen by listening for a while.
    sleep(Duration::from_secs(5)).await;
    let report = prober.stop()?;
    print("the owner's thread is stuck, and goes on", &report);
    let gap = report.longest_gap();
    ensure!(gap < WITHIN, "nobody answered for {gap:?}:\n{report}");
    let since = report
        .answers
        .iter()
        .skip_while(|answer| answer.mac.to_string() != taken);
    let others = since.filter(|answer| answer.mac.to_string() != taken).count();
    ensure!(
        others == 0,
        "{taken} had taken it, and {others} answers came from others since:\n{report}"
    );
    eventually(SOON, || cluster.ensure_kept("web", VIP, &taken)).await
}
