//! What is to be announced, by whom it can be, and what this node would announce of it.

use super::{Index, Role};
use crate::l2::{Group, Plan, Speaker};
use cortenlb_core::announce::{Decision, Interfaces};
use cortenlb_core::few::{Few, FewMap};
use cortenlb_core::name::ServiceKey;
use cortenlb_proto::cluster::{Candidates, NodeId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// How it is known which speakers live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// They hear each other.
    Heard,
    /// From the readiness of their pods: slow (some 40 s for a node that lost its power), and two may announce an address
    /// until both have heard of the change.
    Readiness,
}

/// What follows from the decision about one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// The lowest address of its group.
    pub(super) lowest: IpAddr,
    /// The lowest one before, if that has changed.
    former: Option<IpAddr>,
    candidates: Candidates,
    /// The addresses that they can announce.
    all: Few<IpAddr>,
    /// Of them only those count that have an interface in the subnet of each.
    on_link: bool,
    /// What this node announces if it owns the group.
    pub(super) role: Option<Role>,
}

impl Index {
    /// What follows from a decision about a Service.
    pub(super) fn planned(&self, key: &ServiceKey, decision: &Decision) -> Option<Planned> {
        let group = decision.group.as_ref()?;
        let former = self.planned.get(key).and_then(|before| {
            let is_renamed = before.lowest != group.lowest;
            if is_renamed {
                Some(before.lowest)
            } else {
                before.former
            }
        });
        let candidates: BTreeMap<NodeId, i64> = match self.liveness {
            Liveness::Heard => {
                let candidates = group.candidates.iter();
                candidates
                    .map(|(node, preference)| (NodeId::of(node), *preference))
                    .collect()
            }
            Liveness::Readiness => decision
                .owner
                .iter()
                .map(|owner| (NodeId::of(owner), 0))
                .collect(),
        };
        // Most groups have the same candidates.
        let known = self
            .planned
            .values()
            .next_back()
            .map(|planned| &planned.candidates);
        let candidates = match known {
            Some(known) if **known == candidates => Arc::clone(known),
            _ => Arc::new(candidates),
        };
        Some(Planned {
            lowest: group.lowest,
            former,
            candidates,
            all: group.addresses.clone(),
            on_link: group.on_link,
            role: self.role(decision),
        })
    }

    fn role(&self, decision: &Decision) -> Option<Role> {
        let interfaces = decision.interfaces_on(&self.me.node)?.clone();
        let blind = match (&interfaces, &self.links) {
            (Interfaces::Listed(names), Some(links)) => names.is_disjoint(links),
            _ => false,
        };
        Some(Role {
            addresses: decision.addresses.iter().copied().collect(),
            interfaces,
            blind,
        })
    }

    /// A group that goes by another name from now on is owned as it was before, until it is known better.
    pub(super) fn follow_name(&mut self, planned: &Planned) {
        if let (Some(owned), Some(former)) = (&mut self.owned, planned.former)
            && !self.plan.groups.contains_key(&planned.lowest)
            && owned.contains(&former)
        {
            owned.insert(planned.lowest);
        }
    }

    /// Services that share an address are announced where any of them is.
    pub(super) fn make_plan(&self) -> Plan {
        let mut groups: BTreeMap<IpAddr, Group> = BTreeMap::new();
        for (key, planned) in &self.planned {
            let group = groups.entry(planned.lowest).or_insert_with(|| Group {
                former: None,
                candidates: Arc::clone(&planned.candidates),
                addresses: FewMap::default(),
                all: planned.all.clone(),
                contested: false,
                on_link: planned.on_link,
            });
            group.former = group.former.or(planned.former);
            group.contested |= self.conflicts.says_so(key);
            let Some(role) = planned.role.as_ref().filter(|role| !role.blind) else {
                continue;
            };
            for address in &role.addresses {
                let merged = match (group.addresses.remove(address), &role.interfaces) {
                    (None, interfaces) => interfaces.clone(),
                    (Some(Interfaces::Listed(a)), Interfaces::Listed(b)) => Interfaces::Listed(&a | b),
                    (Some(_), _) => Interfaces::All,
                };
                group.addresses.insert(*address, merged);
            }
        }
        Plan {
            speakers: self.speakers_of_plan(),
            groups,
            is_held: self.world.rival().is_some(),
        }
    }

    fn speakers_of_plan(&self) -> BTreeMap<NodeId, Speaker> {
        let speakers = self.world.speakers().into_iter();
        let speakers =
            speakers.filter(|(node, _)| self.liveness == Liveness::Heard || **node == self.me.node);
        let mut speakers: BTreeMap<NodeId, Speaker> = speakers
            .map(|(node, addresses)| {
                let speaker = Speaker {
                    node: node.clone(),
                    addresses: addresses.into_iter().collect(),
                };
                (NodeId::of(node), speaker)
            })
            .collect();
        // Its own pod may not be seen yet.
        speakers
            .entry(NodeId::of(&self.me.node))
            .or_insert_with(|| Speaker {
                node: self.me.node.clone(),
                addresses: Vec::new(),
            });
        speakers
    }
}
