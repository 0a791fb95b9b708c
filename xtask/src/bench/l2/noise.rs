//! Frames that nobody should send: valid ones about our VIPs and what becomes of them when bytes change, as fast as they
//! go, with datagrams to the speakers' port in between.
//!
//! The kernels are left out of it. A frame keeps its sender's Ethernet address, and claims no host's IP address: it would
//! deceive the bridge and the nodes' own neighbour tables, and what failed then would not be the speakers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::ensure;
use cortenlb_e2e::objects::mk_service;
use cortenlb_lab::traffic::{Flood, Parcel};
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::{arp, ndp};
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::json;

use super::scene::{CLIENT, Scene};
use super::seen::differing;
use crate::bench::print;

/// The speakers' port.
const PORT: u16 = 7946;

/// Of the lab's segment, and no host's.
const NOBODY: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 9);
const NOBODY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 9);

/// VIPs of IPv6 beside those that there are.
const POOL6: &str = "fd00:5::f0-fd00:5::f3";
const SERVICES6: usize = 4;

/// Counts the groups that a speaker came to answer for.
const CHANGES: &str = "cortenlb_ownership_changes_total";

/// The longest datagram.
const LONGEST: usize = 300;

/// Sends this many frames and datagrams.
pub(super) async fn noise(scene: &Scene<'_>, frames: u64) -> anyhow::Result<()> {
    let cluster = scene.cluster;
    cluster
        .pool_with("noise", json!({ "addresses": [POOL6] }))
        .await?;
    let services = (0..SERVICES6).map(|index| {
        mk_service(&format!("noise{index}"))
            .spec("ipFamilyPolicy", "SingleStack")
            .spec("ipFamilies", json!(["IPv6"]))
            .spec("allocateLoadBalancerNodePorts", false)
    });
    cluster.create_all(services).await?;
    let before = scene.settled().await?;
    let restarts = scene.restarts().await?;
    let changes = scene.counters(CHANGES).await?;
    let mut hosts = Vec::new();
    for node in cluster.lab.nodes() {
        hosts.push(scene.node_address(&node).await?);
    }
    let (mut vips, mut vips6) = (Vec::new(), Vec::new());
    for vip in before.keys() {
        match vip {
            IpAddr::V4(vip) => vips.push(*vip),
            IpAddr::V6(vip) => vips6.push(*vip),
        }
    }
    let source = Source {
        rng: SmallRng::seed_from_u64(1),
        mac: cluster.mac_of(CLIENT).await?.parse()?,
        vips,
        vips6,
        hosts,
    };
    ensure!(!source.vips.is_empty(), "no VIP of IPv4");
    ensure!(!source.vips6.is_empty(), "no VIP of IPv6");
    let parcels = source.take(usize::try_from(frames)?);
    let begin = std::time::Instant::now();
    let sent = Flood::start(&cluster.lab, CLIENT, parcels, None)?
        .finish()
        .await?;
    let rate = sent.sent as f64 / begin.elapsed().as_secs_f64();
    eprintln!(
        "l2: noise: {rate:.0} frames a second; a queue was full {} times",
        sent.full
    );
    let after = scene.settled().await?;
    print("l2.noise.frames", sent.sent as f64, "1");
    print("l2.noise.moves", differing(&before, &after) as f64, "vips");
    // Also what has moved back meanwhile.
    print("l2.noise.changes", scene.counters(CHANGES).await? - changes, "1");
    print(
        "l2.noise.restarts",
        f64::from(scene.restarts().await? - restarts),
        "1",
    );
    Ok(())
}

/// Makes noise, the same one in each run.
struct Source {
    rng: SmallRng,
    /// Of the sender.
    mac: MacAddr,
    vips: Vec<Ipv4Addr>,
    vips6: Vec<Ipv6Addr>,
    /// The speakers.
    hosts: Vec<IpAddr>,
}

impl Iterator for Source {
    type Item = Parcel;

    fn next(&mut self) -> Option<Parcel> {
        Some(match self.rng.random_range(0..10_u8) {
            0..=5 => Parcel::Frame(self.arp()),
            6..=7 => Parcel::Frame(self.ndp()),
            _ => self.datagram(),
        })
    }
}

impl Source {
    /// A question for a VIP, an answer about it, or an announcement of it, from a stranger.
    fn arp(&mut self) -> Vec<u8> {
        let vip = self.vips[self.rng.random_range(0..self.vips.len())];
        let mut stranger: [u8; 6] = self.rng.random();
        // Locally administered, and of a station (IEEE 802).
        stranger[0] = stranger[0] & 0xfc | 0x02;
        let stranger = MacAddr(stranger);
        let mut packet = match self.rng.random_range(0..4_u8) {
            0..=1 => arp::Repr::request(self.mac, NOBODY, vip),
            2 => arp::Repr::request(stranger, vip, vip),
            _ => arp::Repr::request(stranger, vip, NOBODY),
        };
        if self.rng.random() {
            packet.operation = arp::Operation::Reply;
        }
        let frame = packet.emit();
        self.changed(frame)
    }

    /// The same by neighbour discovery, and about what is nobody's.
    fn ndp(&mut self) -> Vec<u8> {
        let target = if self.rng.random() {
            self.vips6[self.rng.random_range(0..self.vips6.len())]
        } else {
            Ipv6Addr::from(self.rng.random::<u128>() >> 8 | 0xfd00 << 112)
        };
        let question = ndp::Solicitation::multicast(self.mac, NOBODY6, target);
        let frame = if self.rng.random() {
            question.emit()
        } else {
            question.answer(self.mac, target).emit()
        };
        self.changed(frame)
    }

    /// Three frames of four with other bytes here and there, or another length.
    fn changed(&mut self, mut frame: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.rng.random_range(0..4_u8) {
            let at = self.rng.random_range(0..frame.len());
            frame[at] = self.rng.random();
        }
        if self.rng.random_range(0..8_u8) == 0 {
            let length = self.rng.random_range(HEADER..=LONGEST);
            frame.resize(length, self.rng.random());
        }
        spare_kernels(&mut frame, self.mac);
        frame
    }

    /// Bytes that begin like a heartbeat, or do not.
    fn datagram(&mut self) -> Parcel {
        let to = self.hosts[self.rng.random_range(0..self.hosts.len())];
        let mut bytes = vec![0; self.rng.random_range(0..LONGEST)];
        self.rng.fill_bytes(&mut bytes);
        // The version and one of the kinds.
        if let [version, kind, ..] = bytes.as_mut_slice()
            && self.rng.random()
        {
            (*version, *kind) = (1, *kind % 3);
        }
        let to = SocketAddr::new(to, PORT);
        Parcel::Datagram { to, bytes }
    }
}

/// Bytes of an Ethernet header, and where an ARP packet behind it has its sender's address (RFC 826).
const HEADER: usize = 14;
const SENDER: std::ops::Range<usize> = HEADER + 14..HEADER + 18;

/// Puts the sender's Ethernet address back, and leaves the addresses of the lab's hosts to them.
fn spare_kernels(frame: &mut [u8], mac: MacAddr) {
    frame[6..12].copy_from_slice(&mac.0);
    let is_arp = frame[12..HEADER] == [0x08, 0x06];
    if let Some(sender) = frame.get_mut(SENDER).filter(|_| is_arp) {
        // 172.21.5.1 to .15, and the client's.
        if matches!(sender, [172, 21, 5, 0..=15 | 100]) {
            sender.copy_from_slice(&NOBODY.octets());
        }
    }
}

#[cfg(test)]
mod tests;
