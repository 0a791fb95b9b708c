//! What our programs use: memory, and writes to the API server.

use std::time::Duration;

use anyhow::Context as _;
use cortenlb_e2e::cluster::Cluster;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams};

/// The requests by which our programs write, as the API server counts them. Nobody else makes them in a lab at rest.
const WRITES: [(&str, &str); 6] = [
    ("services", "status"),
    ("ipaddresspools", "status"),
    ("addressreservations", "status"),
    ("servicel2statuses", ""),
    ("servicel2statuses", "status"),
    ("configurationstates", "status"),
];

/// How often the API server has been asked for [`WRITES`].
pub(super) async fn writes(client: &kube::Client) -> anyhow::Result<f64> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    let text = client.request_text(request).await?;
    let lines = text
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"));
    let ours = lines.filter(|line| {
        WRITES.iter().any(|(resource, subresource)| {
            line.contains(&format!("resource=\"{resource}\""))
                && line.contains(&format!("subresource=\"{subresource}\""))
        }) && ["APPLY", "DELETE", "PATCH", "POST", "PUT"]
            .iter()
            .any(|verb| line.contains(&format!("verb=\"{verb}\"")))
    });
    let values = ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}

/// How much our programs write in `time`: [`WRITES`], and Events, which others record too.
pub(super) async fn writes_within(client: &kube::Client, time: Duration) -> anyhow::Result<f64> {
    let (before, begin) = (writes(client).await?, Timestamp::now());
    tokio::time::sleep(time).await;
    let requests = writes(client).await? - before;
    let events = Api::<Event>::all(client.clone())
        .list(&ListParams::default())
        .await?;
    let is_ours = |event: &&Event| {
        let by = event.reporting_component.as_deref().unwrap_or_default();
        // Whole seconds.
        let lately = event.last_timestamp.as_ref().is_some_and(|at| at.0 > begin);
        lately && by.starts_with("metallb-")
    };
    Ok(requests + events.items.iter().filter(is_ours).count() as f64)
}

/// Prints the largest resident memory of the containers of `component`, as the kernel counts it.
pub(super) async fn memory(cluster: &Cluster, component: &str, name: &str) -> anyhow::Result<()> {
    let processes = cluster.processes(component).await?.into_iter();
    let sizes: Vec<f64> = processes.map(resident).collect::<anyhow::Result<_>>()?;
    let largest = sizes
        .into_iter()
        .reduce(f64::max)
        .with_context(|| format!("no process of the {component}"))?;
    super::print(name, largest / 1024.0, "MiB");
    Ok(())
}

/// In KiB.
fn resident(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The sum of a metric's values in an exposition.
pub(super) fn sum(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = rest.rsplit(' ').next()?;
        rest.starts_with(['{', ' ']).then(|| value.parse::<f64>().ok())?
    });
    values.sum()
}

#[cfg(test)]
mod tests;
