//! Leader election over one `coordination.k8s.io/v1` Lease.
//!
//! Leadership gates the [`Writer`](crate::write::Writer), never the logic: every replica watches and decides, one
//! writes. All watch the Lease too, so that a release is answered within milliseconds.

mod state;
mod task;

use tokio::time::Instant;

pub use self::{
    state::{Action, LeaseState, Timing},
    task::{Candidate, run},
};

/// How the one who held the Lease before us came to lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predecessor {
    /// There was none: the Lease is new, and this process has not seen an earlier one of its name.
    Fresh,
    /// It gave the Lease up, after its last write was answered.
    Released,
    /// It fell silent, or somebody deleted its Lease. A write of it may still be under way, and must be fenced off before anything is decided from
    /// what is read.
    Expired,
}

/// What this process may do.
///
/// A claim is one of three: it holds; or its term is *suspended*, `held` though it does not hold: no renewal was answered
/// in time, and whether somebody else has led meanwhile is not known yet; or it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whether a term of ours has begun and is not known to be over. For "may I write now?" ask [`holds`](Self::holds).
    pub held: bool,
    /// `spec.leaseTransitions` of our term: it grows with every term, also when one process holds two in a row.
    pub transitions: i32,
    /// How the term before ours ended.
    pub predecessor: Predecessor,
    /// When the claim ceases to hold unless it is renewed; `None` for never. A late renewal moves it on as well: then
    /// nobody else has led in between.
    pub until: Option<Instant>,
}

impl Claim {
    /// The claim of a process that needs no Lease.
    #[must_use]
    pub const fn unconditional() -> Self {
        Self {
            held: true,
            transitions: 0,
            predecessor: Predecessor::Fresh,
            until: None,
        }
    }

    /// No claim.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            held: false,
            transitions: 0,
            predecessor: Predecessor::Fresh,
            until: None,
        }
    }

    /// Whether a write may be sent now. A process that was stopped and continues (SIGSTOP) gets its "no" from here,
    /// before the task that watches the Lease has run. While a machine is suspended this clock stands still.
    #[must_use]
    pub fn holds(&self, now: Instant) -> bool {
        self.held && self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests;
