//! Groups that change hands although their owners live: how often that may be, and what becomes of one that went to a
//! node that cannot have it.
//!
//! Nodes may see different candidates: one hears of a change later than others, or not at all. Each is right as far as it
//! knows, and two that act on it would throw a group at each other for as long as that lasts.

use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::Record;

use super::answer::QUESTION;
use super::duty::Handing;
use super::members::REMEMBERED;
use super::{Candidates, Cause, Cluster, Role};

/// A group moves so often within [`REMEMBERED`] without need.
const BUDGET: usize = 4;

/// Who is given a group that it cannot have, as far as it knows, waits for so long: it may hear that it can. While it waits
/// the one before answers.
const ASTRAY: Duration = Duration::from_millis(500);

/// Who gives a group away answers for at most so long until the next one does.
const HAND_OVER: Duration = Duration::from_secs(1);

impl Cluster {
    /// When a group may move so many times more without need; none: now.
    pub(super) fn may_move_at(&self, now: Instant, group: IpAddr, times: usize) -> Option<Instant> {
        let recent = self.duty.moves.get(&group).into_iter().flatten();
        let recent: Vec<Instant> = recent.filter(|at| now - **at < REMEMBERED).copied().collect();
        let over = (recent.len() + times).saturating_sub(BUDGET);
        let oldest = recent.get(over.checked_sub(1)?)?;
        Some(*oldest + REMEMBERED)
    }

    /// A group has another owner than before.
    pub(super) fn changed_hands(&mut self, now: Instant, old: &Record, new: &Record) {
        let (group, me) = (new.group, self.me());
        let moves = self.duty.moves.entry(group).or_default();
        moves.retain(|at| now - *at < REMEMBERED);
        moves.push(now);
        self.duty.doubtful.remove(&group);
        self.conflicts.forget(group);
        self.duty.astray.remove(&group);
        self.duty.overdue.remove(&group);
        if old.owner == me {
            self.duty.gave.insert(group, (new.owner, now));
            // It may have been given away by somebody else.
            if new.from == Some(me) && self.duty.serving.get(&group) == Some(&Role::Owner) {
                let (until, ask) = (now + HAND_OVER, now + QUESTION);
                let cause = Cause::HandedOver;
                self.duty.handing.insert(group, Handing { until, ask, cause });
            }
        }
        let candidates = self.groups.get(&group);
        if new.owner == me && candidates.is_some_and(|candidates| !candidates.contains_key(&me)) {
            self.duty.astray.insert(group, now + ASTRAY);
        }
    }

    /// This node has been given a group that it cannot have, as far as it knew then and knows now: after a while it gives it
    /// back to the one that answers meanwhile, or to somebody else, but not again to the one to whom it gave it before. If
    /// nobody is left it keeps it until it, or the one that looks after it beside the owner, hears otherwise.
    pub(super) fn as_stray(&mut self, now: Instant, record: Record, candidates: &Candidates, until: Instant) {
        let group = record.group;
        let until = self
            .may_move_at(now, group, 1)
            .map_or(until, |budget| until.max(budget));
        self.release(group, Cause::Ineligible);
        if now < until {
            return self.duty.due(until, group);
        }
        // It answers until somebody else does.
        let back = record.from.filter(|from| self.can_own(group, candidates, *from));
        let gave = self.duty.gave.get(&group);
        let gave = gave.filter(|(_, at)| now - *at < REMEMBERED).map(|(id, _)| *id);
        let next = back.or_else(|| self.best(now, group, candidates, gave));
        if let Some(next) = next {
            self.hand_over(now, record, candidates, next, Cause::HandedOver);
        }
    }
}
