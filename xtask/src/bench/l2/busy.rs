//! Every core is busy with something else: heartbeats come late, and nothing may follow from that.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cortenlb_lab::probe::{Prober, Report};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::scene::{CLIENT, PERIOD, Scene};
use super::seen::{differing, gaps, moves};
use super::told;
use crate::bench::{percentile, print};

/// The precedence of the threads that ask and listen, so that what is late is an answer and not the question.
const PRECEDENCE: &str = "-20";

/// For this long, one VIP of each node is asked for.
pub(super) async fn busy(scene: &Scene<'_>, time: Duration) -> anyhow::Result<()> {
    let before = scene.settled().await?;
    let asked: BTreeMap<_, _> = before.iter().map(|(vip, node)| (node, *vip)).collect();
    let cores = std::thread::available_parallelism()?.get();
    // Before this process takes precedence, since a child takes its parent's over.
    let loops: Vec<Child> = (0..cores).map(|_| spin()).collect::<anyhow::Result<_>>()?;
    renice(PRECEDENCE).await?;
    let mut probers = Vec::new();
    for (node, vip) in &asked {
        let prober = Prober::start(&scene.cluster.lab, CLIENT, *vip, PERIOD).await?;
        probers.push((node, prober));
    }
    sleep(time).await;
    for mut one in loops {
        ensure!(one.try_wait()?.is_none(), "a busy loop has ended by itself");
        one.kill().await?;
    }
    let mut reports: Vec<Report> = Vec::new();
    for (node, prober) in probers {
        let report = prober.stop()?;
        told(&format!("busy: a VIP of {node}"), &report);
        reports.push(report);
    }
    renice("0").await?;
    let after = scene.settled().await?;
    // Those that were asked for count as often as they moved, the others once if they are elsewhere.
    let mut others = before.clone();
    others.retain(|vip, _| !asked.values().any(|asked| asked == vip));
    let moved = differing(&others, &after) + reports.iter().map(moves).sum::<usize>();
    print("l2.busy.minutes", time.as_secs_f64() / 60.0, "min");
    print("l2.busy.moves", moved as f64, "1");
    print("l2.busy.gap.max", percentile(&gaps(&reports), 100), "ms");
    Ok(())
}

/// A process that keeps a core busy until it is killed. It asks for this one all the time, and so ends with it.
fn spin() -> anyhow::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", "while kill -0 $PPID 2>/dev/null; do :; done"]);
    command.kill_on_drop(true);
    command
        .stdin(Stdio::null())
        .spawn()
        .context("starting a busy loop")
}

/// Changes the precedence of all threads of this process; those that they start take it over.
async fn renice(precedence: &str) -> anyhow::Result<()> {
    let mut command = Command::new("renice");
    command.args(["-n", precedence, "-p"]).stdout(Stdio::null());
    for thread in std::fs::read_dir("/proc/self/task")? {
        command.arg(thread?.file_name());
    }
    let status = command.status().await.context("starting renice")?;
    ensure!(status.success(), "renice: {status}");
    Ok(())
}
