//! The ring of those who are alive, and who is missing in it.

use std::collections::BTreeSet;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Member, NodeId, Phase};

use super::super::suspicion::SUSPICION;
use super::super::{HEARTBEAT, nanoseconds};
use super::Members;

/// How many watch each member.
const WATCHERS: usize = 3;

/// Up to so many members everybody watches everybody: it costs no more than the ring.
const ALL_WATCH: usize = 5;

impl Members {
    /// The members that are alive, this one among them, in the order of the ring.
    pub(in crate::cluster) fn alive(&self) -> &[NodeId] {
        &self.ring
    }

    /// Whether those who are alive, less so many of whom that is in doubt, are more than half of the known speakers. If they
    /// are just half, `tie` decides.
    pub(in crate::cluster) fn are_majority(&self, doubtful: usize, tie: bool) -> bool {
        let (alive, all) = (2 * self.present.saturating_sub(doubtful), self.roster.len());
        alive > all || (alive == all && tie)
    }

    /// Whether those who are alive, less so many of whom that is in doubt, are just half of the known speakers.
    pub(in crate::cluster) fn are_half(&self, doubtful: usize) -> bool {
        let all = self.roster.len();
        all > 0 && 2 * self.present.saturating_sub(doubtful) == all
    }

    /// Those that are known, or should be there, and are not alive.
    pub(in crate::cluster) fn missing(&self) -> &[NodeId] {
        &self.missing
    }

    /// Those who send their heartbeats here.
    pub(in crate::cluster) fn watched(&self) -> Vec<NodeId> {
        self.around(|at, step| at + self.ring.len() - step)
    }

    /// Those to whom heartbeats go.
    pub(in crate::cluster) fn watchers(&self) -> Vec<NodeId> {
        self.around(|at, step| at + step)
    }

    /// Those to whom news goes first.
    pub(in crate::cluster) fn neighbours(&self) -> BTreeSet<NodeId> {
        self.watched().into_iter().chain(self.watchers()).collect()
    }

    /// Those who watch `id`, without this one.
    pub(in crate::cluster) fn watchers_of(&self, id: NodeId) -> Vec<NodeId> {
        let Some(at) = self.ring.iter().position(|member| *member == id) else {
            return Vec::new();
        };
        let many = self.many();
        let watchers = (1..=many).map(|step| self.ring[(at + step) % self.ring.len()]);
        watchers
            .filter(|watcher| *watcher != self.me && *watcher != id)
            .collect()
    }

    fn many(&self) -> usize {
        let others = self.ring.len().saturating_sub(1);
        if self.ring.len() <= ALL_WATCH {
            others
        } else {
            WATCHERS
        }
    }

    fn around(&self, place: impl Fn(usize, usize) -> usize) -> Vec<NodeId> {
        let Some(at) = self.ring.iter().position(|member| *member == self.me) else {
            return Vec::new();
        };
        let places = (1..=self.many()).map(|step| place(at, step) % self.ring.len());
        places.map(|place| self.ring[place]).collect()
    }

    /// One of those from whom nothing is heard, each in its turn: if halves did not call each other, they would never
    /// meet again.
    pub(in crate::cluster) fn next_missing(&mut self) -> Option<NodeId> {
        self.turn += 1;
        let at = self.turn.checked_rem(self.missing.len())?;
        Some(self.missing[at])
    }

    /// Who comes to be watched here learns of that when it learns of what has changed in the ring, at about the same
    /// time: it has until its second heartbeat.
    pub(super) fn expect(&mut self, now: Instant, before: &[NodeId]) {
        let since = Instant(now.0.saturating_sub(nanoseconds(SUSPICION - 2 * HEARTBEAT)));
        for id in self.watched() {
            if !before.contains(&id)
                && let Some(known) = self.known.get_mut(&id)
            {
                known.sign = known.sign.max(since);
            }
        }
    }

    /// Who is missing, and how many of the roster are not.
    pub(super) fn count(&mut self) {
        let alive: BTreeSet<NodeId> = self.ring.iter().copied().collect();
        self.present = self.roster.intersection(&alive).count();
        let all: BTreeSet<NodeId> = self.known.keys().chain(&self.roster).copied().collect();
        self.missing = all.difference(&alive).copied().collect();
    }

    /// As [`count`](Self::count), after a change of this member alone. In a large cluster members change at once, and one
    /// that looked at all for each of them would look a quarter of a million times.
    pub(super) fn place(&mut self, id: NodeId, was_alive: bool) {
        let is_alive = self
            .known
            .get(&id)
            .is_some_and(|known| self.is_alive(&known.member));
        if self.roster.contains(&id) && is_alive != was_alive {
            if is_alive {
                self.present += 1;
            } else {
                self.present -= 1;
            }
        }
        let is_missing = !is_alive && (self.known.contains_key(&id) || self.roster.contains(&id));
        match self.missing.binary_search(&id) {
            Ok(at) if !is_missing => drop(self.missing.remove(at)),
            Err(at) if is_missing => self.missing.insert(at, id),
            Ok(_) | Err(_) => {}
        }
    }

    /// Whether it belongs into the ring.
    pub(super) fn is_alive(&self, member: &Member) -> bool {
        member.id == self.me || member.phase <= Phase::Draining
    }
}
