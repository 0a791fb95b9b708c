//! How an owner was lost: what is known of the time before a take-over.

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{NodeId, Phase};

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
        }
    }
}
