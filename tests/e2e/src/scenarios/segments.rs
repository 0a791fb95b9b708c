//! Nodes whose own traffic has a segment of its own, beside that of the addresses.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::sleep;

use super::ownership::{
    answered_by_another, ensure_no_move, killed_speaker_moves_nothing, print, probe, served,
};
use crate::cluster::Cluster;

/// The owner's interface on the segment of the address loses its carrier: another node answers at once. When the
/// carrier returns nothing moves.
pub(super) async fn owner_without_carrier(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let lost = cluster.mac_of(&owner).await?;
    let prober = probe(cluster).await?;
    cluster.lab.unplug(&owner).await?;
    let taken = answered_by_another(cluster, &lost).await?;
    let report = prober.stop()?;
    print("the owner has no carrier", &report);
    let mut of_old = report
        .answers
        .iter()
        .filter(|answer| answer.mac.to_string() == lost);
    let told = report
        .announcements
        .iter()
        .find(|told| told.mac.to_string() == taken);
    let (last, told) = (
        of_old.next_back().context("it never answered")?,
        told.context("nobody told of it")?,
    );
    println!(
        "  {} ms from the owner's last answer to the next one's first gratuitous frame",
        told.at.saturating_sub(last.at).as_millis()
    );
    cluster.curl("http://172.21.5.240/").await?;

    let prober = probe(cluster).await?;
    cluster.lab.plug(&owner).await?;
    // That it does not move can only be seen by listening for a while.
    sleep(Duration::from_secs(5)).await;
    let report = prober.stop()?;
    ensure_no_move("it has carrier again", &report)?;
    let node = cluster.announced_from("web").await?;
    ensure!(
        cluster.mac_of(&node).await? == taken,
        "{taken} had taken it, and {node} announces"
    );
    Ok(())
}

/// Another node answers with the MAC that the owner has on the segment of the address.
pub(super) async fn owner_without_speaker_on_a_second_segment(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    killed_speaker_moves_nothing(cluster, &owner).await
}
