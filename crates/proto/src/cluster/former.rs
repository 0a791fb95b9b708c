//! How an owner was lost, or why it gave a group away: what is known of the time before a take-over.

use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{NodeId, Phase};

use super::Cluster;
use super::members::{Known, Members};

/// Who had a group before, and when what led to the change happened. None is what this member has not seen: of a member
/// that it does not watch it learns the end alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// Which node.
    pub node: NodeId,
    /// When there was the last sign of life.
    pub heard: Option<Instant>,
    /// When this member began to ask for it.
    pub suspected: Option<Instant>,
    /// When it was known to be dead, away or draining.
    pub confirmed: Option<Instant>,
    /// Why it gave the group away; none: it was lost.
    pub given: Option<Given>,
}

/// Why an owner that lives gave a group to this node: records do not tell it, so this is what can be seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It is being drained, or about to end.
    Drained,
    /// It is no candidate any more.
    NoCandidate,
    /// It misses more of the group's addresses than this node, for want of a carrier.
    NoCarrier,
    /// This node has asked for what it has, again and again, and heard no answer of it.
    Unanswered,
    /// This node is preferred.
    Preferred,
    /// This node has fewer groups, as far as nothing else speaks against it.
    Rebalanced,
    /// None of these.
    Other,
}

/// What was seen of a member before it was gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    heard: Option<Instant>,
    suspected: Option<Instant>,
}

impl Last {
    /// Of a member that is about to be gone, and was watched or not. A sign of life ends a suspicion.
    pub(super) fn of(known: &Known, is_watched: bool) -> Self {
        Self {
            heard: is_watched.then_some(known.sign),
            suspected: known.suspected.filter(|at| *at >= known.sign),
        }
    }
}

impl Members {
    /// What is known of the time before this member lost what it had.
    pub(super) fn former(&self, node: NodeId) -> Former {
        let Some(known) = self.get(node) else {
            return Former {
                node,
                heard: None,
                suspected: None,
                confirmed: None,
                given: None,
            };
        };
        let phase = known.member.phase;
        let Last { heard, suspected } = if phase < Phase::Away {
            Last::of(known, self.watched().contains(&node))
        } else {
            known.last
        };
        Former {
            node,
            heard,
            suspected,
            confirmed: (phase >= Phase::Draining).then_some(known.told),
            given: None,
        }
    }
}

impl Cluster {
    /// Why a member gave a group to this one.
    pub(super) fn given(&self, group: IpAddr, by: NodeId) -> Given {
        let preference = |id: NodeId| self.groups.get(&group)?.get(&id).copied();
        let is_drained = self.members.phase(by) >= Some(Phase::Draining);
        match (preference(by), preference(self.me())) {
            _ if is_drained => Given::Drained,
            (None, _) => Given::NoCandidate,
            _ if self.missed(group, by) > self.missed(group, self.me()) => Given::NoCarrier,
            _ if self.is_unanswered(group, by) => Given::Unanswered,
            (before, after) if before < after => Given::Preferred,
            _ if self.life.rebalances => Given::Rebalanced,
            _ => Given::Other,
        }
    }
}
