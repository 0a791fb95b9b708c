//! Who is there, in which life, and who watches whom.
//!
//! The members that are alive stand in a ring, in the order of a hash of their numbers. Each one sends its heartbeats to
//! the [`WATCHERS`](ring::WATCHERS) behind it; few are spared of them, and a lost one is missed by several.

mod ring;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Attachment, MEMBER_BUCKETS, Member, NodeId, Phase};

use super::digests::Digests;
use super::former::Last;
use super::mix;

/// A member that died so often within [`REMEMBERED`] is the last choice for as long.
const FAILED_TOO_OFTEN: usize = 2;

/// How long failures, and moves of a group, are remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(180);

/// What is known of one member.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) member: Member,
    attachment: Option<Attachment>,
    /// When an interface of it got its carrier back last.
    pub(super) plugged: Option<Instant>,
    /// When a datagram came from it last.
    pub(super) heard: Option<Instant>,
    /// When there was a sign of life last, or reason to wait for one since.
    pub(super) sign: Instant,
    /// When this member began to ask for it last.
    pub(super) suspected: Option<Instant>,
    /// What was seen of it before it was gone.
    pub(super) last: Last,
    /// When it answered last on the segment for what it owns.
    pub(super) answered: Option<Instant>,
    /// When its node's kernel answered last, since its speaker has been away.
    pub(super) node_seen: Option<Instant>,
    /// The number of its newest datagram in this life.
    sequence: Option<u64>,
    /// Since when it is Up, or is not.
    pub(super) since: Instant,
    /// Since when this is known of it.
    pub(super) told: Instant,
    /// It is Away and has said so itself: it is not what others found, who know of no later incarnation than before.
    pub(super) leaves: bool,
    /// When it failed.
    failures: Vec<Instant>,
    /// Until then others are better.
    unsteady_until: Option<Instant>,
    /// Since when its digests differ from ours.
    pub(super) differs: Option<Instant>,
    /// When digests were exchanged with it last.
    pub(super) compared: Option<Instant>,
    /// Which ones, if this member began.
    pub(super) comparison: Comparison,
}

/// What was compared with a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// The digests of all, its own and ours.
    pub(super) digests: [u64; 4],
    /// How often they were the same before.
    pub(super) repeats: u32,
}

/// What has become of an entry that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// It is news.
    News,
    /// It is known.
    Known,
    /// It is older than what is known.
    Older,
}

/// All members.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) me: NodeId,
    known: BTreeMap<NodeId, Known>,
    roster: BTreeSet<NodeId>,
    digests: Digests<MEMBER_BUCKETS>,
    /// Those that are alive, and this one.
    ring: Vec<NodeId>,
    /// Those that are known, or should be there, and are not alive.
    missing: Vec<NodeId>,
    /// Whose turn it is of those.
    turn: usize,
    /// How many of the roster are alive.
    present: usize,
    /// When this member learned last that somebody is dead.
    pub(super) latest_death: Option<Instant>,
}

impl Members {
    pub(super) fn new(now: Instant, me: Member) -> Self {
        let mut members = Self {
            me: me.id,
            known: BTreeMap::new(),
            roster: BTreeSet::new(),
            digests: Digests::default(),
            ring: Vec::new(),
            missing: Vec::new(),
            turn: 0,
            present: 0,
            latest_death: None,
        };
        members.set(now, me);
        members
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.known.values().map(|known| &known.member)
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Known> {
        self.known.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Known> {
        self.known.get_mut(&id)
    }

    /// This member as it tells of itself.
    pub(super) fn own(&self) -> Member {
        self.known[&self.me].member
    }

    /// Whether it takes groups.
    pub(super) fn is_up(&self, id: NodeId) -> bool {
        self.phase(id) == Some(Phase::Up)
    }

    /// Whether it answers for what it owns.
    pub(super) fn serves(&self, id: NodeId) -> bool {
        self.phase(id).is_some_and(serves)
    }

    pub(super) fn phase(&self, id: NodeId) -> Option<Phase> {
        Some(self.known.get(&id)?.member.phase)
    }

    /// Whether it failed so often of late that others are better.
    pub(super) fn is_unsteady(&self, id: NodeId, now: Instant) -> bool {
        let until = self.known.get(&id).and_then(|known| known.unsteady_until);
        until.is_some_and(|until| now < until)
    }

    pub(super) const fn roster(&self) -> &BTreeSet<NodeId> {
        &self.roster
    }

    pub(super) fn set_roster(&mut self, roster: BTreeSet<NodeId>) {
        self.roster = roster;
        let gone: Vec<NodeId> = self
            .iter()
            .filter(|member| self.is_forgotten(member))
            .map(|member| member.id)
            .collect();
        for id in gone {
            self.forget(id);
        }
        self.count();
    }

    /// Dead, and no longer among the known speakers.
    fn is_forgotten(&self, member: &Member) -> bool {
        member.phase == Phase::Dead && member.id != self.me && !self.roster.contains(&member.id)
    }

    /// Gone, and not among the known speakers: others forget it a moment later, and tell of it until then.
    fn is_no_news(&self, said: &Member) -> bool {
        said.phase >= Phase::Away && said.id != self.me && !self.roster.contains(&said.id)
    }

    fn forget(&mut self, id: NodeId) {
        if let Some(known) = self.known.remove(&id) {
            self.toggle(&known.member);
            known
                .attachment
                .iter()
                .for_each(|known| self.toggle_attachment(known));
            self.place(id, false);
        }
    }

    /// The first of those who do their part: it decides where new groups go.
    pub(super) fn placer(&self) -> Option<NodeId> {
        let mut members = self.iter().filter(|member| serves(member.phase));
        members.next().map(|member| member.id)
    }

    /// The same of those who can look after what `owner` has.
    pub(super) fn placer_beside(&self, owner: NodeId) -> Option<NodeId> {
        let mut members = self
            .iter()
            .filter(|member| serves(member.phase) && member.id != owner);
        members.next().map(|member| member.id)
    }

    /// Takes note of a datagram; returns whether it is newer than all that came from its sender before.
    pub(super) fn hear(&mut self, now: Instant, from: &Member, sequence: u64) -> bool {
        let Some(known) = self.known.get_mut(&from.id) else {
            return false;
        };
        if known.member.life != from.life || known.sequence.is_some_and(|newest| newest >= sequence) {
            return false;
        }
        known.sequence = Some(sequence);
        known.heard = Some(now);
        known.sign = now;
        true
    }

    /// Takes in what somebody says of a member, this one included.
    pub(super) fn merge(&mut self, now: Instant, said: Member) -> Merged {
        let order = self.known.get(&said.id).map(|known| said.cmp(&known.member));
        match order {
            Some(std::cmp::Ordering::Less) => Merged::Older,
            Some(std::cmp::Ordering::Equal) => Merged::Known,
            None if self.is_no_news(&said) => Merged::Known,
            _ => {
                self.set(now, said);
                Merged::News
            }
        }
    }

    pub(super) fn attachment(&self, id: NodeId) -> Option<&Attachment> {
        self.known.get(&id)?.attachment.as_ref()
    }

    /// Takes in what somebody says of how a member is attached, this one included. Of one who is not known nothing is kept.
    pub(super) fn merge_attachment(&mut self, now: Instant, said: Attachment) -> Merged {
        let Some(known) = self.known.get_mut(&said.id) else {
            return Merged::Known;
        };
        let old = known.attachment.clone();
        match old.as_ref().map(|old| said.cmp(old)) {
            Some(std::cmp::Ordering::Less) => return Merged::Older,
            Some(std::cmp::Ordering::Equal) => return Merged::Known,
            _ => known.attachment = Some(said.clone()),
        }
        if let Some(old) = &old {
            let lost = old.interfaces.iter().filter(|interface| !interface.carrier);
            let mut lost = lost.map(|interface| interface.mac);
            let is_back = |mac| said.interfaces.iter().any(|now| now.mac == mac && now.carrier);
            if lost.any(is_back) {
                known.plugged = Some(now);
            }
            self.toggle_attachment(old);
        }
        self.toggle_attachment(&said);
        Merged::News
    }

    /// This is how a member is.
    pub(super) fn set(&mut self, now: Instant, member: Member) {
        let old = self.known.get(&member.id).map(|known| known.member);
        let is_alive = self.is_alive(&member);
        let was_alive = self.ring.contains(&member.id);
        if let Some(old) = &old {
            self.toggle(old);
        }
        self.toggle(&member);
        let known = self.known.entry(member.id).or_insert_with(|| Known {
            member,
            attachment: None,
            plugged: None,
            heard: None,
            sign: now,
            suspected: None,
            last: Last::default(),
            answered: None,
            node_seen: None,
            sequence: None,
            since: now,
            told: now,
            leaves: false,
            failures: Vec::new(),
            unsteady_until: None,
            differs: None,
            compared: None,
            comparison: Comparison::default(),
        });
        known.member = member;
        known.told = now;
        known.leaves = member.phase == Phase::Away && old.is_none_or(|old| old.life != member.life);
        if old.is_some_and(|old| serves(old.phase) != serves(member.phase)) {
            known.since = now;
        }
        if member.phase == Phase::Dead {
            self.latest_death = Some(now);
        }
        if old.is_some_and(|old| old.phase != Phase::Dead) && member.phase == Phase::Dead {
            known.failures.retain(|at| now - *at < REMEMBERED);
            known.failures.push(now);
            if known.failures.len() >= FAILED_TOO_OFTEN {
                known.unsteady_until = Some(now + REMEMBERED);
            }
        }
        if old.is_none_or(|old| old.life != member.life) {
            known.sequence = None;
        }
        if old.is_none_or(|old| old.phase != member.phase) {
            known.node_seen = None;
        }
        if is_alive && !was_alive {
            known.sign = now;
        }
        if is_alive != was_alive {
            let before = self.watched();
            if is_alive {
                self.ring.push(member.id);
                self.ring.sort_by_key(|id| (mix(id.get()), *id));
            } else {
                self.ring.retain(|id| *id != member.id);
                if let Some(known) = self.known.get_mut(&member.id) {
                    known.last = Last::of(known, before.contains(&member.id));
                }
            }
            self.expect(now, &before);
        }
        if is_alive != was_alive || old.is_none() {
            self.place(member.id, was_alive);
        }
        if self.is_forgotten(&member) {
            self.forget(member.id);
        }
    }

    /// Forgets who has been away for so long, and is no longer among the known speakers.
    pub(super) fn forget_gone(&mut self, now: Instant, away: Duration) {
        let gone = |known: &&Known| {
            known.member.phase >= Phase::Away && known.member.id != self.me && now - known.since >= away
        };
        let gone = self.known.values().filter(gone).map(|known| known.member.id);
        let gone: Vec<NodeId> = gone.filter(|id| !self.roster.contains(id)).collect();
        gone.into_iter().for_each(|id| self.forget(id));
    }

    /// Waits for all anew.
    pub(super) fn expect_all(&mut self, now: Instant) {
        for known in self.known.values_mut() {
            known.sign = now;
            known.heard = None;
        }
    }

    /// Adds an entry to the digests, or takes it out.
    fn toggle(&mut self, member: &Member) {
        let Member { id, life, phase } = *member;
        let fields = [life.born, life.incarnation.into(), phase as u64];
        self.digests.toggle(mix(id.get()), fields);
    }

    /// The same for an attachment: of one member with the other one, since they are compared together.
    fn toggle_attachment(&mut self, attachment: &Attachment) {
        let Attachment {
            id, born, revision, ..
        } = attachment;
        let interfaces = attachment.interfaces.iter().flat_map(|interface| {
            let [a, b, c, d, e, f] = interface.mac.0;
            let mac = u64::from_be_bytes([0, interface.carrier.into(), a, b, c, d, e, f]);
            let prefixes = interface.prefixes.iter();
            let prefixes = prefixes
                .map(|prefix| mix(super::records::key(prefix.address()) ^ u64::from(prefix.length())));
            [mac].into_iter().chain(prefixes)
        });
        // No incarnation is as great: no member's own entry has the same fields.
        let fields = [*born, !u64::from(*revision)].into_iter().chain(interfaces);
        self.digests.toggle(mix(id.get()), fields);
    }

    pub(super) const fn digests(&self) -> &Digests<MEMBER_BUCKETS> {
        &self.digests
    }

    /// The entries in those buckets in which `theirs` differ.
    pub(super) fn differing(&self, theirs: &[u64; MEMBER_BUCKETS]) -> (Vec<Member>, Vec<Attachment>) {
        let differs = |known: &&Known| self.digests.differ(theirs, mix(known.member.id.get()));
        let known = self.known.values().filter(differs);
        (
            known.clone().map(|known| known.member).collect(),
            known.filter_map(|known| known.attachment.clone()).collect(),
        )
    }
}

/// Whether a member of this phase answers for what it owns.
const fn serves(phase: Phase) -> bool {
    matches!(phase, Phase::Up | Phase::Draining)
}
