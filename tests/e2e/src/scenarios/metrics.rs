//! Who may have the metrics.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::cluster::scrape::place_of;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON};

/// By HTTPS, with a token that may get them, and not otherwise; who may not is told how to change that, and it works.
pub(super) async fn metrics_are_for_those_who_may(cluster: &Cluster) -> anyhow::Result<()> {
    let reader = cluster.metrics_token().await?;
    let other = cluster.token_of("web").await?;
    let mut advice = String::new();
    for component in ["controller", "speaker"] {
        let pods = cluster.pods(component).await?;
        let (node, address) = place_of(pods.first().with_context(|| format!("no {component}"))?)?;
        let (code, text) = cluster.scrape(&node, address, Some(&reader)).await?;
        ensure!(
            code == 200 && text.contains("metallb_k8s_client_config_loaded_bool 1"),
            "{component}: {code} {text}"
        );
        let (code, text) = cluster.scrape(&node, address, None).await?;
        ensure!(code == 401, "{component} without a token: {code} {text}");
        let (code, text) = cluster.scrape(&node, address, Some("guessed")).await?;
        ensure!(code == 401, "{component} with a token of nobody: {code} {text}");
        let (code, text) = cluster.scrape(&node, address, Some(&other)).await?;
        ensure!(
            code == 403,
            "{component} with a token that may not: {code} {text}"
        );
        advice = text;

        let url = format!("http://{address}:9120/metrics");
        let plain = cluster
            .on_host(&node, &["curl", "-sS", "--max-time", "10", &url])
            .await;
        ensure!(plain.is_err(), "{component} answers without TLS: {plain:?}");
    }
    as_advised(cluster, &advice, &other).await
}

/// Does what the refusal says, and scrapes.
async fn as_advised(cluster: &Cluster, advice: &str, token: &str) -> anyhow::Result<()> {
    let commands: Vec<&str> = advice
        .lines()
        .filter_map(|line| line.strip_prefix("kubectl "))
        .collect();
    ensure!(!commands.is_empty(), "no command in {advice:?}");
    for command in commands {
        println!("  kubectl {command}");
        let words: Vec<&str> = command.split(' ').collect();
        cluster.kubectl(&words).await?;
    }
    let pods = cluster.pods("speaker").await?;
    let (node, address) = place_of(pods.first().context("no speaker")?)?;
    // A refusal is remembered for some seconds.
    let granted = eventually(SOON.min(Duration::from_secs(30)), || async {
        let (code, text) = cluster.scrape(&node, address, Some(token)).await?;
        ensure!(code == 200, "still {code}: {text}");
        Ok(())
    });
    let granted = granted.await;
    cluster
        .kubectl(&["delete", "clusterrole,clusterrolebinding", "cortenlb-reader"])
        .await?;
    granted
}
