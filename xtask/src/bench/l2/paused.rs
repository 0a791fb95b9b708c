//! Once more, while no API server answers: from before the fault until what follows from it has been seen.

use super::faults::UNPLUGGED;
use super::scene::Scene;
use super::{FAULT, RETURN, Round, Victim, each_run, print_gaps, print_moves, told};
use crate::bench::{milliseconds, percentile};

/// The owner loses its power, so to say, and is there again.
pub(super) async fn cut_and_heal(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let (lab, runs) = (&scene.cluster.lab, round.runs);
    let (mut cuts, mut doubled) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        let victim = Victim::choose(scene).await?;
        let node = &victim.node;
        let seen = scene.without_api(async {
            let cut = scene.watch(victim.vip, FAULT, async { Ok(lab.cut(node).await?) });
            let cut = cut.await?;
            let heal = scene.watch(victim.vip, RETURN, async { Ok(lab.heal(node).await?) });
            Ok((cut, heal.await?))
        });
        let (cut, heal) = seen.await?;
        told(&format!("paused cut {run}/{runs}: {node}"), &cut);
        told(&format!("paused heal {run}/{runs}: {node}"), &heal);
        cuts.push(cut);
        doubled.push(milliseconds(heal.two_answerers()));
    }
    print_gaps(round, "paused.cut.gap", &cuts);
    round.print("paused.heal.two_answerers.max", percentile(&doubled, 100), "ms");
    Ok(())
}

/// The owner's VIP segment loses its carrier.
pub(super) async fn unplug(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let lab = &scene.cluster.lab;
    let unplug = async |victim: &Victim| {
        let node = &victim.node;
        let unplugged = scene.watch(victim.vip, UNPLUGGED, async { Ok(lab.unplug(node).await?) });
        let report = scene.without_api(unplugged).await;
        lab.plug(node).await?;
        report
    };
    let reports = each_run(scene, round, "paused unplug", unplug).await?;
    print_gaps(round, "paused.unplug.gap", &reports);
    Ok(())
}

/// The owner's speaker is killed. kubelet starts another one, which learns nothing before the API server answers.
pub(super) async fn kill(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let kill = async |victim: &Victim| {
        let speaker = scene.cluster.speaker(&victim.node).await?;
        let kill = scene.cluster.lab.kill_container(&speaker.container);
        let killed = scene.watch(victim.vip, RETURN, async { Ok(kill.await?) });
        let report = scene.without_api(killed).await?;
        scene.renew(&speaker).await?;
        Ok(report)
    };
    let reports = each_run(scene, round, "paused kill", kill).await?;
    print_gaps(round, "paused.kill.gap", &reports);
    print_moves(round, "paused.kill.moves", &reports);
    Ok(())
}
