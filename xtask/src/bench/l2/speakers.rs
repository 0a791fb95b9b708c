//! What the speakers say of themselves, and the kernel of them.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::Api;

use super::scene::{CLIENT, Scene};
use crate::bench::usage::sum;

/// Clock ticks a second in /proc: the same on every machine that Linux calls a user's (proc_pid_stat(5)).
const TICKS: u64 = 100;

impl Scene<'_> {
    /// The address by which Kubernetes and the other speakers know a node.
    pub(super) async fn node_address(&self, node: &str) -> anyhow::Result<IpAddr> {
        let nodes: Api<Node> = Api::all(self.cluster.client.clone());
        let status = nodes.get(node).await?.status;
        let addresses = status.and_then(|status| status.addresses).unwrap_or_default();
        let address = addresses.iter().find(|address| address.type_ == "InternalIP");
        let address = address.with_context(|| format!("{node} has no InternalIP"))?;
        Ok(address.address.parse()?)
    }

    /// The metrics of a node's speaker, all of one moment.
    pub(super) async fn exposition(&self, node: &str) -> anyhow::Result<String> {
        let address = self.node_address(node).await?;
        let (code, text) = self
            .cluster
            .scrape(CLIENT, address, Some(&self.metrics_token))
            .await?;
        ensure!(code == 200, "the metrics of {node}: {code} {text}");
        Ok(text)
    }

    /// A counter of a node's speaker, over all its labels.
    pub(super) async fn counter(&self, node: &str, name: &str) -> anyhow::Result<f64> {
        Ok(sum(&self.exposition(node).await?, name))
    }

    /// A counter over all speakers.
    pub(super) async fn counters(&self, name: &str) -> anyhow::Result<f64> {
        let mut all = 0.0;
        for node in self.cluster.lab.nodes() {
            all += self.counter(&node, name).await?;
        }
        Ok(all)
    }

    /// How often containers of speakers have started again.
    pub(super) async fn restarts(&self) -> anyhow::Result<i32> {
        let pods = self.cluster.pods("speaker").await?.into_iter();
        let statuses = pods
            .filter_map(|pod: Pod| pod.status?.container_statuses)
            .flatten();
        Ok(statuses.map(|status| status.restart_count).sum())
    }

    /// The processor time that a node's speaker has used, in user and kernel mode.
    pub(super) async fn processor_time(&self, node: &str) -> anyhow::Result<Duration> {
        let speaker = self.cluster.speaker(node).await?;
        let process = self.cluster.lab.container_pid(&speaker.container);
        let process = process.context("the speaker does not run any more")?;
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        let ticks = ticks(&stat).context("/proc/PID/stat has no times")?;
        Ok(Duration::from_secs(ticks) / TICKS as u32)
    }
}

/// `utime` and `stime` of a line of /proc/PID/stat: fields 14 and 15, counted from behind the program's name.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|field| field.parse::<u64>());
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests;
