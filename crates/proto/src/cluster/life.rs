//! This member: its heartbeats, how it joins, what it does after a pause, and its end.

use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Attached, Backing, Body, Datagram, Life, Member, NodeId, Phase};

use super::members::Merged;
use super::suspicion::SUSPICION;
use super::{Cause, Cluster, HEARTBEAT, Why, mix};

/// Who hears nobody for so long after its beginning is alone.
const ALONE: Duration = Duration::from_secs(1);

/// Who hears others, but does not come to know the same as they do, waits no longer.
const JOIN_AT_MOST: Duration = Duration::from_secs(5);

/// So long a node whose data plane does not forward may wait before it takes groups.
const FORWARDS_AT_LATEST: Duration = Duration::from_secs(30);

/// The time between looks at what changes slowly.
const REVIEW: Duration = Duration::from_secs(1);

/// What this member knows of itself.
#[derive(Debug)]
pub(super) struct Lifetime {
    /// The number of the newest datagram.
    pub(super) sequence: u64,
    pub(super) next_heartbeat: Instant,
    /// When the last heartbeat was due and sent.
    beat: Instant,
    next_review: Instant,
    /// Since when it is Joining, or Up.
    pub(super) since: Instant,
    /// Since when it knows the same members as somebody else, who thus has heard of this life.
    acknowledged: Option<Instant>,
    /// Somebody knows the same.
    confirmed: bool,
    /// How this node is attached to the network, once that is known.
    pub(super) attached: Option<Vec<Attached>>,
    pub(super) forwards: bool,
    pub(super) is_leaving: bool,
    /// Whether it gives groups to nodes that have fewer.
    pub(super) rebalances: bool,
    /// Whether it answers in the name of one whose speaker is away.
    pub(super) stands_in: bool,
    /// When the set of members changed last.
    pub(super) changed: Instant,
    /// When all who were said to be dead have had time to contradict.
    pub(super) contradiction: Option<Instant>,
}

impl Lifetime {
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        // Members that begin together do not send together for ever.
        let first = Duration::from_nanos(mix(seed) % super::nanoseconds(HEARTBEAT));
        Self {
            sequence: 0,
            next_heartbeat: now + first,
            beat: now,
            next_review: now + REVIEW,
            since: now,
            acknowledged: None,
            confirmed: false,
            attached: None,
            forwards: false,
            is_leaving: false,
            rebalances: false,
            stands_in: true,
            changed: now,
            contradiction: None,
        }
    }
}

impl Cluster {
    /// Until when what was said by [`Output::Serve`](super::Output::Serve) holds. Later nothing may be answered until this
    /// time has moved on: the process may have been stopped, and others have what it had.
    pub fn serves_until(&self) -> Instant {
        self.life.beat + SUSPICION
    }

    /// Another number when other groups are owned, or by others.
    pub fn digest(&self) -> u64 {
        self.records.digests().all()
    }

    /// What is to be handed to [`restore`](Self::restore) by the next process on this node: each datagram behind its
    /// length in two bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let records: Vec<_> = self.records.iter().copied().collect();
        let from = self.members.own();
        let mut snapshot = Vec::new();
        for body in Body::entries(&[], &[], &records) {
            let bytes = Datagram {
                from,
                sequence: 0,
                body,
            }
            .emit();
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            snapshot.extend(length.to_be_bytes());
            snapshot.extend(bytes);
        }
        snapshot
    }

    /// What an earlier process on this node knew: to be handed in before any input. What cannot be read is left out.
    ///
    /// It may be old: a record without a group is forgotten in time, and the segment is asked for what this node owns before
    /// that is answered for.
    pub fn restore(&mut self, now: Instant, snapshot: &[u8]) {
        self.merge_snapshot(snapshot);
        let records = self.records.iter().map(|record| (record.group, now));
        self.duty.orphans.extend(records);
        self.doubt_everything();
    }

    fn merge_snapshot(&mut self, snapshot: &[u8]) {
        let mut rest = snapshot;
        while let Some((length, after)) = rest.split_first_chunk() {
            let Some((bytes, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else {
                return;
            };
            if let Ok(Datagram {
                body: Body::Entries { records, .. },
                ..
            }) = Datagram::parse(bytes)
            {
                for record in records {
                    self.records.merge(record, Backing::Minority);
                }
            }
            rest = after;
        }
    }

    /// Whether this member does its part: before, and after a pause, it is not known what it owns.
    pub fn is_up(&self) -> bool {
        self.members.serves(self.members.me)
    }

    pub(super) fn is_joining(&self) -> bool {
        self.members.own().phase == Phase::Joining
    }

    /// Whether no other speaker is known that could answer for anything.
    pub fn is_only(&self) -> bool {
        self.members.roster().iter().all(|id| *id == self.members.me)
    }

    /// The time of a timeout has come.
    pub(super) fn tick(&mut self, now: Instant) {
        if now >= self.life.next_heartbeat {
            self.life.beat = now;
            let next = self.life.next_heartbeat + HEARTBEAT;
            self.life.next_heartbeat = if next > now { next } else { now + HEARTBEAT };
            let missing = self.members.next_missing();
            for to in self.members.watchers().into_iter().chain(missing) {
                self.send_heartbeat(to);
            }
            self.join(now);
            self.attend(now);
        }
        if !self.life.is_leaving {
            self.inquire(now);
        }
        self.weigh(now);
        self.check(now);
        if now >= self.life.next_review {
            self.life.next_review = now + REVIEW;
            self.review(now);
        }
    }

    /// A heartbeat of somebody who knows the same members has heard of this life; one who knows the same records as well
    /// would have contradicted what this member has.
    pub(super) fn confirmed_by(&mut self, now: Instant, same_members: bool, same: bool) {
        if same_members {
            self.life.acknowledged.get_or_insert(now);
        }
        self.life.confirmed |= same;
        self.join(now);
    }

    /// Comes to be Up as soon as it knows what the others know, or that there are none.
    fn join(&mut self, now: Instant) {
        if !self.is_joining() || self.life.is_leaving || self.members.roster().is_empty() {
            return;
        }
        let waited = now - self.life.since;
        // What it had it has answered for before; and where there is nobody else, nobody does it better.
        let must_forward = !self.is_only() && !self.owns_anything();
        let is_unready = must_forward && !self.life.forwards;
        if is_unready && waited < FORWARDS_AT_LATEST {
            return;
        }
        let hears = self.members.alive().iter().any(|id| {
            let heard = self.members.get(*id).and_then(|known| known.heard);
            *id != self.members.me && heard.is_some_and(|heard| heard >= self.life.since)
        });
        let acknowledged = self.life.acknowledged.is_some_and(|at| now - at >= ALONE);
        let is_alone = !hears && (self.is_only() || waited >= ALONE);
        if self.life.confirmed || acknowledged || is_alone || (hears && waited >= JOIN_AT_MOST) {
            if is_alone && !self.is_only() {
                self.doubt_everything();
            }
            self.life.since = now;
            let phase = if self.duty.draining {
                Phase::Draining
            } else {
                Phase::Up
            };
            let why = if is_unready {
                Why::NotForwarding
            } else {
                Why::Joined
            };
            self.enter(now, phase, why, |_| {});
        }
    }

    fn owns_anything(&self) -> bool {
        self.records.count(self.members.me) > 0
    }

    /// This member has changed.
    fn tell_of_myself(&mut self, now: Instant, change: impl FnOnce(&mut Member)) {
        let mut me = self.members.own();
        change(&mut me);
        self.members.set(now, me);
        self.is_news(me, None);
        self.members_changed(now);
    }

    /// This member is in this phase from now on.
    fn enter(&mut self, now: Instant, phase: Phase, why: Why, change: impl FnOnce(&mut Member)) {
        let me = self.members.own();
        self.tell_phase(me.id, Some(me.phase), phase, why);
        self.tell_of_myself(now, |me| {
            me.phase = phase;
            change(me);
        });
    }

    /// Somebody says how this member is. Nobody knows better than itself.
    pub(super) fn hear_of_myself(&mut self, now: Instant, said: Member) -> Merged {
        let me = self.members.own();
        if said <= me {
            return if said == me { Merged::Known } else { Merged::Older };
        }
        let Life { born, incarnation } = said.life;
        self.tell_of_myself(now, |me| {
            me.life = match incarnation.checked_add(1) {
                Some(incarnation) => Life { born, incarnation },
                None => Life {
                    born: born.saturating_add(1),
                    incarnation: 0,
                },
            };
        });
        Merged::News
    }

    /// Falls silent if this process was stopped for longer than others wait for it.
    pub(super) fn notice_pause(&mut self, now: Instant) {
        if now <= self.serves_until() || self.life.is_leaving {
            return;
        }
        self.life.beat = now;
        self.inquiries.clear();
        if self.is_only() {
            return;
        }
        self.life.since = now;
        self.duty.other_ended = false;
        self.life.acknowledged = None;
        self.life.confirmed = false;
        self.members.expect_all(now);
        self.release_all(Cause::Silent);
        self.enter(now, Phase::Joining, Why::Paused, |me| {
            me.life.incarnation = me.life.incarnation.saturating_add(1);
        });
    }

    /// Gives everything away, or takes groups again.
    pub(super) fn drain(&mut self, now: Instant, drain: bool) {
        self.duty.draining = drain;
        if !self.is_up() || self.life.is_leaving {
            return;
        }
        let phase = if drain { Phase::Draining } else { Phase::Up };
        if self.members.own().phase != phase {
            self.enter(now, phase, Why::Drain, |me| {
                // Within a life there is no way back.
                me.life.incarnation = me.life.incarnation.saturating_add(1);
            });
        }
    }

    /// Says that this process is about to end, and to come back.
    pub(super) fn leave(&mut self, now: Instant) {
        self.life.is_leaving = true;
        self.enter(now, Phase::Away, Why::Leaving, |me| {
            // A verdict of others names the incarnation that they know.
            me.life.incarnation = me.life.incarnation.saturating_add(1);
        });
    }

    /// What follows from a change of members.
    pub(super) fn members_changed(&mut self, now: Instant) {
        self.life.changed = now;
        self.weigh(now);
        self.members_at_work_changed(now);
    }

    /// Since when nothing has changed among the members.
    pub(super) fn calm(&self, now: Instant) -> Duration {
        now - self.life.changed
    }

    pub(super) const fn me(&self) -> NodeId {
        self.members.me
    }
}
