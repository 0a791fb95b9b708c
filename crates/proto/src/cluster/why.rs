//! Why a member is in another phase than before, as far as this member knows.

use cortenlb_wire::member::{NodeId, Phase};

use super::{Cluster, Output};

/// Why a member is in another phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// This member knows what the others know, or that there are none.
    Joined,
    /// The same, and after the longest wait it is not known that its node can forward what comes in.
    NotForwarding,
    /// This process was stopped for longer than others wait for it.
    Paused,
    /// This member is to give everything away, or no longer.
    Drain,
    /// This process is about to end.
    Leaving,
    /// The member says so itself.
    SaysItself,
    /// Another member says so.
    SaidBy(NodeId),
    /// Nothing is heard of it, and its node answers on the segment.
    SpeakerSilent,
    /// Nothing is heard of it, nor of its node.
    NodeSilent,
}

impl Why {
    /// In a few words, and by which node it is said, if that is neither this one nor the one that it is about.
    pub const fn told(self) -> (&'static str, Option<NodeId>) {
        match self {
            Self::Joined => ("it knows what the others know, or is alone", None),
            Self::NotForwarding => (
                "it has waited long enough for its node to forward what comes in",
                None,
            ),
            Self::Paused => ("its process was stopped", None),
            Self::Drain => ("it is drained, or no longer", None),
            Self::Leaving => ("its process ends", None),
            Self::SaysItself => ("it says so", None),
            Self::SaidBy(id) => ("another node says so", Some(id)),
            Self::SpeakerSilent => ("it is not heard, and its node answers", None),
            Self::NodeSilent => ("neither it nor its node is heard", None),
        }
    }

    /// What this member says of another one: what it was told by somebody, or has found.
    pub(super) fn of(id: NodeId, after: Phase, by: Option<NodeId>) -> Self {
        match by {
            Some(by) if by == id => Self::SaysItself,
            Some(by) => Self::SaidBy(by),
            None if after == Phase::Dead => Self::NodeSilent,
            None => Self::SpeakerSilent,
        }
    }
}

impl Cluster {
    /// Tells of a member's phase if it is not the one before.
    pub(super) fn tell_phase(&mut self, id: NodeId, before: Option<Phase>, after: Phase, why: Why) {
        if before != Some(after) {
            self.outputs.push_back(Output::Phase {
                id,
                before,
                after,
                why,
            });
        }
    }
}
