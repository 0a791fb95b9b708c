//! Whether other speakers are heard at all, and which of them are not. Pure: times are handed in.
//!
//! A firewall that drops the speakers' port is common and breaks nothing, since an owner that answers on the segment is
//! not replaced; so nobody notices until a node is lost and nothing takes over. Still less if it drops what one node sends to
//! another, for which the others vouch.

use std::collections::BTreeMap;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::NodeId;

/// So long others may be silent: longer than a start or a restart of all takes, and than a lost owner is waited for.
const SILENCE: Duration = Duration::from_secs(10);

/// The thread looks ten times a second. After a longer wait this process was stopped, and nothing was heard because of that.
const PAUSE: Duration = Duration::from_secs(1);

/// A change that is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// There are others, and none was heard for [`SILENCE`].
    Lost,
    /// One is heard again.
    Back,
}

/// When another speaker was heard last.
#[derive(Debug)]
pub(super) struct Heard {
    /// Since when nobody is, or nobody has been expected.
    since: Instant,
    looked: Instant,
    is_told: bool,
}

impl Heard {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            looked: now,
            is_told: false,
        }
    }

    /// A datagram of another speaker has come.
    pub(super) fn hear(&mut self, now: Instant) -> Option<Hearing> {
        self.since = now;
        std::mem::take(&mut self.is_told).then_some(Hearing::Back)
    }

    /// Looks at the time. `expected` says whether there are pods of other speakers.
    pub(super) fn look(&mut self, now: Instant, expected: bool) -> Option<Hearing> {
        let was_stopped = now - self.looked >= PAUSE;
        self.looked = now;
        if !expected || was_stopped {
            self.since = now;
            self.is_told &= expected;
        }
        let is_lost = !self.is_told && now - self.since >= SILENCE;
        self.is_told |= is_lost;
        is_lost.then_some(Hearing::Lost)
    }

    /// Whether there are others, and none has been heard for [`SILENCE`].
    pub(super) const fn is_lost(&self) -> bool {
        self.is_told
    }
}

/// Since when single speakers are not heard that should be.
#[derive(Debug)]
pub(super) struct Missing {
    since: BTreeMap<NodeId, Instant>,
    looked: Instant,
}

impl Missing {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: BTreeMap::new(),
            looked: now,
        }
    }

    /// Looks at the time. `unheard` are those that should be heard now and are not; all others are forgotten.
    pub(super) fn look(&mut self, now: Instant, unheard: impl Iterator<Item = NodeId>) {
        let was_stopped = now - self.looked >= PAUSE;
        self.looked = now;
        let mut before = std::mem::take(&mut self.since);
        if was_stopped {
            before.clear();
        }
        let since = |id: NodeId| (id, before.get(&id).copied().unwrap_or(now));
        self.since = unheard.map(since).collect();
    }

    /// Those that have not been heard for [`SILENCE`].
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        let looked = self.looked;
        let lost = self
            .since
            .iter()
            .filter(move |(_, since)| looked - **since >= SILENCE);
        lost.map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests;
