//! Whether owners are heard where the addresses are, as somebody else sees it.
//!
//! A speaker can live, be heard, and answer nothing: a socket that is broken, a filter on the way, a switch that has lost
//! its mind. Nobody but another station notices. So each address is asked for every ten seconds by one other node on its
//! segment: the first of those who stand by, or, where none of them is there, one that all choose alike. If it is not
//! answered rightly twice in a row the owner is told, and opens its sockets anew; three times, and it gives the group away.
//!
//! One lost frame means nothing: a check has failed when three questions were not answered, five if the check before has
//! failed too. With a tenth of all frames lost three in a row fail so by chance once in two billion times. And who hears
//! no answer at all, of nobody on the segment, is at fault itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Body, NodeId, Phase, Prefix, Record, Unanswered};

use super::members::REMEMBERED;
use super::records::key;
use super::{Cause, Cluster, Output, Role, mix, nanoseconds};

/// The time from one check of an address to the next.
const PERIOD: Duration = Duration::from_secs(10);

/// So long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(300);

/// How many questions a check has at most.
const QUESTIONS: u32 = 3;

/// The same when the check before has failed.
const QUESTIONS_AGAIN: u32 = 5;

/// The time from one question to the next one, about whatever: 50 a second.
const PACE: Duration = Duration::from_millis(20);

/// Who has heard nobody on the segment for so long may be deaf itself.
const DEAF: Duration = Duration::from_secs(15);

/// After so many failed checks in a row the owner is told.
const TOLD: u8 = 2;

/// By so many datagrams: one may be lost, and the next check is ten seconds away.
const COPIES: usize = 3;

/// The checks that are this member's to do.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// By address.
    watched: BTreeMap<IpAddr, Watched>,
    agenda: BTreeSet<(Instant, IpAddr)>,
    /// What they were chosen from: digests of the records and of the members, and the version of the groups' addresses;
    /// none if there was no time for checks.
    chosen_from: Option<(u64, u64, u64)>,
    /// The earliest time of the next question.
    pace: Instant,
    /// When somebody answered last on each segment.
    heard: BTreeMap<Prefix, Instant>,
    /// Since when this member answers for what it owns, by group.
    serves: BTreeMap<IpAddr, Instant>,
    /// The last complaint about each group: epoch, how many failures, and when.
    complaints: BTreeMap<IpAddr, (u32, u8, Instant)>,
}

/// One address, as this member sees it.
#[derive(Clone, Copy, Debug)]
struct Watched {
    group: IpAddr,
    owner: NodeId,
    epoch: u32,
    due: Instant,
    asked: u32,
    failures: u8,
}

impl Checks {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (due, _) = self.agenda.first()?;
        Some((*due).max(self.pace))
    }

    /// This member answers for a group from now on, or for one more of its addresses.
    pub(super) fn begins(&mut self, now: Instant, group: IpAddr) {
        self.serves.insert(group, now);
    }

    /// It does no longer.
    pub(super) fn ends(&mut self, group: IpAddr) {
        self.serves.remove(&group);
        self.complaints.remove(&group);
    }

    fn set(&mut self, address: IpAddr, watched: Watched) {
        self.remove(address);
        self.agenda.insert((watched.due, address));
        self.watched.insert(address, watched);
    }

    fn remove(&mut self, address: IpAddr) {
        if let Some(watched) = self.watched.remove(&address) {
            self.agenda.remove(&(watched.due, address));
        }
    }
}

impl Cluster {
    /// Chooses anew what is this member's to check. What has another owner, or is about to, begins anew.
    pub(super) fn choose_checks(&mut self, now: Instant, calm: bool) {
        self.checks.heard.retain(|_, at| now - *at < DEAF);
        let is_time = calm && self.is_up() && !self.life.is_leaving;
        let from = is_time.then(|| {
            let (records, members) = (self.records.digests().all(), self.members.digests().all());
            (records, members, self.conflicts.version())
        });
        if std::mem::replace(&mut self.checks.chosen_from, from) == from {
            return;
        }
        let wanted = if is_time {
            self.checks_to_do()
        } else {
            BTreeMap::new()
        };
        let known: Vec<IpAddr> = self.checks.watched.keys().copied().collect();
        for address in known {
            if !wanted.contains_key(&address) {
                self.checks.remove(address);
            }
        }
        for (address, (group, owner, epoch)) in wanted {
            let known = self.checks.watched.get(&address);
            if known.is_some_and(|known| (known.group, known.owner, known.epoch) == (group, owner, epoch)) {
                continue;
            }
            let part = mix(key(address) ^ self.me().get()) % nanoseconds(PERIOD);
            let watched = Watched {
                group,
                owner,
                epoch,
                due: now + Duration::from_nanos(part),
                asked: 0,
                failures: 0,
            };
            self.checks.set(address, watched);
        }
    }

    /// Each address with its group, and the owner and epoch of that.
    fn checks_to_do(&self) -> BTreeMap<IpAddr, (IpAddr, NodeId, u32)> {
        let groups = self.groups.keys().filter_map(|group| self.records.get(*group));
        // Where somebody else has an address nobody answers for it.
        let calm = groups.filter(|record| {
            record.owner != self.me()
                && record.from.is_none()
                && self.members.is_up(record.owner)
                && !self.conflicts.is_contested(record.group)
        });
        let addresses = calm.flat_map(|record| {
            let seen = self.conflicts.seen_here(record.group);
            let mine = seen.filter(move |address| self.checker(record, *address) == Some(self.me()));
            mine.map(move |address| (address, (record.group, record.owner, record.epoch)))
        });
        addresses.collect()
    }

    /// Who checks an address: all choose alike.
    fn checker(&self, record: &Record, address: IpAddr) -> Option<NodeId> {
        if !self.is_on_segment(record.owner, address) {
            return None;
        }
        let able =
            |id: &NodeId| *id != record.owner && self.members.is_up(*id) && self.is_on_segment(*id, address);
        let mut standbys = record.standbys.into_iter().flatten();
        let others = || {
            let ids = self.members.iter().map(|member| member.id).filter(able);
            ids.max_by_key(|id| (mix(key(address) ^ id.get()), *id))
        };
        standbys.find(able).or_else(others)
    }

    /// Asks for what is due, and judges what has not been answered.
    pub(super) fn check(&mut self, now: Instant) {
        while self.checks.poll_timeout().is_some_and(|due| due <= now) {
            let Some((_, address)) = self.checks.agenda.first().copied() else {
                return;
            };
            let Some(mut watched) = self.checks.watched.get(&address).copied() else {
                return;
            };
            let most = if watched.failures == 0 {
                QUESTIONS
            } else {
                QUESTIONS_AGAIN
            };
            if watched.asked < most {
                watched.asked += 1;
                watched.due = now + PATIENCE;
                self.checks.pace = now + PACE;
                let group = watched.group;
                self.outputs.push_back(Output::Check { group, address });
                if watched.asked > 1 {
                    // If its kernel answers, and it does not, this member is not deaf.
                    self.outputs.push_back(Output::AskNode(watched.owner));
                }
            } else {
                watched.asked = 0;
                watched.due = now + PERIOD.saturating_sub(PATIENCE * most);
                watched.failures = if self.is_deaf(now, address) {
                    0
                } else {
                    watched.failures.saturating_add(1)
                };
                self.complain(address, &watched);
            }
            self.checks.set(address, watched);
        }
    }

    /// Whether this member has told an owner so often that it is not answered that the group was to move.
    pub(super) fn is_unanswered(&self, group: IpAddr, owner: NodeId) -> bool {
        let addresses = self.conflicts.seen_here(group);
        let mut watched = addresses.filter_map(|address| self.checks.watched.get(&address));
        watched.any(|watched| watched.owner == owner && watched.failures > TOLD)
    }

    fn complain(&mut self, address: IpAddr, watched: &Watched) {
        if watched.failures < TOLD {
            return;
        }
        let complaint = Unanswered {
            group: watched.group,
            address,
            epoch: watched.epoch,
            times: watched.failures,
        };
        for _ in 0..COPIES {
            self.send(watched.owner, Body::Unanswered(complaint));
        }
    }

    /// A node has answered for an address.
    pub(super) fn check_is_answered(&mut self, now: Instant, address: IpAddr, by: NodeId) {
        self.hear_segment(now, address);
        let Some(mut watched) = self.checks.watched.get(&address).copied() else {
            return;
        };
        if watched.owner == by {
            if watched.asked > 0 {
                watched.due = now + PERIOD;
            }
            watched.asked = 0;
            watched.failures = 0;
            self.checks.set(address, watched);
        }
    }

    /// Somebody has answered on the segments with these prefixes.
    pub(super) fn heard_on(&mut self, now: Instant, prefixes: impl IntoIterator<Item = Prefix>) {
        let prefixes = prefixes.into_iter().map(|prefix| (prefix, now));
        self.checks.heard.extend(prefixes);
    }

    fn hear_segment(&mut self, now: Instant, address: IpAddr) {
        let prefixes: Vec<Prefix> = self.prefixes_of(self.me(), address).collect();
        self.heard_on(now, prefixes);
    }

    /// Whether this member has heard nobody for a while where the address is.
    fn is_deaf(&self, now: Instant, address: IpAddr) -> bool {
        let mut prefixes = self.prefixes_of(self.me(), address);
        !prefixes.any(|prefix| {
            let heard = self.checks.heard.get(&prefix);
            heard.is_some_and(|at| now - *at < DEAF)
        })
    }

    /// Whether a node is known to have an interface with carrier on the link of an address.
    fn is_on_segment(&self, id: NodeId, address: IpAddr) -> bool {
        self.prefixes_of(id, address).next().is_some()
    }

    fn prefixes_of(&self, id: NodeId, address: IpAddr) -> impl Iterator<Item = Prefix> {
        let interfaces = self.members.attachment(id).into_iter();
        let interfaces = interfaces.flat_map(|attachment| &attachment.interfaces);
        let plugged = interfaces.filter(|interface| interface.carrier);
        let prefixes = plugged.flat_map(|interface| interface.prefixes.iter().copied());
        prefixes.filter(move |prefix| prefix.contains(address))
    }

    /// A member has asked for what this one owns, again and again, and was not answered.
    pub(super) fn unanswered(&mut self, now: Instant, by: NodeId, said: Unanswered) {
        let Unanswered {
            group,
            address,
            epoch,
            times,
        } = said;
        let record = self.records.get(group).copied();
        let Some(record) = record.filter(|record| record.owner == self.me() && record.epoch == epoch) else {
            return;
        };
        // It is no news that nobody answered before this member did.
        let least = PERIOD * u32::from(times.min(TOLD + 1).saturating_sub(1));
        let since = self.checks.serves.get(&group);
        let answers = self.duty.serving.get(&group) == Some(&Role::Owner)
            && self.members.own().phase == Phase::Up
            && since.is_some_and(|since| now - *since >= least)
            && self.withheld().all(|withheld| withheld != address);
        let Some(candidates) = self.groups.get(&group).cloned().filter(|_| answers) else {
            return;
        };
        let before = self.checks.complaints.insert(group, (epoch, times, now));
        let is_copy = |before: (u32, u8, Instant)| {
            (before.0, before.1) == (epoch, times) && now - before.2 < PERIOD / 2
        };
        if before.is_some_and(is_copy) {
            return;
        }
        let next = if times > TOLD && !self.has_moved(now, group) {
            let mut standbys = record.standbys.into_iter().flatten();
            let able =
                |id: &NodeId| self.can_own(group, &candidates, *id) && self.is_on_segment(*id, address);
            let next = standbys.find(able);
            next.or_else(|| self.best(now, group, &candidates, Some(self.me())).filter(able))
        } else {
            None
        };
        self.outputs.push_back(Output::Unheard {
            group,
            address,
            by,
            next,
        });
        if let Some(next) = next {
            self.hand_over(now, record, &candidates, next, Cause::HandedOver);
        }
    }

    /// Whether it has moved of late: then it stays, or it would be thrown to and fro where no answer comes through.
    fn has_moved(&self, now: Instant, group: IpAddr) -> bool {
        let moves = self.duty.moves.get(&group);
        moves.is_some_and(|moves| moves.iter().any(|at| now - *at < REMEMBERED))
    }
}
