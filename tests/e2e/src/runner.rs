//! Runs scenarios one after another on labs that they share, and counts.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use cortenlb_lab::{Lab, LabOptions, Nics};
use futures::future::BoxFuture;

use crate::cluster::Cluster;
use crate::{Product, rights};

/// One scenario: what a user does, and what must then hold.
pub struct Scenario {
    /// Its name; the test command selects by a part of it.
    pub name: &'static str,
    /// Where it runs.
    pub stage: Stage,
    /// What it needs besides a lab, and may take minutes to bring once: before its time is counted.
    pub prepare: Option<fn() -> BoxFuture<'static, anyhow::Result<()>>>,
    /// What it does.
    pub run: for<'a> fn(&'a Cluster) -> BoxFuture<'a, anyhow::Result<()>>,
}

/// The labs and their states, in the order in which they are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Three nodes without our product; a scenario that installs it takes it away again.
    Bare,
    /// Three nodes with our product and no pools.
    Installed,
    /// One node with our product and no pools.
    Single,
    /// Three nodes with our product and no pools, whose own traffic has a segment of its own.
    TwoSegments,
}

/// What a lab has: how many nodes, and how many network cards in each.
type Shape = (usize, Nics);

/// The labs, and what the name of each ends with.
const LABS: [(&str, Shape); 3] = [
    ("3", (3, Nics::One)),
    ("1", (1, Nics::One)),
    ("3two", (3, Nics::Two)),
];

impl Stage {
    fn shape(self) -> Shape {
        match self {
            Self::Bare | Self::Installed => (3, Nics::One),
            Self::Single => (1, Nics::One),
            Self::TwoSegments => (3, Nics::Two),
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The scenarios that held.
    pub passed: usize,
    /// The scenarios that did not, with the reason.
    pub failed: Vec<(&'static str, String)>,
    /// What the product asked of the API server of each lab, for [`rights::check`]. All of it only if nothing failed.
    pub audits: Vec<PathBuf>,
}

/// The longest that one scenario may take: the slowest waits for Kubernetes to give up a dead node, several times.
const LIMIT: Duration = Duration::from_secs(420);

/// Those of `scenarios` whose name contains one of `parts`; all, if there are none.
///
/// # Errors
/// A part is in no name.
pub fn choose(mut scenarios: Vec<Scenario>, parts: &[String]) -> anyhow::Result<Vec<Scenario>> {
    let names: Vec<&str> = scenarios.iter().map(|one| one.name).collect();
    let unknown = parts
        .iter()
        .find(|part| !names.iter().any(|name| name.contains(part.as_str())));
    if let Some(part) = unknown {
        bail!(
            "no scenario's name contains {part:?}; there are {}",
            names.join(", ")
        );
    }
    let is_chosen = |one: &Scenario| parts.iter().any(|part| one.name.contains(part.as_str()));
    scenarios.retain(|one| parts.is_empty() || is_chosen(one));
    Ok(scenarios)
}

/// Runs `scenarios`, on labs whose names begin with `lab`.
///
/// A failed scenario leaves its diagnostics in the lab's folder, and the next one starts from a clean cluster. When a
/// lab cannot be brought up, the scenarios that were to run on it have failed, and the next lab is tried.
pub async fn run(scenarios: &[Scenario], lab: &str, product: &Product) -> Summary {
    let mut summary = Summary::default();
    for (suffix, shape) in LABS {
        let mut planned = plan(scenarios, shape);
        if planned.is_empty() {
            continue;
        }
        let lab = format!("{lab}{suffix}");
        if let Err(error) = visit(&lab, shape, &mut planned, product, &mut summary).await {
            println!("lab {lab} FAILED: {error:#}");
            let not_run = planned
                .iter()
                .map(|scenario| (scenario.name, format!("not run, for want of a lab: {error:#}")));
            summary.failed.extend(not_run);
        }
        if let Err(error) = Lab::down(&lab).await {
            summary.failed.push(("lab down", format!("{lab}: {error:#}")));
        }
    }
    summary
}

/// The scenarios for a lab of this shape, in the order of their stages.
fn plan(scenarios: &[Scenario], shape: Shape) -> VecDeque<&Scenario> {
    let mut planned: Vec<&Scenario> = scenarios
        .iter()
        .filter(|scenario| scenario.stage.shape() == shape)
        .collect();
    planned.sort_by_key(|scenario| scenario.stage);
    planned.into()
}

/// Brings a lab up and runs what is planned on it. After an error `planned` holds what has not run.
async fn visit(
    lab: &str,
    shape: Shape,
    planned: &mut VecDeque<&Scenario>,
    product: &Product,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let (nodes, nics) = shape;
    let options = LabOptions {
        name: lab.to_owned(),
        nodes,
        nics,
        audited: rights::ACCOUNTS.map(str::to_owned).into(),
        ..LabOptions::default()
    };
    let cluster = Cluster::up_as(options, product.clone()).await?;
    run_stages(&cluster, planned, summary).await?;
    match keep_audit(&cluster) {
        Ok(log) => summary.audits.push(log),
        Err(error) => summary.failed.push(("audit log", format!("{error:#}"))),
    }
    Ok(())
}

/// Runs what is planned, and installs the product where a stage has it. After an error `planned` holds what has not run.
async fn run_stages(
    cluster: &Cluster,
    planned: &mut VecDeque<&Scenario>,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let mut stage = Stage::Bare;
    while let Some(scenario) = planned.front() {
        if scenario.stage != stage {
            if let Err(error) = cluster.install().await {
                cluster.dump("install").await;
                return Err(error.context("installing the product"));
            }
            stage = scenario.stage;
        }
        run_one(cluster, scenario, summary).await;
        planned.pop_front();
    }
    Ok(())
}

/// Saves the audit log from the end of its lab.
fn keep_audit(cluster: &Cluster) -> anyhow::Result<PathBuf> {
    let folder = &cluster.product.artefacts;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let (log, kept) = (
        cluster.lab.audit_log(),
        folder.join(format!("audit-{}.log", cluster.lab.name())),
    );
    fs::copy(&log, &kept).with_context(|| format!("copying {} to {}", log.display(), kept.display()))?;
    Ok(kept)
}

async fn run_one(cluster: &Cluster, scenario: &Scenario, summary: &mut Summary) {
    println!("scenario {} …", scenario.name);
    let prepared = match scenario.prepare {
        Some(prepare) => prepare().await.context("bringing what it needs"),
        None => Ok(()),
    };
    let start = Instant::now();
    let outcome = async {
        prepared?;
        cluster
            .reset(scenario.stage)
            .await
            .context("clearing what earlier scenarios left")?;
        (scenario.run)(cluster).await
    };
    let outcome = match tokio::time::timeout(LIMIT, outcome).await {
        Ok(outcome) => outcome,
        Err(_) => Err(anyhow::anyhow!("not done after {} s", LIMIT.as_secs())),
    };
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => {
            println!("scenario {} passed ({seconds:.1} s)", scenario.name);
            summary.passed += 1;
        }
        Err(error) => {
            println!("scenario {} FAILED ({seconds:.1} s): {error:#}", scenario.name);
            cluster.dump(scenario.name).await;
            if let Err(error) = cluster.restore(scenario.stage).await {
                println!("  the next scenario may not find what it expects: {error:#}");
            }
            summary.failed.push((scenario.name, format!("{error:#}")));
        }
    }
}

#[cfg(test)]
mod tests;
