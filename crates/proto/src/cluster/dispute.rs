//! Groups that change hands although their owners live: how often that may be, and what becomes of one that went to a
//! node that cannot have it.
//!
//! Nodes may see different candidates: one hears of a change later than others, or not at all. Each is right as far as it
//! knows, and two that act on it would throw a group at each other for as long as that lasts.

use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{NodeId, Record};

use super::answer::QUESTION;
use super::duty::{Handing, Rival};
use super::members::REMEMBERED;
use super::records::succeeded;
use super::{Candidates, Cause, Cluster, Output, Role};

/// A group moves so often within [`REMEMBERED`] without need.
const BUDGET: usize = 4;

/// Who is given a group that it cannot have, as far as it knows, waits for so long: it may hear that it can. While it waits
/// the one before answers.
const ASTRAY: Duration = Duration::from_millis(500);

/// Who is given a group that it has not heard of waits for so long: in a burst one hears from the API server later than
/// others.
const IGNORANT: Duration = Duration::from_secs(2);

/// Two owners that hear each other's answers have this time to come to one record: a partition that has just healed, or a
/// hand-over, needs less.
const RIVALRY: Duration = Duration::from_secs(2);

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
        self.duty.rivals.remove(&group);
        if new.owner == me {
            match candidates {
                Some(candidates) if candidates.contains_key(&me) => {}
                Some(_) => drop(self.duty.astray.insert(group, now + ASTRAY)),
                None => self.given_unknown(now, group),
            }
        }
    }

    /// This node has been given a group that it has not heard of, unless it has heard that there is none any more: it may
    /// hear of it in a moment.
    pub(super) fn given_unknown(&mut self, now: Instant, group: IpAddr) {
        if self.is_up() && !self.conflicts.was_seen_to_go(group) {
            self.duty.astray.insert(group, now + IGNORANT);
            self.duty.due(now + IGNORANT, group);
        }
    }

    /// It still has not heard of a group that it was given: it cannot answer for it, and nobody else does. So it gives it to
    /// the first that stands by, who does likewise if need be, until nobody is left.
    pub(super) fn as_ignorant(&mut self, now: Instant, group: IpAddr) {
        let is_over = self.duty.astray.get(&group).is_some_and(|until| *until <= now);
        let record = self.records.get(group).copied();
        let Some(record) = record.filter(|record| is_over && record.owner == self.me() && self.is_up())
        else {
            return;
        };
        self.duty.astray.remove(&group);
        let standbys = record.standbys.into_iter().flatten();
        let mut able = standbys.filter(|id| self.members.is_up(*id));
        let (Some(owner), second) = (able.next(), able.next()) else {
            return;
        };
        let standbys = [second, None];
        self.write(
            now,
            Record {
                standbys,
                ..succeeded(record, owner)
            },
        );
    }

    /// Another node answers for a group that this one owns and answers for: one of the two has a record that the other one
    /// will not take, each for its own reasons. The segment has one answerer when the lesser of the two yields.
    ///
    /// A frame in that one's name is no proof: nobody yields to a member that does not say so itself.
    pub(super) fn rivalled(&mut self, now: Instant, group: IpAddr, by: NodeId) {
        let known = self.duty.rivals.get(&group).copied();
        let known = known.filter(|rival| rival.id == by && now - rival.heard < RIVALRY);
        let since = known.map_or(now, |rival| rival.since);
        let owns = known.is_some_and(|rival| rival.owns);
        if !owns {
            self.compare_at_once(now, by);
        }
        let rival = Rival {
            id: by,
            since,
            heard: now,
            owns,
        };
        self.duty.rivals.insert(group, rival);
        self.duty.due(now + RIVALRY / 4, group);
        let record = self.records.get(group).copied();
        let Some(record) = record.filter(|_| owns && now - since >= RIVALRY && self.me() < by) else {
            return;
        };
        self.duty.rivals.remove(&group);
        self.write(now, succeeded(record, by));
        self.release(group, Cause::Conflict(by));
    }

    /// A member says that it owns a group which this one keeps.
    pub(super) fn is_claimed_by(&mut self, group: IpAddr, by: NodeId) {
        if let Some(rival) = self.duty.rivals.get_mut(&group)
            && rival.id == by
        {
            rival.owns = true;
        }
    }

    /// Asks whether another node still answers for a group that this one owns.
    pub(super) fn look_for_rival(&mut self, now: Instant, group: IpAddr) {
        let Some(rival) = self.duty.rivals.get(&group) else {
            return;
        };
        if now - rival.heard >= RIVALRY {
            self.duty.rivals.remove(&group);
            return;
        }
        self.duty.due(now + RIVALRY / 4, group);
        self.outputs.push_back(Output::Ask { group });
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
