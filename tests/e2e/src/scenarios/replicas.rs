//! The leader goes without a word, again and again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use tokio_util::sync::CancellationToken;

use super::faults::{POOL, mk_quiet};
use crate::cluster::{Cluster, SOON};
use crate::observer::Observer;
use crate::observer::model::{License, Right};

/// How often the leader is killed.
const KILLS: usize = 10;

/// The time between two changes of the load.
const PACE: Duration = Duration::from_millis(100);

/// How many Services of the load there are at a time.
const LIVE: usize = 20;

/// Killed ten times while Services come and go: no address is held twice, none moves, none is lost. One replica or
/// more: a container that starts again takes its own Lease, another pod waits until the Lease has expired.
pub(super) async fn leader_killed_ten_times(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let observer = Observer::start(cluster).await?;
    let stop = CancellationToken::new();
    let kills = async {
        let outcome = kills(cluster, &observer).await;
        stop.cancel();
        outcome
    };
    let (times, loaded) = tokio::join!(kills, load(cluster, &observer, &stop));
    let times = times?;
    let made = loaded?;
    observer.all_right_after(Instant::now(), SOON).await?;
    let longest = times.iter().max().copied().unwrap_or_default();
    let shown: Vec<String> = times
        .iter()
        .map(|time| format!("{:.2}", time.as_secs_f64()))
        .collect();
    println!(
        "  {made} Services came and went; from each kill to the next new address: {} s; the longest {:.2} s",
        shown.join(", "),
        longest.as_secs_f64()
    );
    observer.finish().await
}

/// Kills the leader, and again once a Service that was made after that has its address; returns how long each took.
async fn kills(cluster: &Cluster, observer: &Observer) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(KILLS);
    for number in 1..=KILLS {
        let pod = cluster.kill_leader().await?;
        let killed = Instant::now();
        let name = format!("kill-{number}");
        observer.expect([&name], Right::Address);
        cluster.create(mk_quiet(&name)).await?;
        observer
            .right_after_version(&name, 0, SOON)
            .await
            .with_context(|| format!("after kill {number}, of {pod}"))?;
        times.push(killed.elapsed());
    }
    Ok(times)
}

/// Creates a Service at every tick and deletes the oldest, until told to stop; returns how many there were.
async fn load(cluster: &Cluster, observer: &Observer, stop: &CancellationToken) -> anyhow::Result<usize> {
    let mut ticks = tokio::time::interval(PACE);
    let mut live: VecDeque<Service> = VecDeque::with_capacity(LIVE);
    let mut made = 0;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        made += 1;
        let name = format!("load-{made}");
        observer.expect([&name], Right::Address);
        live.push_back(cluster.create(mk_quiet(&name)).await?);
        if live.len() > LIVE
            && let Some(oldest) = live.pop_front()
        {
            let name = oldest.name_any();
            observer.allow(&oldest, License::Change);
            observer.forget(&name);
            cluster.services().delete(&name, &DeleteParams::default()).await?;
        }
    }
    Ok(made)
}
