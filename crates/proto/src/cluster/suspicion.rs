//! Who has not been heard, and what becomes of it.
//!
//! Silence is a question, not a verdict. Whoever misses a member asks it, and those who watch it as well, three times
//! since any datagram may be lost, and asks on the segment for an address that the member answers for and for the node's
//! own. One who has heard it, or an answer for the address from it, ends the matter: the network between two is broken,
//! or the port is blocked, and nothing must move. An answer from the node itself says that only its speaker is away.
//!
//! Who is on no link with the member would hear no such answer, and takes for dead what is not: it asks those who are,
//! and leaves the verdict to them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Body, Life, Member, NodeId, Phase};

use super::members::Members;
use super::{Cluster, HEARTBEAT, Output};

/// A member of whom there was no sign for so long is suspected: three heartbeats.
pub(super) const SUSPICION: Duration = Duration::from_millis(300);

/// So long those who are asked have time.
const CONFIRMATION: Duration = Duration::from_millis(100);

/// So long those have time who are on a link with the member, where this one is not.
const DEFERENCE: Duration = Duration::from_millis(300);

/// How many of those are asked.
const WITNESSES: usize = 3;

/// The time between asking.
const AGAIN: Duration = Duration::from_millis(33);

/// Who has heard a member within this time vouches for it.
const VOUCHES: Duration = Duration::from_millis(250);

/// A node that has not answered for its own address for so long is gone.
const NODE_SILENT: Duration = Duration::from_millis(500);

/// Who was heard within this time is not told to be unheard: ten heartbeats.
const UNHEARD: Duration = Duration::from_secs(1);

/// An open question.
#[derive(Debug)]
pub(super) struct Inquiry {
    life: Life,
    again: Instant,
    until: Instant,
    /// The node itself has answered.
    node_runs: bool,
}

/// The open questions.
#[derive(Debug, Default)]
pub(super) struct Inquiries(BTreeMap<NodeId, Inquiry>);

impl Inquiries {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0
            .values()
            .map(|inquiry| inquiry.again.min(inquiry.until))
            .min()
    }

    /// Of how many members it is in doubt whether they live: not of those whom others have found dead meanwhile.
    pub(super) fn count(&self, members: &Members) -> usize {
        let alive = |id: &&NodeId| members.phase(**id).is_some_and(|phase| phase < Phase::Away);
        self.0.keys().filter(alive).count()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Cluster {
    /// Of whom no datagram has come for longer than a second, or ever: of those who send their heartbeats here, and of those
    /// who are not alive as far as this member knows. Others may hear them all the time.
    pub fn unheard(&self, now: Instant) -> impl Iterator<Item = NodeId> + '_ {
        let watched = self.members.watched().into_iter();
        let expected = watched.chain(self.members.missing().iter().copied());
        expected.filter(move |id| {
            let heard = self.members.get(*id).and_then(|known| known.heard);
            heard.is_none_or(|heard| now - heard > UNHEARD)
        })
    }

    /// When somebody comes to be suspected.
    pub(super) fn next_suspicion(&self) -> Option<Instant> {
        let watched = self.members.watched().into_iter();
        let open = |id: &NodeId| !self.inquiries.0.contains_key(id);
        let signs = watched.filter(open).filter_map(|id| self.members.get(id));
        signs.map(|known| known.sign + SUSPICION).min()
    }

    /// Opens the questions whose time has come, asks again, and closes those whose time is over.
    pub(super) fn inquire(&mut self, now: Instant) {
        let silent = |this: &Self, id: &NodeId| {
            this.members
                .get(*id)
                .is_some_and(|known| now >= known.sign + SUSPICION)
        };
        let watched = self.members.watched();
        let missed: Vec<NodeId> = watched.iter().copied().filter(|id| silent(self, id)).collect();
        // If one is missed, it has gone. If several are, the network is divided: it would take long to find by and by
        // who is on the other side.
        let missed = if missed.len() > 1 {
            let alive = self.members.alive().iter().copied();
            let unheard = |id: &NodeId| {
                *id != self.members.me
                    && self.members.get(*id).is_some_and(|known| {
                        known.heard.is_none_or(|heard| now - heard > VOUCHES) && now - known.sign > VOUCHES
                    })
            };
            alive.filter(unheard).collect()
        } else {
            missed
        };
        for id in missed {
            if self.inquiries.0.contains_key(&id) {
                continue;
            }
            if watched.contains(&id) {
                self.outputs.push_back(Output::Suspected(id));
            }
            self.open(now, id);
        }
        let open: Vec<NodeId> = self.inquiries.0.keys().copied().collect();
        for id in open {
            self.pursue(now, id);
        }
    }

    fn open(&mut self, now: Instant, id: NodeId) {
        let time = if self.witnesses(id).is_empty() {
            CONFIRMATION
        } else {
            DEFERENCE
        };
        let Some(known) = self.members.get_mut(id) else {
            return;
        };
        known.suspected = Some(now);
        let inquiry = Inquiry {
            life: known.member.life,
            again: now,
            until: now + time,
            node_runs: false,
        };
        self.inquiries.0.insert(id, inquiry);
    }

    /// Who is on a link with a member and may hear it there, if this one is on none; some of them.
    fn witnesses(&self, id: NodeId) -> Vec<NodeId> {
        if self.are_on_one_link(self.me(), id) != Some(false) {
            return Vec::new();
        }
        let others = self.members.alive().iter().copied();
        others
            .filter(|other| *other != id && self.are_on_one_link(*other, id) == Some(true))
            .take(WITNESSES)
            .collect()
    }

    fn pursue(&mut self, now: Instant, id: NodeId) {
        let (Some(inquiry), Some(known)) = (self.inquiries.0.get_mut(&id), self.members.get(id)) else {
            self.inquiries.0.remove(&id);
            return;
        };
        let member = known.member;
        if inquiry.life != member.life || now < known.sign + HEARTBEAT || member.phase >= Phase::Away {
            self.inquiries.0.remove(&id);
            return;
        }
        if now >= inquiry.until {
            let phase = if inquiry.node_runs {
                Phase::Away
            } else {
                Phase::Dead
            };
            self.inquiries.0.remove(&id);
            self.learn(now, Member { phase, ..member }, None);
            return;
        }
        if now >= inquiry.again {
            inquiry.again = now + AGAIN;
            self.send(id, Body::Suspect(member));
            let watchers = self.members.watchers_of(id).into_iter();
            let asked: BTreeSet<NodeId> = watchers.chain(self.witnesses(id)).collect();
            for other in asked {
                self.send(other, Body::Suspect(member));
            }
            self.ask_on_the_segment(id);
            self.outputs.push_back(Output::AskNode(id));
        }
    }

    /// Asks for some of what a member owns. More than one: it may be in doubt about one, or not reach this segment with it.
    fn ask_on_the_segment(&mut self, id: NodeId) {
        let owned = self
            .records
            .of(id)
            .filter(|group| self.groups.contains_key(group));
        let groups: Vec<IpAddr> = owned.take(2).collect();
        for group in groups {
            self.outputs.push_back(Output::Ask { group });
        }
    }

    /// Somebody asks about a member. Whoever is on a link with it where the other is not inquires itself.
    pub(super) fn asked_about(&mut self, now: Instant, by: NodeId, member: Member) {
        let id = member.id;
        let known = self.members.get(id);
        let lately = |at: Option<Instant>| at.is_some_and(|at| now - at <= VOUCHES);
        let heard = id == self.members.me
            || known.is_some_and(|known| {
                known.member.life >= member.life && (lately(known.heard) || lately(known.answered))
            });
        let lives =
            known.is_some_and(|known| known.member.life == member.life && known.member.phase < Phase::Away);
        self.send(by, Body::Opinion { member, heard });
        if !heard
            && lives
            && !self.inquiries.0.contains_key(&id)
            && self.are_on_one_link(by, id) == Some(false)
            && self.are_on_one_link(self.me(), id) == Some(true)
        {
            self.open(now, id);
            self.pursue(now, id);
        }
    }

    /// Somebody says whether it has heard a member.
    pub(super) fn told_about(&mut self, now: Instant, member: &Member, heard: bool) {
        if heard && let Some(known) = self.members.get_mut(member.id) {
            known.sign = now;
        }
    }

    /// A member answers on the segment for what it owns: it lives, whether it is heard or not.
    pub(super) fn answered_by(&mut self, now: Instant, id: NodeId) {
        if let Some(known) = self.members.get_mut(id) {
            known.answered = Some(now);
        }
        if self.inquiries.0.remove(&id).is_some()
            && let Some(known) = self.members.get_mut(id)
        {
            // It is asked again in a moment: nobody else would notice if it went now.
            known.sign = now;
        }
    }

    /// Asks for the nodes in whose name this one answers: with their kernels goes what they forward to.
    pub(super) fn attend(&mut self, now: Instant) {
        for id in self.stands_in_for() {
            let Some(known) = self.members.get_mut(id) else {
                continue;
            };
            let member = known.member;
            if member.phase != Phase::Away {
                continue;
            }
            if now - *known.node_seen.get_or_insert(now) > NODE_SILENT {
                self.learn(
                    now,
                    Member {
                        phase: Phase::Dead,
                        ..member
                    },
                    None,
                );
            } else {
                self.ask_on_the_segment(id);
                self.outputs.push_back(Output::AskNode(id));
            }
        }
    }

    /// A node's kernel answers.
    pub(super) fn node_runs(&mut self, now: Instant, id: NodeId) {
        if let Some(known) = self.members.get_mut(id) {
            known.node_seen = Some(now);
        }
        if let Some(inquiry) = self.inquiries.0.get_mut(&id) {
            inquiry.node_runs = true;
        }
    }
}
