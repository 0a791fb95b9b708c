//! A machine with its clock, and the process that runs on it.

use std::collections::BTreeMap;

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{Attached, Cluster, Member, NodeId, Prefix, Role};
use cortenlb_wire::mac::MacAddr;

use crate::dice::{Dice, MILLISECOND, SECOND};

/// The wall clock when the world begins: late in 2026.
const WALL: u64 = 1_796_000_000 * SECOND;

/// So many datagrams wait for a process that is stopped; what comes later is lost.
pub(crate) const QUEUE: usize = 100;

/// A clock that began at any time and is up to 1 % wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    since: u64,
    offset: u64,
    /// Millionths.
    rate: u64,
}

impl Clock {
    pub(crate) const fn new(dice: &mut Dice, now: u64) -> Self {
        Self {
            since: now,
            offset: dice.between(SECOND, 10_000 * SECOND),
            rate: dice.between(990_000, 1_010_000),
        }
    }

    pub(crate) fn local(&self, now: u64) -> Instant {
        let passed = u128::from(now - self.since) * u128::from(self.rate) / 1_000_000;
        Instant(self.offset + u64::try_from(passed).unwrap())
    }

    /// The first moment at which it is not earlier than `local`.
    pub(crate) fn world(&self, local: Instant) -> u64 {
        let passed = u128::from(local.0.saturating_sub(self.offset)) * 1_000_000;
        let passed = passed.div_ceil(u128::from(self.rate));
        self.since
            .saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

/// What a process is told of the cluster's objects and of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Roster,
    Group(usize),
    GatewayAnswered,
    Forwards,
    Drain,
    Attached,
}

pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) clock: Clock,
    /// Whether its kernel runs.
    pub(crate) powered: bool,
    pub(crate) draining: bool,
    pub(crate) unplugged: bool,
    /// Its interface on the segment of the addresses had no carrier when its kernel began, and has no prefix yet.
    pub(crate) bare: bool,
    /// Whether its speaker answers in the name of others.
    stands_in: bool,
    pub(crate) process: Option<Process>,
    /// How many processes there were.
    pub(crate) life: u32,
    born: u64,
    skew: u64,
    pub(crate) saved: Option<Vec<u8>>,
}

pub(crate) struct Process {
    pub(crate) cluster: Cluster,
    /// What waits while it is stopped.
    pub(crate) stopped: Option<Waiting>,
    /// What it was last told to answer for, by group.
    pub(crate) serving: BTreeMap<usize, Role>,
    /// Whether what it was told still holds.
    pub(crate) holds: bool,
    /// For when the next timeout is on the agenda.
    pub(crate) alarm: Option<u64>,
    /// Whether the end of what it was told is on the agenda.
    pub(crate) lapse: bool,
    /// What it thought of the members, for the log.
    pub(crate) members: Vec<Member>,
}

#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) datagrams: Vec<Vec<u8>>,
    pub(crate) told: Vec<Told>,
    pub(crate) timeout: bool,
}

impl Node {
    pub(crate) fn new(dice: &mut Dice, index: usize, stands_in: bool) -> Self {
        Self {
            id: NodeId::of(&format!("n{index}")),
            clock: Clock::new(dice, 0),
            powered: false,
            draining: false,
            unplugged: false,
            bare: false,
            stands_in,
            process: None,
            life: 0,
            born: 0,
            skew: dice.between(0, 2 * SECOND),
            saved: None,
        }
    }

    /// Starts a process on a node that has none.
    pub(crate) fn start(&mut self, dice: &mut Dice, now: u64, snapshot: bool, set_back: bool) {
        assert!(self.powered && self.process.is_none());
        self.life += 1;
        self.born = if set_back {
            self.born - 3_600 * SECOND
        } else {
            self.born.max(WALL + self.skew + now)
        };
        let local = self.clock.local(now);
        let mut cluster = Cluster::new(local, self.id, self.born, dice.number());
        if !self.stands_in {
            cluster = cluster.without_stand_ins();
        }
        if let Some(saved) = self.saved.as_ref().filter(|_| snapshot) {
            cluster.restore(local, saved);
        }
        self.process = Some(Process {
            cluster,
            stopped: None,
            serving: BTreeMap::new(),
            holds: false,
            alarm: None,
            lapse: false,
            members: Vec::new(),
        });
    }

    /// Its interfaces: one for datagrams, and one on the segment of the addresses.
    pub(crate) fn attached(&self) -> Vec<Attached> {
        let [.., high, low] = self.id.get().to_be_bytes();
        let interface = |number: u8, carrier: bool, prefixes: &[(&str, u8)]| Attached {
            mac: MacAddr([2, 0, 0, number, high, low]),
            carrier,
            prefixes: prefixes
                .iter()
                .map(|(address, length)| Prefix::new(address.parse().unwrap(), *length).unwrap())
                .collect(),
        };
        let for_datagrams = interface(1, true, &[("192.168.0.0", 24)]);
        if self.bare {
            return vec![for_datagrams];
        }
        let for_addresses = interface(2, !self.unplugged, &[("10.0.0.0", 8), ("fd00::", 16)]);
        vec![for_datagrams, for_addresses]
    }

    /// The process, if it does anything now.
    pub(crate) fn running(&mut self) -> Option<&mut Process> {
        self.process.as_mut().filter(|process| process.stopped.is_none())
    }

    /// How late a timer fires.
    pub(crate) const fn lateness(dice: &mut Dice) -> u64 {
        match dice.number() % 200 {
            0 => 50 * MILLISECOND,
            1..40 => dice.between(0, 5 * MILLISECOND),
            _ => dice.between(0, MILLISECOND / 2),
        }
    }
}
