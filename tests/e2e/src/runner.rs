//! Runs scenarios one after another on labs that they share, and counts.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use cortenlb_lab::Lab;
use futures::future::BoxFuture;

use crate::Product;
use crate::cluster::Cluster;

/// One scenario: what a user does, and what must then hold.
pub struct Scenario {
    /// Its name; the test command selects by a part of it.
    pub name: &'static str,
    /// Where it runs.
    pub stage: Stage,
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
}

impl Stage {
    const ALL: [Self; 3] = [Self::Bare, Self::Installed, Self::Single];

    fn nodes(self) -> usize {
        match self {
            Self::Bare | Self::Installed => 3,
            Self::Single => 1,
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
}

/// The longest that one scenario may take: the slowest waits for Kubernetes to give up a dead node, several times.
const LIMIT: Duration = Duration::from_secs(420);

/// Runs every one of `scenarios` whose name contains `filter`, on labs whose names begin with `lab`.
///
/// A failed scenario leaves its diagnostics in the lab's folder, and the next one starts from a clean cluster. An
/// error means that a lab could not be brought up.
pub async fn run(
    scenarios: &[Scenario],
    filter: &str,
    lab: &str,
    product: &Product,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    for nodes in [3, 1] {
        let stages = Stage::ALL.into_iter().filter(|stage| stage.nodes() == nodes);
        let planned: Vec<(Stage, Vec<&Scenario>)> = stages
            .map(|stage| (stage, select(scenarios, stage, filter)))
            .filter(|(_, chosen)| !chosen.is_empty())
            .collect();
        if planned.is_empty() {
            continue;
        }
        let cluster = Cluster::up(&format!("{lab}{nodes}"), nodes, product.clone()).await?;
        for (stage, chosen) in planned {
            if stage != Stage::Bare {
                cluster.install().await.context("installing the product")?;
            }
            for scenario in chosen {
                run_one(&cluster, scenario, &mut summary).await;
            }
        }
        let Cluster { lab, .. } = cluster;
        Lab::down(lab.name()).await?;
    }
    Ok(summary)
}

fn select<'a>(scenarios: &'a [Scenario], stage: Stage, filter: &str) -> Vec<&'a Scenario> {
    scenarios
        .iter()
        .filter(|scenario| scenario.stage == stage && scenario.name.contains(filter))
        .collect()
}

async fn run_one(cluster: &Cluster, scenario: &Scenario, summary: &mut Summary) {
    println!("scenario {} …", scenario.name);
    let start = Instant::now();
    let outcome = async {
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
            summary.failed.push((scenario.name, format!("{error:#}")));
        }
    }
}
