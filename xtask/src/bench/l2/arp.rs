//! How soon an ARP request is answered, while many others go by that are none of our business.
//!
//! Beside it, in the same time and asked in the same way, is the kernel's answer for the node's own address: the
//! machine's share in both is the same.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cortenlb_e2e::cluster::wait::eventually;
use cortenlb_lab::probe::{Prober, Report};
use cortenlb_lab::traffic::{Flood, Parcel};
use cortenlb_wire::arp;
use cortenlb_wire::mac::MacAddr;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use super::scene::{CLIENT, PERIOD, Scene};
use super::{Victim, told};
use crate::bench::usage::sum;
use crate::bench::{milliseconds, percentile, print};

/// Unrelated requests a second.
const FOREIGN: u32 = 5_000;

/// How long.
const TIME: Duration = Duration::from_secs(20);

/// Frames that passed the filters of a speaker's sockets, as of its last look at them.
const PASSED: &str = "cortenlb_layer2_accepted_total";

/// Of them those that were to pass: requests for an address that the node answers for, ours and a few of the other
/// speakers, who look after it; and answers to what the speaker itself has asked likewise.
const WANTED: [&str; 2] = [
    "metallb_layer2_requests_received",
    r#"cortenlb_layer2_ignored_total{reason="not_a_request"}"#,
];

/// And requests for other addresses: of what is foreign here there is nothing else.
const FOREIGN_PASSED: &str = r#"cortenlb_layer2_ignored_total{reason="not_served"}"#;

/// A speaker looks at its sockets every 10 s.
const LOOKS: Duration = Duration::from_secs(60);

pub(super) async fn answers(scene: &Scene<'_>) -> anyhow::Result<()> {
    let victim = Victim::choose(scene).await?;
    let node = &victim.node;
    let lab = &scene.cluster.lab;
    let own = scene.node_address(node).await?;
    let mac = scene.cluster.mac_of(CLIENT).await?.parse()?;

    let before = Frames::at_next_look(scene, node).await?;
    let flood = Flood::start(lab, CLIENT, foreign(mac), Some(FOREIGN))?;
    let ours = Prober::start(lab, CLIENT, victim.vip, PERIOD).await?;
    let kernels = Prober::start(lab, CLIENT, own, PERIOD).await?;
    let (begin, used) = (Instant::now(), scene.processor_time(node).await?);
    sleep(TIME).await;
    let (time, used) = (begin.elapsed(), scene.processor_time(node).await? - used);
    let (ours, kernels) = (ours.stop()?, kernels.stop()?);
    let sent = flood.stop().await?;
    let after = Frames::at_next_look(scene, node).await?;

    let rate = sent.sent as f64 / time.as_secs_f64();
    eprintln!("l2: arp: {rate:.0} unrelated requests a second");
    told("arp: ours", &ours);
    told("arp: the kernel's", &kernels);
    let (ours, kernels) = (delays(&ours), delays(&kernels));
    print("l2.arp.delay.p50", percentile(&ours, 50), "ms");
    print("l2.arp.delay.p99", percentile(&ours, 99), "ms");
    print("l2.arp.kernel.delay.p50", percentile(&kernels, 50), "ms");
    print("l2.arp.kernel.delay.p99", percentile(&kernels, 99), "ms");
    print(
        "l2.arp.delay.ratio",
        percentile(&ours, 50) / percentile(&kernels, 50),
        "1",
    );
    print("l2.arp.foreign_frames", sent.sent as f64, "1");
    print(
        "l2.arp.foreign_frames_delivered",
        after.foreign - before.foreign,
        "1",
    );
    print("l2.arp.frames_passed", after.passed - before.passed, "1");
    print("l2.arp.frames_wanted", after.wanted - before.wanted, "1");
    print(
        "l2.arp.speaker.cpu",
        100.0 * used.as_secs_f64() / time.as_secs_f64(),
        "%",
    );
    Ok(())
}

/// What a speaker has counted of the frames that its sockets gave it.
struct Frames {
    passed: f64,
    wanted: f64,
    foreign: f64,
}

impl Frames {
    /// When the speaker has just looked at how many have passed: the others are counted at once.
    async fn at_next_look(scene: &Scene<'_>, node: &str) -> anyhow::Result<Self> {
        let before = scene.counter(node, PASSED).await?;
        let attempt = || async move {
            let text = scene.exposition(node).await?;
            let passed = sum(&text, PASSED);
            ensure!(
                passed > before,
                "the speaker of {node} still counts {passed} frames"
            );
            Ok(Self {
                passed,
                wanted: WANTED.iter().map(|name| sum(&text, name)).sum(),
                foreign: sum(&text, FOREIGN_PASSED),
            })
        };
        eventually(LOOKS, attempt).await
    }
}

fn delays(report: &Report) -> Vec<f64> {
    report.delays().into_iter().map(milliseconds).collect()
}

/// Requests for addresses that nobody has, as a host asks that scans a network.
fn foreign(mac: MacAddr) -> impl Iterator<Item = Parcel> + Send {
    /// A network of no lab.
    const SENDER: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
    let mut rng = StdRng::seed_from_u64(1);
    std::iter::repeat_with(move || {
        let target = Ipv4Addr::new(172, 30, rng.random(), rng.random());
        Parcel::Frame(arp::Repr::request(mac, SENDER, target).emit())
    })
}
