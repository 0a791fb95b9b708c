//! The choice: which pool, which address (MetalLB's rules).

use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::{InUse, LISTED, Refusal, Shortage, Unsuitable};
use super::request::{Assignment, Families, Request, Terms};
use super::space::{Position, Space};
use super::{Allocator, Held};
use crate::addr::Family;
use crate::name::ServiceKey;
use crate::selector::Labels;

impl Allocator {
    /// What `service` is to hold: what it holds already, if that meets the request, else something new.
    pub(super) fn decide(
        &self,
        service: &ServiceKey,
        request: &Request,
        held: Option<&Held>,
    ) -> Result<Assignment, Refusal> {
        if let Some(kept) = held.and_then(|held| self.keep(service, request, held)) {
            return Ok(kept);
        }
        if !request.addresses.is_empty() {
            return self.choose_addresses(service, request);
        }
        if let Some(reserved) = self.choose_reserved(service, request) {
            return reserved;
        }
        if let Some(name) = &request.pool {
            return self.choose_in_pool(service, request, name);
        }
        self.choose_any(service, request)
    }

    /// Whether `held` could go on under `terms` beside the other holders.
    pub(super) fn may_keep(&self, service: &ServiceKey, held: &Held, terms: &Terms) -> bool {
        held.assignment
            .addresses
            .iter()
            .all(|address| self.available(*address, service, terms).is_ok())
    }

    /// Whether `service` goes on with `held` under `terms` while it cannot have what it asks for.
    pub(super) fn leaves_to(&self, service: &ServiceKey, held: &Held, terms: &Terms) -> bool {
        self.may_keep(service, held, terms) && self.leaves(service, &held.assignment.addresses)
    }

    /// Who or what keeps `service` from going on under `terms` with what it holds.
    pub fn conflict(&self, service: &ServiceKey, terms: &Terms) -> Option<InUse> {
        let held = self.assignment(service)?;
        let mut addresses = held.addresses.iter();
        addresses.find_map(|address| self.available(*address, service, terms).err())
    }

    /// What `service` holds, less the family that it no longer has, plus the one it now has as well. None if the
    /// user asks for something else. A pool that no longer admits the Service, or no longer exists, changes nothing
    /// unless the rules say so.
    fn keep(&self, service: &ServiceKey, request: &Request, held: &Held) -> Option<Assignment> {
        let Assignment { addresses, pool } = &held.assignment;
        let other_pool = request.pool.as_ref().is_some_and(|asked| **asked != **pool);
        if other_pool
            || !self.may_keep(service, held, &request.terms)
            || !self.has_what_is_reserved(service, request, addresses)
            || (self.rules.reassign_on_pool_change && !self.would_give(service, &request.labels, addresses))
        {
            return None;
        }
        if !request.addresses.is_empty() {
            let same = addresses.len() == request.addresses.len()
                && addresses
                    .iter()
                    .all(|address| request.addresses.contains(address));
            return (same && self.check_asked(request).is_ok()).then(|| held.assignment.clone());
        }
        let wanted = request.families.wanted();
        let mut kept: Vec<IpAddr> = addresses
            .iter()
            .filter(|address| wanted.contains(&Family::of(**address)))
            .copied()
            .collect();
        if kept.is_empty() {
            return None;
        }
        for family in missing(wanted, &kept) {
            match (
                self.pools
                    .get(pool)
                    .filter(|space| self.admits(space, service, &request.labels))
                    .and_then(|space| self.pick(space, family, service, request)),
                request.families,
            ) {
                (Some(address), _) => kept.push(address),
                (None, Families::Prefer { .. }) => {}
                (None, _) => return None,
            }
            kept.sort();
        }
        // What is reserved may be of the family that goes.
        self.has_what_is_reserved(service, request, &kept)
            .then(|| Assignment {
                addresses: kept,
                pool: pool.clone(),
            })
    }

    /// Whether the pools would give `service`, with these labels, these addresses today if they were free (MetalLB takes
    /// away what they would not).
    pub fn would_give(&self, service: &ServiceKey, labels: &Labels, addresses: &[IpAddr]) -> bool {
        addresses.iter().all(|address| {
            self.covering(*address).is_some_and(|cover| {
                let space = &self.pools[&cover.pool];
                space.position(cover.place, *address).is_some() && self.admits(space, service, labels)
            })
        })
    }

    /// What does not depend on who holds what: families, pool and admission of the addresses asked for.
    fn check_asked(&self, request: &Request) -> Result<(), Refusal> {
        let addresses = &request.addresses;
        if !missing(request.families.wanted(), addresses).is_empty()
            || addresses.len() != request.families.wanted().len()
        {
            return Err(Refusal::Families {
                addresses: addresses.clone(),
            });
        }
        Ok(())
    }

    fn choose_addresses(&self, service: &ServiceKey, request: &Request) -> Result<Assignment, Refusal> {
        self.check_asked(request)?;
        let addresses = &request.addresses;
        let not_in_pools = || Refusal::NotInPools {
            addresses: addresses.clone(),
        };
        let mut pool = None;
        for address in addresses {
            let cover = self.covering(*address).ok_or_else(not_in_pools)?;
            let space = &self.pools[&cover.pool];
            let usable = space.position(cover.place, *address).is_some();
            if !usable || pool.is_some_and(|pool: &Space| pool.pool.name() != &*cover.pool) {
                return Err(not_in_pools());
            }
            pool = Some(space);
        }
        let pool = pool.ok_or_else(not_in_pools)?;
        if !self.admits(pool, service, &request.labels) {
            return Err(Refusal::NotSelected {
                pool: pool.pool.name().to_owned(),
            });
        }
        let name = pool.pool.name();
        if let Some(asked) = request.pool.as_ref().filter(|asked| *asked != name) {
            return Err(Refusal::OtherPool {
                addresses: addresses.clone(),
                asked: asked.clone(),
                pool: name.to_owned(),
            });
        }
        for address in addresses {
            self.available(*address, service, &request.terms)
                .map_err(Refusal::InUse)?;
        }
        Ok(Assignment {
            addresses: addresses.clone(),
            pool: name.into(),
        })
    }

    pub(super) fn choose_in_pool(
        &self,
        service: &ServiceKey,
        request: &Request,
        name: &str,
    ) -> Result<Assignment, Refusal> {
        let Some(space) = self.pools.get(name) else {
            return Err(Refusal::UnknownPool {
                pool: name.to_owned(),
            });
        };
        if !self.admits(space, service, &request.labels) {
            return Err(Refusal::NotSelected {
                pool: name.to_owned(),
            });
        }
        self.choose_among(&[space], service, request)
            .ok_or_else(|| Refusal::Exhausted {
                pool: name.to_owned(),
                shortage: self.shortage(space, service, request),
            })
    }

    /// Pinned pools by rank, then those open to everybody by name.
    pub(super) fn choose_any(&self, service: &ServiceKey, request: &Request) -> Result<Assignment, Refusal> {
        let admitted: Vec<(&Arc<str>, &Space)> = self
            .pools
            .iter()
            .filter(|(_, space)| self.admits(space, service, &request.labels))
            .collect();
        let automatic = admitted.iter().map(|(_, space)| *space);
        let automatic = automatic.filter(|space| space.pool.auto_assign());
        let (mut pinned, open): (Vec<&Space>, Vec<&Space>) =
            automatic.partition(|space| space.pool.is_pinned());
        pinned.sort_by(|a, b| a.pool.rank().cmp(&b.pool.rank()));
        let chosen = self
            .choose_among(&pinned, service, request)
            .or_else(|| self.choose_among(&open, service, request));
        let unsuitable = |space: &Space| {
            if !space.pool.auto_assign() {
                return Unsuitable::AutoAssignOff;
            }
            space.unsuitable(self.shortage(space, service, request))
        };
        chosen.ok_or_else(|| {
            let others = admitted.is_empty() && !self.pools.is_empty();
            let pools = admitted.into_iter();
            let pools = pools
                .map(|(name, space)| (name.clone(), unsuitable(space)))
                .collect();
            Refusal::NoneAvailable { pools, others }
        })
    }

    /// The first pool that has every family wanted; for `PreferDualStack` else the first with the primary family,
    /// else the first with the other.
    fn choose_among(&self, pools: &[&Space], service: &ServiceKey, request: &Request) -> Option<Assignment> {
        let mut single: Option<(bool, Assignment)> = None;
        for space in pools {
            let pool = space.pool.name();
            let picked: Vec<IpAddr> = request
                .families
                .wanted()
                .iter()
                .filter_map(|family| self.pick(space, *family, service, request))
                .collect();
            let first = picked.first().copied();
            if picked.len() == request.families.wanted().len() {
                return Some(Assignment {
                    addresses: picked,
                    pool: pool.into(),
                });
            }
            if let (Families::Prefer { primary }, Some(address)) = (request.families, first) {
                let is_primary = Family::of(address) == primary;
                if single
                    .as_ref()
                    .is_none_or(|(has_primary, _)| is_primary && !has_primary)
                {
                    single = Some((
                        is_primary,
                        Assignment {
                            addresses: picked,
                            pool: pool.into(),
                        },
                    ));
                }
            }
        }
        single.map(|(_, assignment)| assignment)
    }

    /// The address of `family` in this pool that `service` holds already, else the first in the pool's order that it
    /// may hold: one that it had a short while ago, else one that is free, or one that it may share. None in quarantine.
    pub(super) fn pick(
        &self,
        space: &Space,
        family: Family,
        service: &ServiceKey,
        request: &Request,
    ) -> Option<IpAddr> {
        if let Some(own) = self.own(space, family, service, request) {
            return Some(own);
        }
        let free = space.first(family);
        // Only what comes before the first free one can be better.
        let last_entry = free.map(|((entry, _), _)| entry);
        self.shareable(space, family, service, request, last_entry)
            .into_iter()
            .chain(free)
            .min()
            .map(|(_, address)| address)
    }

    /// Whether `service` can have an address of `family` in this pool only when one becomes free: it has none, and can
    /// share none.
    pub(super) fn needs_free(
        &self,
        space: &Space,
        family: Family,
        service: &ServiceKey,
        request: &Request,
    ) -> bool {
        self.own(space, family, service, request).is_none()
            && self.shareable(space, family, service, request, None).is_none()
    }

    /// The address of `family` in this pool that `service` holds, or had a short while ago.
    fn own(&self, space: &Space, family: Family, service: &ServiceKey, request: &Request) -> Option<IpAddr> {
        let held = self.assignment(service).into_iter();
        let held = held.flat_map(|held| held.addresses.iter().copied());
        held.chain(self.cooling.of(service))
            .filter(|address| Family::of(*address) == family)
            .find(|address| self.place_of(*address, space, service, request).is_some())
    }

    /// The first address of `family` in this pool, down to its entry `last_entry`, that `service` may share.
    fn shareable(
        &self,
        space: &Space,
        family: Family,
        service: &ServiceKey,
        request: &Request,
        last_entry: Option<usize>,
    ) -> Option<(Position, IpAddr)> {
        let entries = space.pool.ranges().iter().enumerate();
        entries
            .take_while(|(place, _)| last_entry.is_none_or(|last| *place <= last))
            .filter(|(_, range)| range.family() == family)
            .find_map(|(_, range)| {
                let mut open = self.sharing.open(&request.terms, range.first(), range.last());
                open.find_map(|address| {
                    let position = self.place_of(address, space, service, request)?;
                    Some((position, address))
                })
            })
    }

    /// Where `address` stands in this pool, if `service` may have it without asking for it by name.
    fn place_of(
        &self,
        address: IpAddr,
        space: &Space,
        service: &ServiceKey,
        request: &Request,
    ) -> Option<Position> {
        let cover = self.covering(address)?;
        let is_here = *cover.pool == *space.pool.name() && !self.quarantine.contains(address);
        let position = is_here.then(|| space.position(cover.place, address)).flatten()?;
        let available = self.available(address, service, &request.terms);
        available.is_ok().then_some(position)
    }

    pub(super) fn admits(&self, space: &Space, service: &ServiceKey, labels: &Labels) -> bool {
        #[cfg(test)]
        super::tests::count_step();
        let namespace = service.namespace();
        space
            .pool
            .admits(namespace, self.namespaces.get(namespace), labels)
    }

    /// Whether `service` may hold `address` beside those who hold it.
    pub(super) fn available(
        &self,
        address: IpAddr,
        service: &ServiceKey,
        terms: &Terms,
    ) -> Result<(), InUse> {
        #[cfg(test)]
        super::tests::count_step();
        let holders = self.holders.get(&address);
        if let Some(reservation) = self.reservations.of_address(address)
            && !holders.is_some_and(|holders| holders.contains(service))
            && !self.reservations.may_bind(reservation, service)
        {
            let reservation = reservation.clone();
            return Err(InUse::Reserved { address, reservation });
        }
        let Some(holders) = holders else {
            return Ok(());
        };
        let others = holders.iter().filter(|holder| *holder != service);
        // Those who hold it together have one key and one backend, and no port twice.
        let Some(held) = others.clone().find_map(|other| self.held_by(other)) else {
            return Ok(());
        };
        if terms.key.is_none() || held.terms.key != terms.key || held.terms.backend != terms.backend {
            let (service, others) = (service.clone(), others.take(LISTED + 1).cloned().collect());
            return Err(InUse::Sharing { service, others });
        }
        let taken = terms.ports.iter().filter_map(|port| {
            let owner = self.sharing.owner(address, *port)?;
            (owner != service).then_some((owner, *port))
        });
        match taken.min() {
            Some((_, port)) => Err(InUse::Port { port, address }),
            None => Ok(()),
        }
    }

    fn held_by(&self, service: &ServiceKey) -> Option<&Held> {
        #[cfg(test)]
        super::tests::count_step();
        self.services.get(service)?.held.as_ref()
    }

    /// What this pool, which cannot serve `service`, has not for it. Who needs both families is not told which of them is
    /// taken now: as others come and go that would be news for all who wait, and an address for none of them.
    pub(super) fn shortage(&self, space: &Space, service: &ServiceKey, request: &Request) -> Shortage {
        let wanted = request.families.wanted();
        let never = |family: &&Family| space.usage(**family).total == 0;
        match request.families {
            Families::Single(family) => Shortage::Of(family),
            Families::Prefer { .. } => {
                let mut known = wanted.iter().filter(|family| !never(family));
                match (known.next(), known.next()) {
                    (Some(family), None) => Shortage::Of(*family),
                    _ => Shortage::Either,
                }
            }
            Families::Dual => {
                let held = self.services.get(service).and_then(|entry| entry.held.as_ref());
                let held = held.filter(|held| self.leaves_to(service, held, &request.terms));
                let is_here = |address: &IpAddr| self.place_of(*address, space, service, request).is_some();
                let held = held.into_iter().flat_map(|held| &held.assignment.addresses);
                let here: Vec<IpAddr> = held.copied().filter(is_here).collect();
                match (wanted.iter().find(never), &missing(wanted, &here)[..]) {
                    (Some(family), _) | (None, [family]) => Shortage::Of(*family),
                    _ => Shortage::Both,
                }
            }
        }
    }
}

pub(super) fn missing(wanted: &[Family], addresses: &[IpAddr]) -> Vec<Family> {
    let has = |family: &Family| addresses.iter().any(|address| Family::of(*address) == *family);
    wanted.iter().filter(|family| !has(family)).copied().collect()
}
