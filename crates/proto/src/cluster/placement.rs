//! Where a group goes that has no owner, and who stands by.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Backing, NodeId, Phase, Record};

use super::records::key;
use super::serve::OVERDUE;
use super::{Candidates, Cluster, mix};

/// New groups wait for so long after this member's beginning for speakers that are known and not heard yet, so that
/// the first one that is there does not take them all.
const GATHERING: Duration = Duration::from_secs(5);

/// A new group waits for so long if only some are known to lead there: the others may not have heard of it yet, and tell
/// what leads to it when they do.
const ATTACHING: Duration = Duration::from_millis(500);

impl Cluster {
    /// Until when new groups wait for speakers that are not heard yet. Not what another load balancer answered for: nobody
    /// answers meanwhile, and a speaker that is still missing begins where the other one has just ended.
    fn gathered(&self) -> Instant {
        if self.duty.other_ended {
            self.life.since
        } else {
            self.life.since + GATHERING
        }
    }

    pub(super) fn place_new(&mut self, now: Instant, group: IpAddr, candidates: &Candidates) {
        let gathered = self.gathered();
        let (placer, me) = (self.members.placer(), self.me());
        if placer != Some(me) {
            // It may not have heard of the group, and then never will place it.
            let known = *self.duty.unowned.entry(group).or_insert(now);
            let overdue = known.max(gathered) + OVERDUE;
            if now < overdue {
                return self.duty.due(overdue, group);
            }
            let next = self.standbys(now, group, candidates, placer.unwrap_or(me))[0];
            if next != Some(me) {
                return;
            }
        }
        let prospects = self.duty.prospects.get(&group).unwrap_or(candidates).clone();
        let missing = prospects
            .keys()
            .any(|id| matches!(self.members.phase(*id), None | Some(Phase::Joining)));
        if missing && now < gathered {
            return self.duty.due(gathered, group);
        }
        if let Some(until) = self.hesitates_until() {
            return self.duty.due(until, group);
        }
        if self.is_divided(group, &prospects, candidates) {
            let until = *self.duty.unplaced.entry(group).or_insert(now + ATTACHING);
            if now < until {
                return self.duty.due(until, group);
            }
        }
        self.place(now, group, candidates, None);
    }

    /// Gives a group to the best that can have it, after the owner that this record names. An owner that lives answers
    /// until the next one does.
    pub(super) fn place(
        &mut self,
        now: Instant,
        group: IpAddr,
        candidates: &Candidates,
        before: Option<Record>,
    ) {
        let except = before.map(|before| before.owner);
        let Some(owner) = self.best(now, group, candidates, except) else {
            return;
        };
        let epoch = before.map_or(0, |before| before.epoch);
        self.write(
            now,
            Record {
                group,
                backing: Backing::Minority,
                epoch: epoch.saturating_add(1),
                revision: 0,
                owner,
                from: except.filter(|except| self.members.serves(*except)),
                standbys: self.standbys(now, group, candidates, owner),
            },
        );
    }

    /// The best owner for `group` of the candidates that are Up and reach it, without `except`. Those that fail often come
    /// last; then counts what is preferred, then who is known to lead to most of its addresses, then who has the fewest
    /// groups.
    pub(super) fn best(
        &self,
        now: Instant,
        group: IpAddr,
        candidates: &Candidates,
        except: Option<NodeId>,
    ) -> Option<NodeId> {
        let owners = self.able(group, candidates, except);
        owners
            .min_by_key(|(id, preference)| {
                (
                    self.members.is_unsteady(*id, now),
                    Reverse(*preference),
                    Reverse(self.leads_to(group, *id)),
                    self.records.count(*id),
                    Reverse(weight(group, *id)),
                )
            })
            .map(|(id, _)| id)
    }

    /// Who takes over from `owner`: what is shared out by weight is not all taken over by one.
    pub(super) fn standbys(
        &self,
        now: Instant,
        group: IpAddr,
        candidates: &Candidates,
        owner: NodeId,
    ) -> [Option<NodeId>; 2] {
        let rank = |(id, preference): &(NodeId, i64)| {
            (
                self.members.is_unsteady(*id, now),
                Reverse(*preference),
                Reverse(self.leads_to(group, *id)),
                Reverse(weight(group, *id)),
            )
        };
        let first = self
            .able(group, candidates, Some(owner))
            .min_by_key(rank)
            .map(|(id, _)| id);
        let others = self
            .able(group, candidates, Some(owner))
            .filter(|(id, _)| Some(*id) != first);
        [first, others.min_by_key(rank).map(|(id, _)| id)]
    }

    /// Whether it is in doubt which of those that are Up lead to a group: some are known to, and others are not, or to fewer
    /// of its addresses, or are no candidates yet.
    pub(super) fn is_divided(&self, group: IpAddr, prospects: &Candidates, candidates: &Candidates) -> bool {
        let leads = |id: NodeId| {
            if candidates.contains_key(&id) {
                self.leads_to(group, id)
            } else {
                0
            }
        };
        let mut leads = self.able(group, prospects, None).map(|(id, _)| leads(id));
        leads
            .next()
            .is_some_and(|first| leads.any(|other| other != first))
    }

    fn able<'a>(
        &'a self,
        group: IpAddr,
        candidates: &'a Candidates,
        except: Option<NodeId>,
    ) -> impl Iterator<Item = (NodeId, i64)> + 'a {
        candidates
            .iter()
            .filter(move |(id, _)| Some(**id) != except && self.can_own(group, candidates, **id))
            .map(|(id, preference)| (*id, *preference))
    }
}

/// The weight of a node for a group (rendezvous hashing).
fn weight(group: IpAddr, id: NodeId) -> u64 {
    mix(key(group) ^ id.get())
}
