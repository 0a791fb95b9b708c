//! The owner is lost, or its speaker, or its carrier.

use std::time::Duration;

use cortenlb_lab::Nics;
use cortenlb_lab::probe::Report;
use tokio::time::sleep;

use super::scene::Scene;
use super::seen::{differing, disowned, gaps, stale};
use super::{FAULT, RETURN, Round, Victim, each_run, print_gaps, print_moves, told};
use crate::bench::{milliseconds, percentile};

/// How long a speaker is stopped: less than others answer in its node's name, and longer.
const FREEZE: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(15);

/// How long the thread that answers is stopped: less than others answer in its node's name.
const STUCK: Duration = Duration::from_secs(5);

/// How long is listened after the carrier of one of two network cards has gone. A longer gap counts as this one.
pub(super) const UNPLUGGED: Duration = Duration::from_secs(15);

/// The time between two HTTP requests.
const REQUESTS: Duration = Duration::from_millis(20);

/// What the figures of a node that is cut off mean.
const WHOSE: &str = "the gap is the address's, and ours. Of the requests that failed, those within the gap are ours; \
                     later ones went to a pod of the lost node, and that is Kubernetes' part, which takes some 40 s to \
                     drop such pods";

/// The owner loses its power, so to say, and is there again.
pub(super) async fn cut_and_heal(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let (lab, runs) = (&scene.cluster.lab, round.runs);
    let (mut gaps, mut doubled, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    let (mut causeless, mut gained) = (0, 0);
    let (mut sent, mut failed) = (0, 0);
    for run in 1..=runs {
        let victim = Victim::choose(scene).await?;
        let node = &victim.node;
        let requester = scene.request(victim.vip, REQUESTS)?;
        let cut = scene.watch(victim.vip, FAULT, async { Ok(lab.cut(node).await?) });
        let cut = cut.await?;
        let requests = requester.stop().await?;
        // The cut node answers nobody here: what is agreed on now is the majority's.
        let taken = scene.settled().await?;
        let heal = scene.watch(victim.vip, RETURN, async { Ok(lab.heal(node).await?) });
        let heal = heal.await?;
        let after = scene.settled().await?;

        sent += requests.sent;
        failed += requests.failed;
        gaps.push(milliseconds(cut.longest_gap()));
        doubled.push(milliseconds(heal.two_answerers()));
        let left = differing(&victim.owners, &taken);
        causeless += differing(&victim.others(), &taken);
        moved.push(left as f64);
        gained += differing(&taken, &after);
        told(&format!("cut {run}/{runs}: {node}, {left} VIPs moved"), &cut);
        told(&format!("heal {run}/{runs}: {node}"), &heal);
    }
    round.print("cut.gap.p50", percentile(&gaps, 50), "ms");
    round.print("cut.gap.p99", percentile(&gaps, 99), "ms");
    round.print("cut.http.failed", 100.0 * failed as f64 / sent as f64, "%");
    eprintln!("l2: {WHOSE}");
    round.print("cut.moved.p50", percentile(&moved, 50), "vips");
    round.print("cut.moved_without_cause", causeless as f64, "vips");
    round.print("heal.two_answerers.max", percentile(&doubled, 100), "ms");
    round.print("heal.moved", gained as f64, "vips");
    Ok(())
}

/// The owner's speaker is killed, and kubelet starts it again.
pub(super) async fn kill(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let kill = async |victim: &Victim| {
        let speaker = scene.cluster.speaker(&victim.node).await?;
        let kill = scene.cluster.lab.kill_container(&speaker.container);
        let report = scene.watch(victim.vip, RETURN, async { Ok(kill.await?) }).await?;
        scene.renew(&speaker).await?;
        Ok(report)
    };
    let reports = each_run(scene, round, "kill", kill).await?;
    print_gaps(round, "kill.gap", &reports);
    print_moves(round, "kill.moves", &reports);
    Ok(())
}

/// The owner's speaker is stopped for a while, and goes on with what it believed then: its groups are its own still, or
/// others' by now.
pub(super) async fn freeze(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let reports = frozen(scene, round, "freeze", FREEZE).await?;
    let long = frozen(scene, round, "freeze long", LONG).await?;
    round.print("freeze.gap.max", percentile(&gaps(&reports), 100), "ms");
    round.print("freeze.long.gap.max", percentile(&gaps(&long), 100), "ms");
    let late = reports.iter().chain(&long).map(stale).sum::<usize>();
    let wrong = reports.iter().chain(&long).map(disowned).sum::<usize>();
    round.print("freeze.stale", (late + wrong) as f64, "1");
    print_moves(round, "freeze.moves", &reports);
    Ok(())
}

async fn frozen(scene: &Scene<'_>, round: Round, what: &str, time: Duration) -> anyhow::Result<Vec<Report>> {
    let lab = &scene.cluster.lab;
    let freeze = async |victim: &Victim| {
        let frozen = async {
            lab.freeze(&victim.node).await?;
            sleep(time).await;
            lab.thaw(&victim.node).await?;
            Ok(())
        };
        let report = scene.watch(victim.vip, RETURN, frozen).await?;
        scene.cluster.product_ready().await?;
        Ok(report)
    };
    each_run(scene, round, what, freeze).await
}

/// Of the owner's speaker the thread that answers is stopped for a while, and then finds what has waited for it.
pub(super) async fn stuck(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let stop = async |victim: &Victim| {
        let stuck = async {
            let thread = scene.cluster.lab.freeze_thread(&victim.node)?;
            sleep(STUCK).await;
            drop(thread);
            Ok(())
        };
        scene.watch(victim.vip, RETURN, stuck).await
    };
    let reports = each_run(scene, round, "stuck", stop).await?;
    print_gaps(round, "stuck.gap", &reports);
    let late: usize = reports
        .iter()
        .map(|report| stale(report) + disowned(report))
        .sum();
    round.print("stuck.stale", late as f64, "1");
    print_moves(round, "stuck.moves", &reports);
    Ok(())
}

/// The owner's interface on the VIP segment loses its carrier, and has it again. With two network cards the speakers hear
/// each other on another segment; with one the node is gone for everybody, as if it had lost its power.
pub(super) async fn unplug(scene: &Scene<'_>, round: Round, nics: Nics) -> anyhow::Result<()> {
    let (lab, runs) = (&scene.cluster.lab, round.runs);
    let (which, listen) = match nics {
        Nics::One => (".one", FAULT),
        Nics::Two => ("", UNPLUGGED),
    };
    let (mut reports, mut moved) = (Vec::new(), 0);
    for run in 1..=runs {
        let victim = Victim::choose(scene).await?;
        let node = &victim.node;
        let unplug = scene.watch(victim.vip, listen, async { Ok(lab.unplug(node).await?) });
        let unplug = unplug.await?;
        // Where nobody took over, what was before is what may stay.
        let taken = if unplug.longest_gap() < listen {
            scene.settled().await?
        } else {
            victim.owners
        };
        let plug = scene.watch(victim.vip, RETURN, async { Ok(lab.plug(node).await?) });
        let plug = plug.await?;
        moved += differing(&taken, &scene.settled().await?);
        told(&format!("unplug{which} {run}/{runs}: {node}"), &unplug);
        told(&format!("plug{which} {run}/{runs}: {node}"), &plug);
        reports.push(unplug);
    }
    print_gaps(round, &format!("unplug{which}.gap"), &reports);
    round.print(&format!("plug{which}.moves"), moved as f64, "vips");
    Ok(())
}
