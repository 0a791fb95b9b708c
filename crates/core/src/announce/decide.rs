//! The rules, from the facts to a decision.

use super::decision::{Candidate, Decision, Group, Interfaces, Reason, Refusal};
use super::facts::{Advertisement, Node, Service};
use super::{EXCLUDE_LABEL, World};
use crate::name::ServiceKey;
use crate::placement::{self, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

type Verdicts = BTreeMap<NodeName, Result<Candidate, Reason>>;

impl World {
    /// Who announces the Service, and why; `None` if there is no such Service of type LoadBalancer.
    pub fn decide(&self, key: &ServiceKey) -> Option<Decision> {
        let service = self.services.get(key)?;
        let mut decision = Decision {
            addresses: service.addresses.to_vec(),
            pool: self.pool_of(service).map(str::to_owned),
            refusal: None,
            verdicts: Verdicts::new(),
            group: None,
            owner: None,
        };
        match self.verdicts(key, service) {
            Err(refusal) => decision.refusal = Some(refusal),
            Ok(verdicts) => decision.verdicts = verdicts,
        }
        decision.group = self.group_of(key, &decision.verdicts);
        if let Some(owner) = decision.group.as_ref().and_then(Group::owner) {
            if decision.verdicts.get(&owner).is_some_and(Result::is_ok) {
                decision.owner = Some(owner);
            } else {
                for verdict in decision.verdicts.values_mut().filter(|verdict| verdict.is_ok()) {
                    *verdict = Err(Reason::SharedAddressElsewhere { owner: owner.clone() });
                }
            }
        }
        Some(decision)
    }

    /// The pool that the Service names, else the first by name that holds its first address.
    fn pool_of<'a>(&'a self, service: &'a Service) -> Option<&'a str> {
        service.pool.as_deref().or_else(|| {
            let first = service.addresses.first()?;
            let mut pools = self.pools.iter();
            pools
                .find(|(_, pool)| pool.ranges.iter().any(|range| range.contains(*first)))
                .map(|(name, _)| name.as_str())
        })
    }

    /// The rules for one Service alone. The order says which of several obstacles is reported: first what its
    /// owner configured, then what comes and goes by itself.
    fn verdicts(&self, key: &ServiceKey, service: &Service) -> Result<Verdicts, Refusal> {
        if service.addresses.is_empty() {
            return Err(Refusal::NoAddress);
        }
        if let Some(pod) = self.rival() {
            return Err(Refusal::MetalLbSpeaker { pod: pod.to_owned() });
        }
        let pool = self.pool_of(service);
        if let Some(address) = service
            .addresses
            .iter()
            .find(|address| self.is_foreign(**address, pool))
        {
            return Err(Refusal::ForeignAddress { address: *address });
        }
        let advertisements = self.advertisements_for(service, pool)?;
        let with_selectors = advertisements
            .iter()
            .find(|(_, one)| !one.service_selectors.is_empty());
        if let Some((name, _)) = with_selectors.filter(|_| service.shared) {
            return Err(Refusal::SharedAddressWithServiceSelectors {
                advertisement: (*name).clone(),
            });
        }
        if !self.slices_of(key).any(|slice| slice.serving) {
            return Err(Refusal::NoEndpoints);
        }
        let local: Option<BTreeSet<&str>> = service
            .local
            .then(|| self.slices_of(key).flat_map(|slice| slice.nodes.iter()).collect());
        let verdicts = self.nodes.iter().map(|(name, node)| {
            let is_local = local.as_ref().is_none_or(|local| local.contains(name.as_str()));
            (name.clone(), self.verdict(name, node, &advertisements, is_local))
        });
        Ok(verdicts.collect())
    }

    /// Whether somebody else wrote this address into the status. An address of a pool is ours, and so is one
    /// whose pool is gone, as long as the Service names it. A node's own address is ours only if a pool holds
    /// it: to answer for it from another node would cut the node off.
    fn is_foreign(&self, address: IpAddr, pool: Option<&str>) -> bool {
        let Some(pool) = pool else { return true };
        let in_pool = self
            .pools
            .get(pool)
            .is_some_and(|pool| pool.ranges.iter().any(|range| range.contains(address)));
        !in_pool && self.nodes.values().any(|node| node.addresses.contains(&address))
    }

    fn advertisements_for(
        &self,
        service: &Service,
        pool: Option<&str>,
    ) -> Result<Vec<(&String, &Advertisement)>, Refusal> {
        let object = pool.and_then(|pool| self.pools.get(pool));
        let (matching, passed_over): (Vec<_>, Vec<_>) = self
            .advertisements
            .iter()
            .filter(|(_, advertisement)| advertisement.selects_pool(pool, object))
            .partition(|(_, advertisement)| advertisement.selects_service(&service.labels));
        if matching.is_empty() {
            let passed_over = passed_over.into_iter().map(|(name, _)| name.clone()).collect();
            return Err(Refusal::NoAdvertisement {
                pool: pool.map(str::to_owned),
                passed_over,
            });
        }
        Ok(matching)
    }

    fn verdict(
        &self,
        name: &NodeName,
        node: &Node,
        advertisements: &[(&String, &Advertisement)],
        is_local: bool,
    ) -> Result<Candidate, Reason> {
        let selecting: Vec<&Advertisement> = advertisements
            .iter()
            .map(|(_, advertisement)| *advertisement)
            .filter(|advertisement| advertisement.selects_node(&node.labels))
            .collect();
        if selecting.is_empty() {
            let advertisements = advertisements.iter().map(|(name, _)| (*name).clone()).collect();
            return Err(Reason::NotSelected { advertisements });
        }
        let ignores_exclusion = self.speakers_on(name).any(|speaker| speaker.ignores_exclusion);
        if node.labels.contains_key(EXCLUDE_LABEL) && !ignores_exclusion {
            return Err(Reason::Excluded);
        }
        if node.drained {
            return Err(Reason::Drained);
        }
        if node.cordoned && self.speakers_on(name).any(|speaker| speaker.drains_cordoned) {
            return Err(Reason::Cordoned);
        }
        if node.shutting_down {
            return Err(Reason::ShuttingDown);
        }
        if node.network_unavailable {
            return Err(Reason::NetworkUnavailable);
        }
        if self.speakers_on(name).next().is_none() {
            return Err(Reason::NoSpeaker);
        }
        if !self.hears_speakers && !self.speakers_on(name).any(|speaker| speaker.ready) {
            return Err(Reason::SpeakerNotReady);
        }
        if !is_local {
            return Err(Reason::NoLocalEndpoint);
        }
        let interfaces = if selecting
            .iter()
            .any(|advertisement| advertisement.interfaces.is_empty())
        {
            Interfaces::All
        } else {
            Interfaces::Listed(
                selecting
                    .iter()
                    .flat_map(|one| one.interfaces.iter().cloned())
                    .collect(),
            )
        };
        let preference = selecting
            .iter()
            .map(|advertisement| advertisement.preference_for(&node.labels))
            .sum();
        Ok(Candidate {
            interfaces,
            preference,
        })
    }

    /// The group of `key`, whose own verdicts are `own`. All members come to the same answer.
    fn group_of(&self, key: &ServiceKey, own: &Verdicts) -> Option<Group> {
        let group = self.group(key);
        let others = group.iter().filter_map(|member| {
            let service = self.services.get(member)?;
            let verdicts = if member == key {
                own.clone()
            } else {
                self.verdicts(member, service).unwrap_or_default()
            };
            Some((service, verdicts))
        });
        let members: Vec<(&Service, BTreeMap<NodeName, i64>)> = others
            .map(|(service, verdicts)| (service, preferences(verdicts)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        let (_, first) = members.first()?;

        let mut common = first.clone();
        for (_, member) in &members[1..] {
            common.retain(|node, _| member.contains_key(node));
            for (node, preference) in &mut common {
                *preference += member[node];
            }
        }
        let (candidates, announced) = if common.is_empty() {
            (first.clone(), &members[..1])
        } else {
            (common, &members[..])
        };
        let on_link = announced.iter().any(|(service, _)| self.is_on_link(service));
        let announced = announced.iter().flat_map(|(service, _)| &service.addresses);
        let addresses = group
            .iter()
            .filter_map(|member| self.services.get(member))
            .flat_map(|one| &one.addresses);
        Some(Group {
            lowest: *addresses.min()?,
            addresses: announced.copied().collect(),
            candidates,
            on_link,
        })
    }

    /// Whether all L2Advertisements of a Service that has some ask for nodes in its subnet.
    fn is_on_link(&self, service: &Service) -> bool {
        let advertisements = self.advertisements_for(service, self.pool_of(service));
        advertisements.is_ok_and(|all| all.iter().all(|(_, one)| one.on_link))
    }
}

impl Group {
    /// One of the most preferred candidates, the same for all who know the same candidates.
    fn owner(&self) -> Option<NodeName> {
        let most = self.candidates.values().max()?;
        let favoured = self
            .candidates
            .iter()
            .filter(|(_, preference)| *preference == most);
        let favoured: BTreeSet<NodeName> = favoured.map(|(node, _)| node.clone()).collect();
        placement::owner(self.lowest, &favoured).cloned()
    }
}

/// The candidates among the nodes, with how much each is preferred.
fn preferences(verdicts: Verdicts) -> BTreeMap<NodeName, i64> {
    verdicts
        .into_iter()
        .filter_map(|(node, verdict)| Some((node, verdict.ok()?.preference)))
        .collect()
}
