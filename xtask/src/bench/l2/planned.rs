//! A node is drained, speakers are replaced, and one joins.

use std::time::Duration;

use anyhow::ensure;
use cortenlb_lab::probe::Report;
use tokio::time::sleep;

use super::scene::Scene;
use super::seen::{differing, gaps};
use super::{FAULT, RETURN, Round, Victim, print_moves, told};
use crate::bench::{milliseconds, percentile};

/// How long a node has no speaker: longer than others answer in its name.
const ABSENCE: Duration = Duration::from_secs(20);

/// The time between two HTTP requests under which speakers are upgraded.
const LOAD: Duration = Duration::from_millis(5);

/// The owner is to announce nothing any more, and later may again.
pub(super) async fn drain(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let runs = round.runs;
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

        gaps.push(milliseconds(drained.longest_gap()));
        stayed += given.values().filter(|owner| *owner == node).count();
        returned += differing(&given, &after);
        unanswered += lost(&format!("drain {run}/{runs}: {node}"), &drained);
    }
    round.print("drain.lost", unanswered as f64, "probes");
    round.print("drain.gap.max", percentile(&gaps, 100), "ms");
    round.print("drain.stayed", stayed as f64, "vips");
    round.print("drain.returned", returned as f64, "vips");
    Ok(())
}

/// All speakers are replaced, one after the other.
pub(super) async fn replace(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let runs = round.runs;
    let (mut unanswered, mut reports) = (0, Vec::new());
    for run in 1..=runs {
        let victim = Victim::choose(scene).await?;
        let report = scene.watch(victim.vip, FAULT, scene.replace_speakers());
        let report = report.await?;
        unanswered += lost(&format!("stop {run}/{runs}"), &report);
        reports.push(report);
    }
    round.print("stop.gap.max", percentile(&gaps(&reports), 100), "ms");
    round.print("stop.lost", unanswered as f64, "probes");
    print_moves(round, "stop.moves", &reports);
    Ok(())
}

/// The number of questions that nobody answered: each is a defect, and how it came about is told.
fn lost(run: &str, report: &Report) -> usize {
    told(run, report);
    let unanswered = report.unanswered().len();
    if unanswered > 0 {
        eprint!("{report}");
    }
    unanswered
}

/// A speaker comes that Kubernetes and the other speakers had given up: its node was not to run one for a while.
pub(super) async fn join(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let mut moved = 0;
    for run in 1..=round.runs {
        let Victim { node, .. } = Victim::choose(scene).await?;
        scene.bar(&node, true).await?;
        sleep(ABSENCE).await;
        let before = scene.settled().await?;
        ensure!(
            before.values().all(|owner| *owner != node),
            "{node} has no speaker and owns a VIP"
        );
        scene.bar(&node, false).await?;
        scene.cluster.product_ready().await?;
        sleep(RETURN).await;
        let taken = differing(&before, &scene.settled().await?);
        eprintln!("l2: join {run}/{}: {node}: {taken} VIPs moved", round.runs);
        moved += taken;
    }
    round.print("join.moved", moved as f64, "vips");
    Ok(())
}

/// All speakers are replaced, one after the other, while requests go through a VIP.
pub(super) async fn upgrade(scene: &Scene<'_>, round: Round) -> anyhow::Result<()> {
    let (mut sent, mut failed) = (0, 0);
    for run in 1..=round.runs {
        let victim = Victim::choose(scene).await?;
        let requester = scene.request(victim.vip, LOAD)?;
        let upgraded = scene.watch(victim.vip, FAULT, scene.replace_speakers()).await;
        let requests = requester.stop().await?;
        told(&format!("upgrade {run}/{}", round.runs), &upgraded?);
        sent += requests.sent;
        failed += requests.failed;
    }
    round.print("upgrade.requests", sent as f64, "1");
    round.print("upgrade.failed", failed as f64, "1");
    Ok(())
}
