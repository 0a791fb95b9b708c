//! Who answers for a VIP when its node is cut off, healed, drained, and when its speaker is replaced, killed, stopped.
//!
//! A client asks for one VIP of the affected node every 10 ms, by ARP: a gap is the time between two answers, and thus
//! not below 10 ms. Requests through the VIP are another matter, which Kubernetes has a part in, and not measured here.
//!
//! The 99th percentile of fewer than 100 runs is the longest of them.

mod scene;
mod seen;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cortenlb_e2e::cluster::Cluster;
use cortenlb_lab::Lab;
use cortenlb_lab::probe::Report;
use tokio::time::sleep;

use super::{milliseconds, percentile};
use scene::{Owners, Scene, VIPS};
use seen::{differing, gaps, lost, moves};

/// How long is listened after a fault: several times what a fail-over may take. A longer gap counts as this one.
const FAULT: Duration = Duration::from_secs(3);

/// How long is listened after the end of a fault, and after a speaker has gone: a new one is there by then.
const RETURN: Duration = Duration::from_secs(5);

/// How long a speaker is stopped.
const FREEZE: Duration = Duration::from_secs(10);

/// How long a node is cut off that is to join as one that nobody expects any more.
const ABSENCE: Duration = Duration::from_secs(60);

/// Rolling restarts, frozen speakers, and nodes cut off while the API server is paused.
const FEW: u16 = 5;

/// Killed speakers.
const KILLS: u16 = 10;

/// What is measured.
pub(super) struct Plan {
    /// Numbers of VIPs, one after the other on one lab.
    pub(super) vips: Vec<usize>,
    /// How often the owner of a VIP is cut off, healed and drained, for each number of VIPs.
    pub(super) runs: u16,
}

/// Reads a number of VIPs: as many as the lab's segment has room for.
pub(super) fn vips(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| format!("{text} is no number"))?;
    let fits = (1..=VIPS).contains(&number);
    fits.then_some(number)
        .ok_or_else(|| format!("from 1 to {VIPS}, not {number}"))
}

/// Brings up a lab of three nodes with the product installed, and measures.
pub(super) async fn run(name: &str, plan: Plan) -> anyhow::Result<()> {
    let product = crate::image::product()?;
    let product = cortenlb_e2e::Product {
        image: product.image,
        manifest: product.manifest,
        examples: crate::workspace_root().join("crds/examples"),
    };
    let cluster = Cluster::up(name, 3, product).await?;
    let outcome = measure(&cluster, plan).await;
    if outcome.is_err() {
        cluster.dump("bench-l2").await;
    }
    Lab::down(name).await?;
    outcome
}

async fn measure(cluster: &Cluster, plan: Plan) -> anyhow::Result<()> {
    let Plan { mut vips, runs } = plan;
    vips.sort_unstable();
    vips.dedup();
    let scene = Scene::set(cluster).await?;
    for vips in vips {
        scene.serve(vips).await?;
        cut_and_heal(&scene, vips, runs).await?;
        drain(&scene, vips, runs).await?;
    }
    replace(&scene).await?;
    kill(&scene).await?;
    freeze(&scene).await?;
    cut_without_api(&scene).await?;
    join(&scene).await
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

/// The owner loses its power, so to say, and is there again.
async fn cut_and_heal(scene: &Scene<'_>, vips: usize, runs: u16) -> anyhow::Result<()> {
    let lab = &scene.cluster.lab;
    let (mut gaps, mut doubled, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    let (mut causeless, mut gained) = (0, 0);
    for run in 1..=runs {
        let victim = Victim::choose(scene).await?;
        let node = &victim.node;
        let cut = scene.watch(victim.vip, FAULT, async { Ok(lab.cut(node).await?) });
        let cut = cut.await?;
        // The cut node answers nobody here: what is agreed on now is the majority's.
        let taken = scene.settled().await?;
        let heal = scene.watch(victim.vip, RETURN, async { Ok(lab.heal(node).await?) });
        let heal = heal.await?;
        let after = scene.settled().await?;

        gaps.push(milliseconds(cut.longest_gap()));
        doubled.push(milliseconds(heal.two_answerers()));
        let left = differing(&victim.owners, &taken);
        causeless += differing(&victim.others(), &taken);
        moved.push(left as f64);
        gained += differing(&taken, &after);
        told(&format!("cut {run}/{runs}: {node}, {left} VIPs moved"), &cut);
        told(&format!("heal {run}/{runs}: {node}"), &heal);
    }
    let print = |name: &str, value: f64, unit: &str| super::print(&format!("l2.{name}.{vips}"), value, unit);
    print("cut.gap.p50", percentile(&gaps, 50), "ms");
    print("cut.gap.p99", percentile(&gaps, 99), "ms");
    print("cut.moved.p50", percentile(&moved, 50), "vips");
    print("cut.moved_without_cause", causeless as f64, "vips");
    print("heal.two_answerers.max", percentile(&doubled, 100), "ms");
    print("heal.moved", gained as f64, "vips");
    Ok(())
}

/// The owner is to announce nothing any more, and later may again.
async fn drain(scene: &Scene<'_>, vips: usize, runs: u16) -> anyhow::Result<()> {
    let (mut unanswered, mut gaps, mut stayed, mut returned) = (0, Vec::new(), 0, 0);
    for run in 1..=runs {
        let victim = Victim::choose(scene).await?;
        let node = &victim.node;
        let drained = scene.watch(victim.vip, FAULT, scene.exclude(node, true));
        let drained = drained.await?;
        let given = scene.settled().await?;
        scene.exclude(node, false).await?;
        sleep(FAULT).await;
        let after = scene.settled().await?;

        unanswered += lost(&drained);
        gaps.push(milliseconds(drained.longest_gap()));
        stayed += given.values().filter(|owner| *owner == node).count();
        returned += differing(&given, &after);
        told(&format!("drain {run}/{runs}: {node}"), &drained);
    }
    let print =
        |name: &str, value: f64, unit: &str| super::print(&format!("l2.drain.{name}.{vips}"), value, unit);
    print("lost", unanswered as f64, "probes");
    print("gap.max", percentile(&gaps, 100), "ms");
    print("stayed", stayed as f64, "vips");
    print("returned", returned as f64, "vips");
    Ok(())
}

/// All speakers are replaced, one after the other.
async fn replace(scene: &Scene<'_>) -> anyhow::Result<()> {
    let mut reports = Vec::new();
    for run in 1..=FEW {
        let victim = Victim::choose(scene).await?;
        let report = scene.watch(victim.vip, FAULT, scene.replace_speakers());
        let report = report.await?;
        told(&format!("stop {run}/{FEW}"), &report);
        reports.push(report);
    }
    super::print("l2.stop.gap.max", percentile(&gaps(&reports), 100), "ms");
    let unanswered: usize = reports.iter().map(lost).sum();
    super::print("l2.stop.lost", unanswered as f64, "probes");
    print_moves("l2.stop.moves", &reports);
    Ok(())
}

/// The owner's speaker is killed.
async fn kill(scene: &Scene<'_>) -> anyhow::Result<()> {
    let mut reports = Vec::new();
    for run in 1..=KILLS {
        let victim = Victim::choose(scene).await?;
        let report = scene.watch(victim.vip, RETURN, scene.cluster.kill_speaker(&victim.node));
        let report = report.await?;
        scene.cluster.product_ready().await?;
        told(&format!("kill {run}/{KILLS}: {}", victim.node), &report);
        reports.push(report);
    }
    super::print("l2.kill.gap.p50", percentile(&gaps(&reports), 50), "ms");
    super::print("l2.kill.gap.p99", percentile(&gaps(&reports), 99), "ms");
    print_moves("l2.kill.moves", &reports);
    Ok(())
}

/// The owner's speaker is stopped for a while, and goes on with what it believed then.
async fn freeze(scene: &Scene<'_>) -> anyhow::Result<()> {
    let lab = &scene.cluster.lab;
    let mut reports = Vec::new();
    for run in 1..=FEW {
        let victim = Victim::choose(scene).await?;
        let frozen = async {
            lab.freeze(&victim.node).await?;
            sleep(FREEZE).await;
            lab.thaw(&victim.node).await?;
            Ok(())
        };
        let report = scene.watch(victim.vip, RETURN, frozen).await?;
        scene.cluster.product_ready().await?;
        told(&format!("freeze {run}/{FEW}: {}", victim.node), &report);
        reports.push(report);
    }
    super::print("l2.freeze.gap.max", percentile(&gaps(&reports), 100), "ms");
    let doubled: Duration = reports.iter().map(Report::two_answerers).sum();
    let stale = doubled.as_secs_f64() / scene::PERIOD.as_secs_f64();
    super::print("l2.freeze.stale", stale, "probes");
    print_moves("l2.freeze.moves", &reports);
    Ok(())
}

/// As [`cut_and_heal`], and no API server answers from before until after.
async fn cut_without_api(scene: &Scene<'_>) -> anyhow::Result<()> {
    let lab = &scene.cluster.lab;
    let (mut cuts, mut doubled) = (Vec::new(), Vec::new());
    for run in 1..=FEW {
        let victim = Victim::choose(scene).await?;
        let node = &victim.node;
        lab.pause_api().await?;
        let cut = scene.watch(victim.vip, FAULT, async { Ok(lab.cut(node).await?) });
        let cut = cut.await?;
        let heal = scene.watch(victim.vip, RETURN, async { Ok(lab.heal(node).await?) });
        let heal = heal.await?;
        lab.resume_api().await?;
        told(&format!("cut without API server {run}/{FEW}: {node}"), &cut);
        told(&format!("heal without API server {run}/{FEW}: {node}"), &heal);
        cuts.push(cut);
        doubled.push(milliseconds(heal.two_answerers()));
    }
    super::print("l2.cut.noapi.gap.max", percentile(&gaps(&cuts), 100), "ms");
    let doubled = percentile(&doubled, 100);
    super::print("l2.heal.noapi.two_answerers.max", doubled, "ms");
    Ok(())
}

/// A node comes that Kubernetes and the other speakers had given up.
async fn join(scene: &Scene<'_>) -> anyhow::Result<()> {
    let Victim { node, .. } = Victim::choose(scene).await?;
    scene.cluster.lab.cut(&node).await?;
    sleep(ABSENCE).await;
    let before = scene.settled().await?;
    ensure!(
        before.values().all(|owner| *owner != node),
        "{node} is cut off and owns a VIP"
    );
    scene.cluster.lab.heal(&node).await?;
    scene.cluster.product_ready().await?;
    sleep(RETURN).await;
    let after = scene.settled().await?;
    super::print("l2.join.moved", differing(&before, &after) as f64, "vips");
    Ok(())
}

fn print_moves(name: &str, reports: &[Report]) {
    super::print(name, reports.iter().map(moves).sum::<usize>() as f64, "1");
}

/// Says on standard error how a run went: of figures that are wrong the runs are wanted.
fn told(run: &str, report: &Report) {
    eprintln!(
        "l2: {run}: gap {:.0} ms, {} probes lost, two answer for {:.0} ms, MAC moved {} times",
        milliseconds(report.longest_gap()),
        lost(report),
        milliseconds(report.two_answerers()),
        moves(report),
    );
}
