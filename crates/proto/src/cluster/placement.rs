//! Where a group goes that has no owner, and who stands by.

use std::cmp::Reverse;
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::NodeId;

use super::records::key;
use super::{Candidates, Cluster, mix};

impl Cluster {
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
