//! Datagrams to the speakers' port from somebody who listens on the segment and has not their key.

use std::net::SocketAddr;
use std::time::Duration;

use cortenlb_lab::traffic::{Flood, Parcel};
use cortenlb_proto::seal::{BootId, Keys, Seal};
use cortenlb_wire::member::{Body, Datagram, Life, Member, NodeId, Phase};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use super::Victim;
use super::scene::{CLIENT, Scene};
use super::seen::{differing, moves};
use super::{RETURN, told};
use crate::bench::print;

/// The speakers' port.
const PORT: u16 = 7946;

/// How many datagrams of each kind are sent to each speaker.
const EACH: usize = 1_000;

/// How many a second: few enough that none is lost in a socket's queue, since all are to be counted.
const PACE: u32 = 2_000;

/// How many heartbeats are recorded on the way to a speaker, and how long that may take.
const RECORDED: usize = 20;
const LISTEN: Duration = Duration::from_secs(10);

/// Bytes in clear before what is sealed: version, kind, boot and counter.
const CLEAR: usize = 26;

/// What the speakers count.
const REFUSED: &str = "cortenlb_membership_refused_total";

pub(super) async fn datagrams(scene: &Scene<'_>) -> anyhow::Result<()> {
    let victim = Victim::choose(scene).await?;
    let lab = &scene.cluster.lab;
    let nodes = lab.nodes();
    let recording = lab.record(&victim.node, PORT, RECORDED, LISTEN).await?;
    let mut parcels = Vec::new();
    let mut rng = StdRng::seed_from_u64(1);
    for node in &nodes {
        let to = SocketAddr::new(scene.node_address(node).await?, PORT);
        // In the name of another node, as a rule.
        let name = nodes.iter().find(|other| *other != node).unwrap_or(node);
        let mut foreign = Foreign::new(&mut rng);
        for number in 0..EACH {
            let recorded = &recording[number % recording.len()];
            for bytes in [
                forged(recorded, &mut rng),
                recorded.clone(),
                foreign.heartbeat(name, node, number as u64),
            ] {
                parcels.push(Parcel::Datagram { to, bytes });
            }
        }
    }
    let sent = parcels.len();
    let before = scene.counters(REFUSED).await?;
    let sending = async {
        Flood::start(lab, CLIENT, parcels.into_iter(), Some(PACE))?
            .finish()
            .await?;
        anyhow::Ok(())
    };
    let report = scene.watch(victim.vip, RETURN, sending).await?;
    // What is still in a queue.
    sleep(Duration::from_secs(1)).await;
    let refused = scene.counters(REFUSED).await? - before;
    let after = scene.settled().await?;
    told("forged", &report);
    print("l2.forged.sent", sent as f64, "1");
    print("l2.forged.refused", refused, "1");
    let moved = moves(&report) + differing(&victim.others(), &after);
    print("l2.forged.moves", moved as f64, "1");
    Ok(())
}

/// As one that was recorded, and with another content behind the bytes in clear.
fn forged(recorded: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = recorded.to_vec();
    if let Some(content) = bytes.get_mut(CLEAR..) {
        rng.fill_bytes(content);
    }
    bytes
}

/// A speaker with a key of its own.
struct Foreign(Seal);

impl Foreign {
    fn new(rng: &mut StdRng) -> Self {
        let keys = Keys::new(&[b"a key that nobody else has"]).expect("a key of more than 16 bytes");
        let boot = BootId::new(rng.random());
        Self(Seal::new(keys, NodeId::of("foreign"), boot, &rng.random()))
    }

    /// A heartbeat from one node to another.
    fn heartbeat(&mut self, from: &str, to: &str, sequence: u64) -> Vec<u8> {
        let from = Member {
            id: NodeId::of(from),
            life: Life::default(),
            phase: Phase::Up,
        };
        let body = Body::Heartbeat {
            members: 0,
            records: 0,
        };
        let datagram = Datagram { from, sequence, body };
        let sealed = self.0.seal(NodeId::of(to), &datagram.emit());
        sealed.expect("few datagrams have been sealed")
    }
}
