//! What lies between the nodes: datagrams are lost, late, overtaken and doubled; frames on the segment are not.

use std::collections::BTreeMap;

use crate::dice::{Dice, MILLISECOND, SECOND};
use crate::fault::Fault;

/// What the sealing adds to each datagram: version, kind, boot, counter and tag.
const SEAL: u64 = 1 + 1 + 16 + 8 + 16;
/// The headers of IPv4 and UDP.
const HEADERS: u64 = 28;

pub(crate) struct Network {
    /// What is at fault now, by its number in the schedule.
    pub(crate) faults: BTreeMap<usize, Fault>,
    /// So many datagrams of a thousand are always lost.
    pub(crate) loss: u64,
    /// What each node has sent, in bytes.
    pub(crate) sent: Vec<u64>,
    /// How many datagrams each node has sent in this second of the world.
    burst: Vec<(u64, u64)>,
}

impl Network {
    pub(crate) fn new(nodes: usize, loss: u64) -> Self {
        Self {
            faults: BTreeMap::new(),
            loss,
            sent: vec![0; nodes],
            burst: vec![(0, 0); nodes],
        }
    }

    /// How many datagrams this node has sent in this second, with one more.
    pub(crate) fn one_more(&mut self, now: u64, node: usize) -> u64 {
        let (second, count) = &mut self.burst[node];
        if *second != now / SECOND {
            (*second, *count) = (now / SECOND, 0);
        }
        *count += 1;
        *count
    }

    /// After which times a datagram arrives: not at all, once, or twice.
    pub(crate) fn deliver(
        &mut self,
        dice: &mut Dice,
        (from, to): (usize, usize),
        length: usize,
    ) -> [Option<u64>; 2] {
        self.sent[from] += length as u64 + SEAL + HEADERS;
        let loss = self.faults.values().map(|fault| match fault {
            Fault::Loss(share) => *share,
            _ => 0,
        });
        let loss = loss.fold(self.loss, u64::max);
        if dice.permille(loss) || self.faults.values().any(|fault| fault.stops_datagram(from, to)) {
            return [None, None];
        }
        let first = Self::delay(dice);
        let second = dice.permille(5).then(|| first + Self::delay(dice));
        [Some(first), second]
    }

    /// Whether a frame on the segment is lost.
    pub(crate) fn loses_frame(&self, dice: &mut Dice) -> bool {
        let loss = self.faults.values().map(|fault| match fault {
            Fault::FrameLoss(share) => *share,
            _ => 0,
        });
        let loss = loss.max().unwrap_or_default();
        loss > 0 && dice.permille(loss)
    }

    /// 0.1 to 0.5 ms, and now and then up to 5.
    const fn delay(dice: &mut Dice) -> u64 {
        let most = if dice.one_in(5) { 5_000 } else { 500 };
        dice.between(100, most) * (MILLISECOND / 1_000)
    }

    /// How long a frame and what it wakes take.
    pub(crate) const fn frame(dice: &mut Dice) -> u64 {
        let most = if dice.one_in(50) { 20_000 } else { 800 };
        dice.between(200, most) * (MILLISECOND / 1_000)
    }

    /// Whether two nodes are on the same segment now.
    pub(crate) fn on_one_segment(&self, one: usize, other: usize) -> bool {
        !self.faults.values().any(|fault| fault.stops_frame(one, other))
    }

    /// The side on which each node is, named by its first node.
    pub(crate) fn sides(&self, nodes: usize) -> Vec<usize> {
        let mut sides: Vec<usize> = Vec::with_capacity(nodes);
        let is_split = self
            .faults
            .values()
            .any(|fault| matches!(fault, Fault::Partition { .. }));
        for node in 0..nodes {
            let first = (0..node).find(|first| !is_split || self.on_one_segment(*first, node));
            sides.push(first.unwrap_or(node));
        }
        sides
    }

    /// After what time the default gateway answers, if it does.
    pub(crate) fn gateway(&self, dice: &mut Dice, node: usize) -> Option<u64> {
        let is_reached = self.faults.values().all(|fault| match fault {
            Fault::Partition {
                inside,
                gateway_inside,
            } => inside.contains(&node) == *gateway_inside,
            _ => true,
        });
        (is_reached && !self.loses_frame(dice)).then(|| Self::frame(dice))
    }
}
