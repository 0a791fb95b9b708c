//! Where a group goes that has no owner, and who stands by.

use std::cmp::Reverse;
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::NodeId;

use super::records::key;
use super::{Candidates, Cluster, mix};

impl Cluster {
    /// The candidates for `group` that are Up, without `except`: the best owner first. Those that fail often come last;
    /// then counts what is preferred, then who has the fewest groups.
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
