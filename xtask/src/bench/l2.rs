//! Who answers for a VIP when nodes and speakers come and go, and while others do what they should not.
//!
//! | module | scenes |
//! | --- | --- |
//! | `faults` | the owner is cut off, unplugged, its speaker killed or stopped, as a whole or in part |
//! | `paused` | the same while no API server answers |
//! | `planned` | drained, replaced, upgraded under load, joined |
//! | `arp` | how soon it answers, beside the kernel |
//! | `forged`, `noise` | datagrams and frames that mean harm |
//! | `busy` | no core has time |
//! | `memory` | thousands of Services |
//! | `plan` | which of them |
//! | `scene`, `seen`, `speakers` | the lab as the scenes use it; what follows from what was seen (pure) |
//!
//! A client asks for one VIP of the affected node every 10 ms, by ARP: a gap is the time between two answers, and thus
//! not below 10 ms. Requests through the VIP are another matter, which Kubernetes has a part in, and counted apart.
//!
//! The 99th percentile of fewer than 100 runs is the longest of them.

mod arp;
mod busy;
mod faults;
mod forged;
mod memory;
mod noise;
mod paused;
mod plan;
mod planned;
mod scene;
mod seen;
mod speakers;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use cortenlb_e2e::cluster::Cluster;
use cortenlb_lab::probe::Report;
use cortenlb_lab::{LabOptions, Nics};

use super::{milliseconds, on_lab, percentile};
pub(super) use plan::{Act, FAST, Plan, vips};
use plan::{RUNS, Round};
use scene::{Owners, Scene};
use seen::{gaps, moves};

/// How long is listened after a fault: several times what a fail-over may take. A longer gap counts as this one.
const FAULT: Duration = Duration::from_secs(3);

/// How long is listened after the end of a fault, and after a speaker has gone: a new one is there by then.
const RETURN: Duration = Duration::from_secs(5);

/// The usual number of rolling restarts, frozen speakers and threads, and faults while the API server is paused.
const FEW: u16 = 5;

/// The usual number of speakers that join, and of upgrades under load.
const ONCE: u16 = 1;

/// The usual number of killed speakers.
const KILLS: u16 = 10;

/// How much noise there is, and for how long every core is busy, where nothing else is said.
const NOISE: u64 = 10_000_000;
const BUSY: Duration = Duration::from_secs(600);

/// Measures, on a lab for each kind that is needed, one after the other.
pub(super) async fn run(name: &str, mut plan: Plan) -> anyhow::Result<()> {
    plan.vips.sort_unstable();
    plan.vips.dedup();
    let plan = &plan;
    let product = crate::image::scenarios_product()?;
    let lab = |nodes, nics| LabOptions {
        name: name.to_owned(),
        nodes,
        nics,
        ..LabOptions::default()
    };
    if plan.wants_segment() {
        let measure = async |cluster: &Cluster| segment(cluster, plan).await;
        on_lab("l2", lab(3, Nics::One), &product, measure).await?;
    }
    if plan.wants(Act::Unplug) {
        let measure = async |cluster: &Cluster| carriers(cluster, plan).await;
        on_lab("l2", lab(3, Nics::Two), &product, measure).await?;
    }
    if plan.wants(Act::Memory) {
        on_lab("l2", lab(5, Nics::One), &product, memory::services).await?;
    }
    Ok(())
}

/// What happens where the cluster and the VIPs share a segment.
async fn segment(cluster: &Cluster, plan: &Plan) -> anyhow::Result<()> {
    let scene = Scene::set(cluster).await?;
    let each = plan.wants(Act::Cut) || plan.wants(Act::Drain);
    let rounds = plan.rounds();
    for vips in plan.vips.iter().filter(|vips| each || rounds.contains(vips)) {
        scene.serve(*vips).await?;
        if plan.wants(Act::Cut) {
            faults::cut_and_heal(&scene, plan.counted(*vips)).await?;
        }
        if plan.wants(Act::Drain) {
            planned::drain(&scene, plan.counted(*vips)).await?;
        }
        if rounds.contains(vips) {
            round(&scene, plan, *vips).await?;
        }
    }
    if plan.wants(Act::Arp) {
        arp::answers(&scene).await?;
    }
    if plan.wants(Act::Forged) {
        forged::datagrams(&scene).await?;
    }
    if plan.wants(Act::Noise) {
        noise::noise(&scene, plan.noise.unwrap_or(NOISE)).await?;
    }
    if plan.wants(Act::Busy) {
        busy::busy(&scene, plan.busy.unwrap_or(BUSY)).await?;
    }
    Ok(())
}

/// The faults of a [`Plan::round`].
async fn round(scene: &Scene<'_>, plan: &Plan, vips: usize) -> anyhow::Result<()> {
    let few = plan.round(vips, FEW);
    if plan.wants_paused(Act::Cut) {
        paused::cut_and_heal(scene, few).await?;
    }
    if plan.wants(Act::Stop) {
        planned::replace(scene, few).await?;
    }
    if plan.wants(Act::Kill) {
        faults::kill(scene, plan.round(vips, KILLS)).await?;
    }
    if plan.wants_paused(Act::Kill) {
        paused::kill(scene, few).await?;
    }
    if plan.wants(Act::Freeze) {
        faults::freeze(scene, few).await?;
    }
    if plan.wants(Act::Stuck) {
        faults::stuck(scene, few).await?;
    }
    if plan.wants(Act::UnplugOne) {
        faults::unplug(scene, plan.round(vips, RUNS), Nics::One).await?;
    }
    if plan.wants(Act::Join) {
        planned::join(scene, plan.round(vips, ONCE)).await?;
    }
    if plan.wants(Act::Upgrade) {
        planned::upgrade(scene, plan.round(vips, ONCE)).await?;
    }
    Ok(())
}

/// What happens where the VIPs have a segment of their own.
async fn carriers(cluster: &Cluster, plan: &Plan) -> anyhow::Result<()> {
    let scene = Scene::set(cluster).await?;
    for vips in plan.rounds() {
        scene.serve(*vips).await?;
        faults::unplug(&scene, plan.round(*vips, RUNS), Nics::Two).await?;
        if plan.wants_paused(Act::Unplug) {
            paused::unplug(&scene, plan.round(*vips, FEW)).await?;
        }
    }
    Ok(())
}

/// The node to which something will happen, what it owns then, and who owned what before.
struct Victim {
    node: String,
    vip: IpAddr,
    owners: Owners,
}

impl Victim {
    /// The node that owns the most, once all is at rest.
    async fn choose(scene: &Scene<'_>) -> anyhow::Result<Self> {
        let owners = scene.settled().await?;
        let most = owners
            .values()
            .max_by_key(|node| owners.values().filter(|other| other == node).count());
        let node = most.context("no VIP")?.clone();
        let vip = owners.iter().find(|(_, owner)| **owner == node);
        let vip = *vip.context("the node owns a VIP")?.0;
        Ok(Self { node, vip, owners })
    }

    /// What others own.
    fn others(&self) -> Owners {
        let mut others = self.owners.clone();
        others.retain(|_, owner| *owner != self.node);
        others
    }
}

/// Lets `fault` happen to such a node in each run of `round`, and says how it went.
async fn each_run(
    scene: &Scene<'_>,
    round: Round,
    what: &str,
    fault: impl AsyncFn(&Victim) -> anyhow::Result<Report>,
) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for run in 1..=round.runs {
        let victim = Victim::choose(scene).await?;
        let report = fault(&victim).await?;
        told(&format!("{what} {run}/{}: {}", round.runs, victim.node), &report);
        reports.push(report);
    }
    Ok(reports)
}

/// Prints the median and the 99th percentile of the longest times without an answer.
fn print_gaps(round: Round, figure: &str, reports: &[Report]) {
    for percent in [50, 99] {
        let gap = percentile(&gaps(reports), percent);
        round.print(&format!("{figure}.p{percent}"), gap, "ms");
    }
}

fn print_moves(round: Round, figure: &str, reports: &[Report]) {
    round.print(figure, reports.iter().map(moves).sum::<usize>() as f64, "1");
}

/// Says on standard error how a run went: of figures that are wrong the runs are wanted.
fn told(run: &str, report: &Report) {
    eprintln!(
        "l2: {run}: gap {:.0} ms, {} probes lost, two answer for {:.0} ms, MAC moved {} times",
        milliseconds(report.longest_gap()),
        report.unanswered().len(),
        milliseconds(report.two_answerers()),
        moves(report),
    );
}
