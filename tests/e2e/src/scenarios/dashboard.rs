//! The dashboard and the alerts, asked of a real Prometheus that scrapes the pods with a token.

use anyhow::{Context as _, bail, ensure};
use cortenlb_lab::traffic::{Flood, Parcel};
use serde_json::Value;

use super::ownership::{VIP, answered_by_another, served};
use crate::cluster::prometheus::{self, Prometheus, has_number, now};
use crate::cluster::segment::CLIENT;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON, manifest};
use crate::objects::mk_service;

const DASHBOARD: &str = include_str!("../../../../deploy/dashboards/cortenlb.json");
const RULES: &str = include_str!("../../../../deploy/monitoring/rules.yaml");
const MONITORING: &str = include_str!("../../../../deploy/monitoring/README.md");

/// What Grafana puts in the place of `$__rate_interval`: four times the time between scrapes, at least.
const RATE_INTERVAL: &str = "4s";

/// What the scenario needs besides a lab.
pub(super) async fn prepare() -> anyhow::Result<()> {
    prometheus::program().await.map(drop)
}

/// Each query of the dashboard finds a number, be it 0, once what it shows has happened, and each alert can be evaluated.
pub(super) async fn dashboard_has_data(cluster: &Cluster) -> anyhow::Result<()> {
    let queries = queries(&serde_json::from_str(DASHBOARD)?)?;
    let rules: Value = serde_saphyr::from_str(RULES)?;
    let token = cluster.metrics_token().await?;
    let scrape = documented_scrape()?;
    let begin = now()?;
    let prometheus = Prometheus::start(cluster, &scrape, &token, &rules["spec"]["groups"]).await?;
    let outcome = async {
        everybody_is_scraped(cluster, &prometheus).await?;
        make_it_happen(cluster, &prometheus).await?;
        let answered = eventually(SOON, || each_has_a_number(&prometheus, &queries, begin));
        answered.await?;
        eventually(SOON, || each_rule_is_evaluated(&prometheus)).await
    };
    let outcome = outcome.await;
    outcome.with_context(|| format!("Prometheus's log: {}", prometheus.log()))?;
    println!("  {} queries", queries.len());
    prometheus.stop().await
}

/// One query of a panel.
struct Query {
    panel: String,
    text: String,
    /// Asked for now, and not for a time.
    instant: bool,
}

/// The queries of a dashboard, as Grafana sends them.
fn queries(dashboard: &Value) -> anyhow::Result<Vec<Query>> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        if panel["type"] == "row" {
            continue;
        }
        let title = panel["title"].as_str().context("a panel has a title")?;
        let targets = panel["targets"].as_array().into_iter().flatten();
        let before = queries.len();
        for target in targets {
            let text = target["expr"].as_str().context("a target has a query")?;
            let text = text.replace("$__rate_interval", RATE_INTERVAL);
            ensure!(
                !text.contains('$'),
                "{title}: what is to replace the variable in {text}?"
            );
            queries.push(Query {
                panel: title.to_owned(),
                text,
                instant: target["instant"] == true,
            });
        }
        ensure!(queries.len() > before, "panel {title} asks for nothing");
    }
    ensure!(!queries.is_empty(), "the dashboard has no panel");
    Ok(queries)
}

/// The scrape configuration that `deploy/monitoring/README.md` gives.
fn documented_scrape() -> anyhow::Result<Value> {
    let configuration: Value = serde_saphyr::from_str(manifest::block(MONITORING)?)?;
    let scrape = configuration["scrape_configs"].get(0);
    scrape.cloned().context("the page has a scrape configuration")
}

async fn everybody_is_scraped(cluster: &Cluster, prometheus: &Prometheus<'_>) -> anyhow::Result<()> {
    let pods = cluster.pods("controller").await?.len() + cluster.pods("speaker").await?.len();
    eventually(SOON, || async {
        let up = prometheus.query("up == 1").await?;
        let names = up.iter().filter(|series| series["metric"]["pod"].is_string());
        let scraped = names.count();
        ensure!(scraped == pods, "{scraped} of {pods} pods are scraped: {up:?}");
        Ok(())
    })
    .await
}

/// Addresses are given and one is asked for, somebody else claims it, another node does, and its owner is lost.
async fn make_it_happen(cluster: &Cluster, prometheus: &Prometheus<'_>) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    // The time of the first Service need not count: the controller may have seen it before the pool, and said so.
    cluster.create(mk_service("shop")).await?;
    // The node that is cut off may be the leader's, and is not scraped for seconds then.
    eventually(SOON, || async {
        let given = prometheus.query("cortenlb_allocation_seconds_count > 0").await?;
        ensure!(
            !given.is_empty(),
            "no controller has been seen to give an address"
        );
        Ok(())
    })
    .await?;
    let nodes = cluster.lab.nodes();
    let other = nodes
        .iter()
        .find(|node| **node != owner)
        .context("another node")?;
    for host in [CLIENT, other] {
        let claim = Parcel::claim(&cluster.lab, host, VIP.parse()?)?;
        Flood::start(&cluster.lab, host, [claim].into_iter(), None)?
            .finish()
            .await?;
    }
    let lost = cluster.mac_of(&owner).await?;
    cluster.lab.cut(&owner).await?;
    let taken = answered_by_another(cluster, &lost).await;
    cluster.lab.heal(&owner).await?;
    taken?;
    Ok(())
}

async fn each_has_a_number(prometheus: &Prometheus<'_>, queries: &[Query], begin: u64) -> anyhow::Result<()> {
    let mut empty = Vec::new();
    for Query { panel, text, instant } in queries {
        let found = if *instant {
            prometheus.query(text).await?
        } else {
            prometheus.query_since(text, begin).await?
        };
        if !found.iter().any(has_number) {
            empty.push(format!("{panel}: {text} finds {found:?}"));
        }
    }
    ensure!(empty.is_empty(), "without a number: {}", empty.join("; "));
    Ok(())
}

async fn each_rule_is_evaluated(prometheus: &Prometheus<'_>) -> anyhow::Result<()> {
    let found = prometheus.get("rules", &[]).await?;
    let groups = found["groups"].as_array().into_iter().flatten();
    let rules: Vec<&Value> = groups
        .flat_map(|group| group["rules"].as_array().into_iter().flatten())
        .collect();
    ensure!(!rules.is_empty(), "Prometheus has no rules");
    for rule in rules {
        match rule["health"].as_str() {
            Some("ok") => {}
            _ => bail!("{}: {} {}", rule["name"], rule["health"], rule["lastError"]),
        }
    }
    Ok(())
}
