//! What this node answers for, and who takes over.
//!
//! While an owner is alive it alone changes its records: it gives a group away when it can no longer answer for it, and
//! keeps the list of those who stand by. When it is gone the first of these acts from the record, without asking
//! anybody. The placer acts where nobody else can.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{NodeId, Phase, Record};

use super::answer::QUESTION;
use super::duty::Question;
use super::members::Merged;
use super::records::succeeded;
use super::suspicion::SUSPICION;
use super::{Candidates, Cause, Cluster, Output, Role};

/// Who is said to be dead has this time to contradict.
const CONTRADICTION: Duration = Duration::from_millis(30);

/// A node whose speaker is away keeps its groups for so long; others answer in its name.
pub(super) const AWAY_AT_MOST: Duration = Duration::from_secs(10);

/// Who stands in goes on for so long after the owner has come back: it may have to ask the segment first.
const BACK: Duration = Duration::from_secs(1);

/// An owner that has answered on the segment within this time is not replaced.
const ANSWERS: Duration = Duration::from_secs(1);

/// If neither the owner nor who stands by does what is to be done, the placer does after this time.
pub(super) const OVERDUE: Duration = Duration::from_secs(2);

impl Cluster {
    /// The same, and from now on it answers in nobody's name: what an owner has whose speaker is away goes to another node
    /// at once.
    #[must_use]
    pub const fn without_stand_ins(mut self) -> Self {
        self.life.stands_in = false;
        self
    }

    pub(super) fn set_candidates(&mut self, now: Instant, group: IpAddr, candidates: Option<Candidates>) {
        match candidates {
            Some(candidates) => {
                let before = self.comes(group, Arc::clone(&candidates));
                if before.is_none() && self.is_up() {
                    self.conflicts.is_fresh(group);
                }
                if before != Some(candidates) {
                    self.duty.astray.remove(&group);
                }
            }
            None => {
                self.records.set_group(group, false);
                self.groups.remove(&group);
                self.duty.forget(group);
                self.conflicts.remove(group);
                if self.records.get(group).is_some() {
                    self.duty.orphans.insert(group, now);
                    self.conflicts.is_gone(group);
                }
            }
        }
        self.duty.due(now, group);
    }

    /// There is such a group, with these candidates; returns those before.
    pub(super) fn comes(&mut self, group: IpAddr, candidates: Candidates) -> Option<Candidates> {
        self.records.set_group(group, true);
        self.duty.orphans.remove(&group);
        self.duty.forgotten.remove(&group);
        self.groups.insert(group, candidates)
    }

    pub(super) fn members_at_work_changed(&mut self, now: Instant) {
        self.duty.all_due(now);
        // Those who were said to be dead a moment ago may contradict.
        if let Some(latest) = self
            .members
            .latest_death
            .filter(|told| *told + CONTRADICTION > now)
        {
            self.life.contradiction = Some(latest + CONTRADICTION);
        }
    }

    /// Takes in a record from a member.
    pub(super) fn merge_record(&mut self, now: Instant, said: Record) -> Merged {
        if self.has_forgotten(now, &said) {
            return Merged::Known;
        }
        let old = self.records.get(said.group).copied();
        let merged = self.records.merge(said, self.credit());
        if merged == Merged::News {
            self.duty.forgotten.remove(&said.group);
            self.record_changed(now, old, said);
        }
        merged
    }

    /// Decides: from now on this is the record.
    pub(super) fn write(&mut self, now: Instant, record: Record) {
        let old = self.records.get(record.group).copied();
        let record = Record {
            backing: self.backing(old.map(|old| old.backing)),
            ..record
        };
        self.records.set(record);
        self.is_news_of(record, None);
        self.record_changed(now, old, record);
    }

    fn record_changed(&mut self, now: Instant, old: Option<Record>, new: Record) {
        let group = new.group;
        self.duty.unplaced.remove(&group);
        self.duty.unowned.remove(&group);
        if !self.groups.contains_key(&group) {
            self.duty.orphans.entry(group).or_insert(now);
        }
        if old.is_none_or(|old| old.owner != new.owner) {
            self.duty.moved = Some(now);
        }
        match old {
            Some(old) if old.owner != new.owner => self.changed_hands(now, &old, &new),
            None if new.owner == self.me() => {
                // Nobody has used it before, as far as is known.
                if new.epoch == 1 && self.is_up() {
                    self.duty.doubtful.insert(group, Question::default());
                }
                if !self.groups.contains_key(&group) {
                    self.given_unknown(now, group);
                }
            }
            _ => {}
        }
        self.duty.due(now, group);
    }

    /// Looks at all groups whose time has come.
    pub(super) fn settle_due(&mut self, now: Instant) {
        if self.life.contradiction.is_some_and(|at| at <= now) {
            self.life.contradiction = None;
            self.duty.all_due(now);
        }
        if self.duty.all.is_some_and(|at| at <= now) {
            self.duty.all = None;
            let known = self.groups.keys().chain(self.duty.serving.keys());
            let groups: BTreeSet<IpAddr> = known.copied().collect();
            groups.into_iter().for_each(|group| self.settle(now, group));
        }
        // What is due at once because of that is looked at in the same turn, but not without end.
        for _ in 0..2 {
            let later = self
                .duty
                .agenda
                .split_off(&(now + Duration::from_nanos(1), IpAddr::from([0; 4])));
            let due: BTreeSet<IpAddr> = std::mem::replace(&mut self.duty.agenda, later)
                .into_iter()
                .map(|(_, group)| group)
                .collect();
            due.into_iter().for_each(|group| self.settle(now, group));
        }
    }

    /// Does what is this node's to do for one group.
    fn settle(&mut self, now: Instant, group: IpAddr) {
        if self.life.is_leaving {
            return self.as_leaving(group);
        }
        let Some(candidates) = self.groups.get(&group).cloned() else {
            self.release(group, Cause::Gone);
            return self.as_ignorant(now, group);
        };
        if !self.is_up() {
            return self.release(group, Cause::Silent);
        }
        let Some(record) = self.records.get(group).copied() else {
            self.release(group, Cause::Gone);
            return self.place_new(now, group, &candidates);
        };
        if record.owner == self.me() {
            self.as_owner(now, record, &candidates);
        } else if self.members.serves(record.owner) {
            self.beside_owner(now, record, &candidates);
        } else {
            self.without_owner(now, record, &candidates);
        }
    }

    /// Until this process ends it answers for what it has, unless somebody else has taken that.
    fn as_leaving(&mut self, group: IpAddr) {
        let me = self.me();
        let record = self.records.get(group);
        let is_taken = record.is_some_and(|record| record.owner != me && record.from != Some(me));
        if is_taken && self.duty.serving.get(&group) == Some(&Role::Owner) {
            self.release(group, Cause::HandedOver);
        }
    }

    /// Whether this node can answer for a group with these candidates.
    fn is_able(&self, candidates: &Candidates) -> bool {
        candidates.contains_key(&self.me())
    }

    fn as_owner(&mut self, now: Instant, record: Record, candidates: &Candidates) {
        let group = record.group;
        if let Some(until) = self.duty.astray.get(&group).copied() {
            return self.as_stray(now, record, candidates, until);
        }
        if !self.can_own(group, candidates, self.me()) {
            let mut standbys = record.standbys.into_iter().flatten();
            let next = standbys.find(|id| self.can_own(group, candidates, *id));
            if let Some(next) = next.or_else(|| self.best(now, group, candidates, Some(self.me()))) {
                return self.hand_over(now, record, candidates, next, Cause::HandedOver);
            }
            if !self.is_able(candidates) {
                return self.release(group, Cause::Ineligible);
            }
        }
        self.serve(now, group, Role::Owner, self.cause_of(&record));
        self.look_for_rival(now, group);
        if record.from.is_some() && self.duty.serving.contains_key(&group) {
            self.write(
                now,
                Record {
                    from: None,
                    revision: record.revision.saturating_add(1),
                    ..record
                },
            );
        }
    }

    fn cause_of(&self, record: &Record) -> Cause {
        match (record.epoch, record.from) {
            (_, Some(_)) => Cause::HandedOver,
            (1, None) => Cause::Placed,
            _ => Cause::Confirmed,
        }
    }

    /// Gives a group to another node, and answers for it until that one does.
    pub(super) fn hand_over(
        &mut self,
        now: Instant,
        record: Record,
        candidates: &Candidates,
        next: NodeId,
        cause: Cause,
    ) {
        let group = record.group;
        let serves = self.duty.serving.contains_key(&group);
        let from = if serves { Some(self.me()) } else { record.from };
        self.write(
            now,
            Record {
                from: from.filter(|from| *from != next),
                standbys: self.standbys(now, group, candidates, next),
                ..succeeded(record, next)
            },
        );
        if let Some(handing) = self.duty.handing.get_mut(&group) {
            handing.cause = cause;
        }
    }

    /// Whether this node still answers for what it has given away; none if it has not given it away.
    fn hands_over(&mut self, now: Instant, record: &Record) -> Option<bool> {
        let group = record.group;
        let handing = self.duty.handing.get_mut(&group);
        let handing = handing.filter(|_| record.from == Some(self.members.me))?;
        if now >= handing.until {
            return Some(false);
        }
        let is_due = now >= handing.ask;
        if is_due {
            handing.ask = now + QUESTION;
        }
        let next = handing.ask.min(handing.until);
        self.duty.due(next, group);
        if is_due {
            self.outputs.push_back(Output::Ask { group });
        }
        Some(true)
    }

    fn beside_owner(&mut self, now: Instant, record: Record, candidates: &Candidates) {
        let group = record.group;
        if self.duty.serving.get(&group) == Some(&Role::StandIn(record.owner)) {
            let up = self.members.get(record.owner).map_or(now, |known| known.since);
            if now < up + BACK {
                return self.duty.due(up + BACK, group);
            }
        }
        match self.hands_over(now, &record) {
            Some(true) => {}
            // The next owner has not said that it answers, nor is it there on the segment: it has not heard of it.
            Some(false) if self.is_able(candidates) => {
                return self.take(now, record, candidates, Cause::HandedOver);
            }
            handed => {
                let handing = self.duty.handing.get(&group).map(|handing| handing.cause);
                let cause = match self.duty.serving.get(&group) {
                    Some(Role::StandIn(owner)) if *owner == record.owner => Cause::OwnerBack(*owner),
                    _ if handed.is_some() => handing.unwrap_or(Cause::HandedOver),
                    _ => handing.unwrap_or(Cause::Conflict(record.owner)),
                };
                self.release(group, cause);
            }
        }
        // The owner sees it as well, unless it has not heard of it from the API server.
        if !candidates.contains_key(&record.owner)
            && self.members.placer_beside(record.owner) == Some(self.me())
        {
            let overdue = *self.duty.overdue.entry(group).or_insert(now + OVERDUE);
            // It must be within the budget that the owner takes it back: it may be the one that knows better.
            let budget = self.may_move_at(now, group, 2).unwrap_or(overdue);
            let at = overdue.max(budget);
            if now >= at {
                self.duty.overdue.remove(&group);
                self.place(now, group, candidates, Some(record));
            } else {
                self.duty.due(at, group);
            }
        } else {
            self.duty.overdue.remove(&group);
        }
    }

    fn without_owner(&mut self, now: Instant, record: Record, candidates: &Candidates) {
        let (group, owner) = (record.group, record.owner);
        self.duty.overdue.remove(&group);
        let (phase, since, told) = match self.members.get(owner) {
            Some(known) => (known.member.phase, known.since, known.told),
            // It was there in the life of an earlier process.
            None => (Phase::Away, self.life.since, self.life.since),
        };
        let mut standbys = record.standbys.into_iter().flatten();
        let next = standbys.find(|id| self.can_own(group, candidates, *id));
        // Nobody of those who stood by can: all who know the same members name the same one.
        let next = next.or_else(|| self.standbys(now, group, candidates, owner)[0]);
        let is_next = next == Some(self.me());
        let is_lost = phase == Phase::Dead || (phase == Phase::Away && !self.life.stands_in);
        let lost = if is_lost {
            told + CONTRADICTION
        } else if self.life.stands_in {
            since + AWAY_AT_MOST
        } else {
            since + SUSPICION
        };
        let lost = self.hesitates_until().map_or(lost, |until| lost.max(until));
        // Who is not heard, and answers all the same, has lost nothing; who says that it ends answers until others do.
        let known = self.members.get(owner);
        let lost = known
            .filter(|known| phase != Phase::Dead && (self.life.stands_in || !known.leaves))
            .and_then(|known| known.answered)
            .map_or(lost, |answered| lost.max(answered + ANSWERS));
        if now < lost {
            self.duty.due(lost, group);
            let handed = self.hands_over(now, &record);
            if handed.is_some()
                && self.can_own(group, candidates, self.me())
                && self.hesitates_until().is_none()
            {
                // The next owner went before it came: nothing has moved yet.
                self.take(now, record, candidates, Cause::HandedOver);
            } else if handed == Some(true) {
                // It answers until others do.
            } else if self.life.stands_in && phase != Phase::Dead && is_next {
                self.serve(now, group, Role::StandIn(owner), Cause::OwnerAway(owner));
            } else if self.duty.serving.get(&group) != Some(&Role::StandIn(owner))
                || !self.is_able(candidates)
            {
                self.release(group, Cause::Conflict(owner));
            }
            return;
        }
        if is_next {
            // Whose speaker alone is away is no node that was lost.
            let cause = match self.members.phase(owner) {
                Some(Phase::Away | Phase::Joining) => Cause::OwnerAway(owner),
                _ => Cause::OwnerDead(owner),
            };
            return self.take(now, record, candidates, cause);
        }
        if self.members.placer() == Some(self.me()) {
            if now >= lost + OVERDUE {
                self.place(now, group, candidates, Some(record));
            } else {
                self.duty.due(lost + OVERDUE, group);
            }
        }
        if self
            .records
            .get(group)
            .is_some_and(|record| record.owner != self.me())
        {
            self.release(group, Cause::Conflict(owner));
        }
    }

    /// Takes a group for this node.
    fn take(&mut self, now: Instant, record: Record, candidates: &Candidates, cause: Cause) {
        let standbys = self.standbys(now, record.group, candidates, self.me());
        self.write(
            now,
            Record {
                standbys,
                ..succeeded(record, self.me())
            },
        );
        self.duty.handing.remove(&record.group);
        if !self.life.stands_in && self.members.get(record.owner).is_none() {
            // It is not known to be away: nobody has asked the segment for it.
            self.duty.doubtful.insert(record.group, Question::default());
        }
        self.serve(now, record.group, Role::Owner, cause);
    }
}
