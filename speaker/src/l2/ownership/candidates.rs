//! Which nodes the machine is told to be candidates: those of the plan, and where a group asks for it only those of them
//! that have an interface in the subnet of each of its addresses, with carrier or without.
//!
//! All members know the attachments, and say the same. A node whose attachment is not known is none; but while a group is
//! new it may come to be one, so the machine is told of all as its prospects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{Candidates, Input, NodeId};

use super::{Group, Ownership};

impl Ownership {
    /// Tells the machine the candidates of all groups that have others than in `before`, and which groups are gone.
    pub(super) fn tell_groups(&mut self, now: Instant, before: &BTreeMap<IpAddr, Group>) {
        let is_new = |(lowest, group): &(&IpAddr, &Group)| {
            before.get(*lowest).is_none_or(|before| {
                (before.on_link, &before.candidates) != (group.on_link, &group.candidates)
                    || (group.on_link && before.all != group.all)
            })
        };
        let new = self.plan.groups.iter().filter(is_new);
        let new: Vec<IpAddr> = new.map(|(lowest, _)| *lowest).collect();
        let gone = before
            .keys()
            .filter(|lowest| !self.plan.groups.contains_key(lowest));
        let gone: Vec<IpAddr> = gone.copied().collect();
        for group in new {
            let planned = self.plan.groups.get(&group);
            let former = planned.and_then(|planned| planned.former);
            let prospects = planned.filter(|planned| planned.on_link);
            let prospects = prospects.map(|planned| planned.candidates.clone());
            if let Some(former) = former.filter(|_| !before.contains_key(&group)) {
                self.handle(now, Input::Renamed { group, former });
            }
            if prospects.is_some() || self.narrowed.contains_key(&group) {
                self.handle(now, Input::Prospects { group, prospects });
            }
            self.tell_candidates(now, group);
        }
        for group in gone {
            self.narrowed.remove(&group);
            let candidates = None;
            self.handle(now, Input::Group { group, candidates });
        }
    }

    /// What this node may no longer announce it answers for until the next owner does: where, is what the plan said before.
    pub(super) fn keep_addresses(&mut self, before: &BTreeMap<IpAddr, Group>) {
        for (lowest, _) in self.cluster.serving() {
            let is_bare =
                |group: &Group| group.addresses.is_empty() && !group.candidates.contains_key(&self.me);
            if !self.plan.groups.get(&lowest).is_some_and(is_bare) {
                continue;
            }
            if let Some(known) = before.get(&lowest)
                && let Some(group) = Arc::make_mut(&mut self.plan).groups.get_mut(&lowest)
            {
                group.addresses.clone_from(&known.addresses);
            }
        }
    }

    /// A member is attached in another way than before.
    pub(super) fn narrow_anew(&mut self, now: Instant) {
        let narrowed: Vec<IpAddr> = self.narrowed.keys().copied().collect();
        for group in narrowed {
            self.tell_candidates(now, group);
        }
    }

    fn tell_candidates(&mut self, now: Instant, group: IpAddr) {
        let Some(planned) = self.plan.groups.get(&group) else {
            return;
        };
        let candidates = if planned.on_link {
            let narrow = self.on_link(planned);
            if self.narrowed.get(&group) == Some(&narrow) {
                return;
            }
            self.narrowed.insert(group, narrow.clone());
            narrow
        } else {
            self.narrowed.remove(&group);
            planned.candidates.clone()
        };
        let candidates = Some(candidates);
        self.handle(now, Input::Group { group, candidates });
    }

    fn on_link(&self, group: &Group) -> Candidates {
        let is_on_link = |id: NodeId, address: IpAddr| {
            let mut prefixes = self.interfaces_of(id).iter().flat_map(|one| &one.prefixes);
            prefixes.any(|prefix| prefix.contains(address))
        };
        let candidates = group.candidates.iter();
        let on_link = candidates.filter(|(id, _)| group.all.iter().all(|address| is_on_link(**id, *address)));
        let on_link: BTreeMap<NodeId, i64> = on_link.map(|(id, preference)| (*id, *preference)).collect();
        on_link.into()
    }
}
