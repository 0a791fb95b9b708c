//! What can go wrong, and what people do.

use std::collections::{BTreeMap, BTreeSet};

/// Which nodes can answer for a group, by index, and how much each is preferred.
pub(crate) type Wanted = BTreeMap<usize, i64>;

/// Nodes and groups by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Neither datagrams nor frames pass between those inside and the others. The gateway is on one side.
    Partition {
        inside: BTreeSet<usize>,
        gateway_inside: bool,
    },
    /// Datagrams of one node do not reach another one.
    OneWay { from: usize, to: usize },
    /// No datagram reaches this node.
    Deaf(usize),
    /// No datagram of this node reaches another one.
    Mute(usize),
    /// Both; the segment still works.
    Apart(usize),
    /// No datagram reaches anybody; the segment still works: the port is filtered.
    Blocked,
    /// So many datagrams of a thousand are lost.
    Loss(u64),
    /// The process is stopped, and continued.
    Pause(usize),
    /// The process is killed, and a new one started: with what the old one knew, or without; by a wall clock that has
    /// been set back meanwhile, or not.
    Kill {
        node: usize,
        snapshot: bool,
        set_back: bool,
    },
    /// The process ends after it has told the others, and a new one is started.
    Restart { node: usize, snapshot: bool },
    /// The node loses its power, and boots again.
    Power { node: usize, snapshot: bool },
    /// The node is to be emptied for this time.
    Drain(usize),
    /// The node's interface on the segment of the addresses has no carrier. Datagrams, and questions for the node itself,
    /// have another one.
    Unplugged(usize),
    /// The group's candidates change.
    Candidates { group: usize, wanted: Wanted },
    /// A node sees these candidates for all groups, whatever others see.
    Behind { node: usize, wanted: Wanted },
    /// These groups come into being.
    Create { groups: Vec<usize>, wanted: Wanted },
    /// The group is no longer.
    Remove(usize),
    /// The node's speaker answers no question on the segment, and says all that it says to others.
    Unanswering(usize),
    /// So many frames of a thousand are lost on the segment.
    FrameLoss(u64),
    /// A station that is no node has the group's address.
    Stranger(usize),
    /// The cluster has one more node.
    Join(usize),
}

impl Fault {
    /// The node whose process or kernel is concerned.
    pub(crate) const fn node(&self) -> Option<usize> {
        match self {
            Self::Pause(node)
            | Self::Kill { node, .. }
            | Self::Restart { node, .. }
            | Self::Power { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// Whether datagrams are lost where frames are not.
    pub(crate) const fn is_of_datagrams(&self) -> bool {
        matches!(
            self,
            Self::OneWay { .. }
                | Self::Deaf(_)
                | Self::Mute(_)
                | Self::Apart(_)
                | Self::Blocked
                | Self::Loss(_)
        )
    }

    /// Whether the network is at fault.
    pub(crate) const fn is_of_the_network(&self) -> bool {
        self.is_of_datagrams() || matches!(self, Self::Partition { .. })
    }

    /// Whether it is something that people do, on purpose, to a network and nodes that work; or that a node tells as soon
    /// as it happens.
    pub(crate) const fn is_wanted(&self) -> bool {
        !self.is_of_the_network() && self.node().is_none()
    }

    /// Whether this keeps a datagram from arriving.
    pub(crate) fn stops_datagram(&self, from: usize, to: usize) -> bool {
        match self {
            Self::Partition { inside, .. } => inside.contains(&from) != inside.contains(&to),
            Self::OneWay { from: one, to: other } => (*one, *other) == (from, to),
            Self::Deaf(node) => *node == to,
            Self::Mute(node) => *node == from,
            Self::Apart(node) => *node == from || *node == to,
            Self::Blocked => true,
            _ => false,
        }
    }

    /// Whether this keeps two nodes from hearing each other on the segment.
    pub(crate) fn stops_frame(&self, one: usize, other: usize) -> bool {
        match self {
            Self::Partition { inside, .. } => inside.contains(&one) != inside.contains(&other),
            _ => false,
        }
    }

    /// Whose groups may move for this alone, if it lasts for `lasting` in a cluster of `nodes`; none: everybody's.
    pub(crate) fn concerns(&self, nodes: usize, lasting: u64) -> Option<BTreeSet<usize>> {
        use crate::dice::SECOND;
        match self {
            Self::Partition { inside, .. } => {
                let outside = || (0..nodes).filter(|node| !inside.contains(node)).collect();
                match (inside.len() * 2).cmp(&nodes) {
                    std::cmp::Ordering::Less => Some(inside.clone()),
                    std::cmp::Ordering::Equal => None,
                    std::cmp::Ordering::Greater => Some(outside()),
                }
            }
            // Somebody stands in for so long.
            Self::Kill { .. } | Self::Restart { .. } if lasting <= 8 * SECOND => Some(BTreeSet::new()),
            Self::Pause(node)
            | Self::Kill { node, .. }
            | Self::Restart { node, .. }
            | Self::Power { node, .. }
            | Self::Drain(node)
            | Self::Unanswering(node)
            | Self::Unplugged(node) => Some([*node].into()),
            Self::Behind { .. } => None,
            Self::Loss(share) if *share > 300 => None,
            _ => Some(BTreeSet::new()),
        }
    }
}
