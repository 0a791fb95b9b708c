//! Which address a reservation has, and when it loses it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Entry, Pending, Reservation, Right, Standing};
use crate::addr::Family;
use crate::ipam::waiting::{Wait, Who};
use crate::ipam::{Allocator, Request};
use crate::name::{ReservationKey, ServiceKey};

impl Allocator {
    /// How a reservation stands; none if there is no such reservation.
    pub fn standing(&self, key: &ReservationKey) -> Option<Standing> {
        let entry = self.reservations.entries.get(key)?;
        let Some(address) = entry.address else {
            return Some(match (&entry.pending, entry.last) {
                (None, Some(last)) => Standing::Released(last),
                (pending, last) => Standing::Pending(pending.clone()?, last),
            });
        };
        let holders: Vec<ServiceKey> = self
            .holders
            .get(&address)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        Some(if holders.is_empty() {
            Standing::Available(address)
        } else {
            Standing::Bound(address, holders)
        })
    }

    /// The reservations whose [`standing`](Self::standing) may have changed since the last call.
    pub fn take_changed_reservations(&mut self) -> BTreeSet<ReservationKey> {
        std::mem::take(&mut self.reservations.changed)
    }

    /// Sets all reservations found at start, after what Services hold has been [adopted](Self::adopt) and before
    /// anything new is given: those that have an address come first. `asked`: which Services ask for which by annotation.
    pub fn adopt_reservations(
        &mut self,
        found: BTreeMap<ReservationKey, Reservation>,
        asked: BTreeMap<ReservationKey, BTreeSet<ServiceKey>>,
    ) {
        self.reservations.asked = asked;
        let mut found: Vec<(ReservationKey, Reservation)> = found.into_iter().collect();
        found.sort_by_key(|(_, spec)| {
            let right = spec.recorded.map(|recorded| recorded.right);
            (right.is_none(), right, spec.created)
        });
        for (key, spec) in found {
            self.set_reservation(&key, Some(spec));
        }
    }

    /// Sets what a reservation asks for, or forgets it. What Services hold is untouched by it.
    pub fn set_reservation(&mut self, key: &ReservationKey, spec: Option<Reservation>) {
        let old = self.reservations.entries.get(key);
        // What this process recorded comes back as an echo.
        let same = |old: &Entry| {
            spec.as_ref().is_some_and(|new| {
                old.spec
                    == Reservation {
                        recorded: old.spec.recorded,
                        ..new.clone()
                    }
            })
        };
        if old.is_some_and(same) || (old.is_none() && spec.is_none()) {
            return;
        }
        let recorded = spec.as_ref().and_then(|spec| spec.recorded);
        let mut last = recorded.map(|recorded| recorded.address);
        let mut released = recorded.is_some_and(|recorded| recorded.right == Right::Released);
        let had = if let Some(old) = self.reservations.entries.get(key) {
            let services = old.spec.services.clone();
            last = old.address.or(old.last);
            let had = old.address;
            released = old.released;
            self.reservations.set_names(key, &services, false);
            self.unreserve(key);
            self.reservations.entries.remove(key);
            self.reservations.vacant.remove(key);
            had
        } else {
            None
        };
        self.waiting.remove(&Who::Reservation(key.clone()));
        self.reservations.changed.insert(key.clone());
        if let Some(spec) = spec {
            self.reservations.set_names(key, &spec.services, true);
            let fits = |last: &IpAddr| {
                Family::of(*last) == spec.family && spec.address.is_none_or(|address| address == *last)
            };
            let entry = Entry {
                last: last.filter(fits),
                released: released && last.is_some_and(|last| fits(&last)),
                address: None,
                pending: None,
                spec,
            };
            self.reservations.entries.insert(key.clone(), entry);
            self.reservations.vacant.insert(key.clone());
            self.secure(key);
            // Who asks for it moves there; who is only named and waits did not know of it.
            for service in self.reservations.may_bind_to(key) {
                let asks = self.reservations.asks(key, &service);
                let waits = |service| {
                    self.services
                        .get(service)
                        .is_some_and(|entry| entry.refusal.is_some())
                };
                if asks || waits(&service) {
                    self.settle(&service);
                }
            }
        }
        self.rebind(had);
        self.woken_by(Wait::Reservation(key.clone()));
        self.wake();
    }

    /// `service` asks for these reservations from now on.
    pub(in crate::ipam) fn set_asked(
        &mut self,
        service: &ServiceKey,
        before: Option<&Request>,
        after: Option<&Request>,
    ) {
        let before = before.map_or(&[][..], |request| &request.reservations);
        let after = after.map_or(&[][..], |request| &request.reservations);
        let key = |name: &String| ReservationKey::new(service.namespace(), name);
        for name in before.iter().filter(|name| !after.contains(name)) {
            let key = key(name);
            if let Some(asked) = self.reservations.asked.get_mut(&key) {
                asked.remove(service);
                if asked.is_empty() {
                    self.reservations.asked.remove(&key);
                }
            }
            self.review(&key);
        }
        for name in after.iter().filter(|name| !before.contains(name)) {
            let key = key(name);
            self.reservations
                .asked
                .entry(key.clone())
                .or_default()
                .insert(service.clone());
            self.secure(&key);
        }
    }

    /// Gives a reservation its address if it has none and can have one, or says why not.
    pub(in crate::ipam) fn secure(&mut self, key: &ReservationKey) {
        let Some(entry) = self.reservations.entries.get(key) else {
            return;
        };
        if entry.address.is_some() {
            return;
        }
        let (address, pending) = match self.find(key, entry) {
            Ok(address) => (address, None),
            Err(pending) => (None, Some(pending)),
        };
        let (created, pool) = (entry.spec.created, self.pool_name(&entry.spec.pool));
        let waits = match (&pending, address) {
            (Some(pending), _) => waits(pending, &pool),
            // Released: a change of the pool may show that a Service of it has one.
            (None, None) => vec![Wait::Pool(pool)],
            (None, Some(_)) => Vec::new(),
        };
        self.waiting.set(Who::Reservation(key.clone()), created, waits);
        let was = address.map(|address| (address, self.occupancy(address)));
        let entry = self
            .reservations
            .entries
            .get_mut(key)
            .expect("the entry was found above");
        let news = entry.pending != pending || address.is_some();
        entry.pending = pending;
        if let Some((address, was)) = was {
            entry.address = Some(address);
            entry.last = Some(address);
            entry.released = false;
            self.reservations.addresses.insert(address, key.clone());
            self.reservations.vacant.remove(key);
            self.mark(address, was);
            // Who waits for the address waits for another reason now.
            self.woken_by(Wait::Address(address));
        }
        if news {
            self.reservations.changed.insert(key.clone());
            // Those who ask for it say why it has no address.
            self.woken_by(Wait::Reservation(key.clone()));
        }
    }

    /// The address that a reservation without one can have; none if it waits for a Service to come back.
    fn find(&self, key: &ReservationKey, entry: &Entry) -> Result<Option<IpAddr>, Pending> {
        let spec = &entry.spec;
        if entry.released {
            return Ok(self.held_by_its_services(key, spec));
        }
        if let Some(address) = spec.address.or(entry.last) {
            if Family::of(address) != spec.family {
                let family = spec.family;
                return Err(Pending::Family { address, family });
            }
            if entry.last != Some(address) {
                self.check_pool(key, spec, Some(address))?;
            }
            if let Some(by) = self.reservations.of_address(address) {
                let by = by.clone();
                return Err(Pending::Reserved { address, by });
            }
            let mut holders = self.holders.get(&address).into_iter().flatten();
            if holders.any(|holder| !self.reservations.may_bind(key, holder)) {
                let holders = self.holders[&address].iter().cloned().collect();
                return Err(Pending::InUse { address, holders });
            }
            return Ok(Some(address));
        }
        self.check_pool(key, spec, None)?;
        let (pool, family) = (spec.pool.clone(), spec.family);
        self.held_by_its_services(key, spec)
            .or_else(|| Some(self.pools[pool.as_str()].first(family)?.1))
            .map(Some)
            .ok_or(Pending::Exhausted { pool, family })
    }

    /// Whether the reservation's pool may serve its namespace, and has `address`.
    pub(super) fn check_pool(
        &self,
        key: &ReservationKey,
        spec: &Reservation,
        address: Option<IpAddr>,
    ) -> Result<(), Pending> {
        let pool = &spec.pool;
        let space = self
            .pools
            .get(pool.as_str())
            .ok_or_else(|| Pending::UnknownPool(pool.clone()))?;
        let labels = self.namespaces.get(key.namespace());
        if !space.pool.admits_namespace(key.namespace(), labels) {
            return Err(Pending::NotSelected(pool.clone()));
        }
        let Some(address) = address else { return Ok(()) };
        let inside = self
            .covering(address)
            .is_some_and(|cover| *cover.pool == **pool && space.position(cover.place, address).is_some());
        let pool = pool.clone();
        inside.then_some(()).ok_or(Pending::NotInPool { address, pool })
    }

    /// An address of the pool that a Service has which may bind, and nobody who may not.
    fn held_by_its_services(&self, key: &ReservationKey, spec: &Reservation) -> Option<IpAddr> {
        let services = self.reservations.may_bind_to(key);
        let mut held = services
            .iter()
            .filter_map(|service| self.assignment(service))
            .flat_map(|held| held.addresses.iter().copied());
        held.find(|address| {
            Family::of(*address) == spec.family
                && spec.address.is_none_or(|wanted| wanted == *address)
                && self.pool_of(*address) == Some(&spec.pool)
                && self.reservations.of_address(*address).is_none()
                && self.holders[address]
                    .iter()
                    .all(|holder| services.contains(holder))
        })
    }

    /// Takes a reservation's address away if somebody has it who may no longer bind.
    fn review(&mut self, key: &ReservationKey) {
        let Some(address) = self.reservations.entries.get(key).and_then(|entry| entry.address) else {
            return;
        };
        let mut holders = self.holders.get(&address).into_iter().flatten();
        if holders.all(|holder| self.reservations.may_bind(key, holder)) {
            return;
        }
        self.unreserve(key);
        self.secure(key);
        self.rebind(Some(address));
    }

    /// Another reservation may have what this one had, with those who hold it.
    fn rebind(&mut self, address: Option<IpAddr>) {
        let Some(holders) = address.and_then(|address| self.holders.get(&address)) else {
            return;
        };
        let vacant = &self.reservations.vacant;
        let concerned: BTreeSet<ServiceKey> = if vacant.len() < holders.len() {
            let may_bind = vacant.iter().flat_map(|key| self.reservations.may_bind_to(key));
            may_bind.filter(|service| holders.contains(service)).collect()
        } else {
            holders.iter().cloned().collect()
        };
        for holder in concerned {
            self.secure_for(&holder);
        }
    }

    /// The address of a reservation is no longer kept.
    fn unreserve(&mut self, key: &ReservationKey) {
        let Some(address) = self
            .reservations
            .entries
            .get_mut(key)
            .and_then(|entry| entry.address.take())
        else {
            return;
        };
        let was = self.occupancy(address);
        self.reservations.addresses.remove(&address);
        self.reservations.vacant.insert(key.clone());
        self.reservations.changed.insert(key.clone());
        self.mark(address, was);
        self.woken_by(Wait::Reservation(key.clone()));
        self.woken_open(address);
    }

    /// What the coming and going of addresses at `service` means for the reservations.
    pub(in crate::ipam) fn follow_binding(
        &mut self,
        service: &ServiceKey,
        before: &[IpAddr],
        after: &[IpAddr],
    ) {
        for address in before.iter().chain(after) {
            let Some(key) = self.reservations.of_address(*address).cloned() else {
                continue;
            };
            self.reservations.changed.insert(key.clone());
            let entry = self.reservations.entries.get_mut(&key);
            let entry = entry.expect("a reserved address has its reservation");
            if !entry.spec.retain && before.contains(address) && !self.holders.contains_key(address) {
                entry.released = true;
                self.unreserve(&key);
                self.secure(&key);
            }
        }
        if !after.is_empty() {
            self.secure_for(service);
        }
        // Those who stay at an address that was shared have it to themselves.
        for address in before.iter().filter(|address| !after.contains(address)) {
            self.rebind(Some(*address));
        }
    }

    /// The reservations without an address that `service` may bind to may have one with it.
    fn secure_for(&mut self, service: &ServiceKey) {
        #[cfg(test)]
        crate::ipam::tests::count_step();
        let asked = self
            .services
            .get(service)
            .and_then(|entry| entry.request.as_ref());
        let asked = asked
            .into_iter()
            .flat_map(|request| self.asked_for(service, request));
        let named = self.reservations.naming(service).cloned();
        for key in named.chain(asked).collect::<BTreeSet<ReservationKey>>() {
            self.secure(&key);
        }
    }
}

/// What could give a reservation its address.
fn waits(pending: &Pending, pool: &Arc<str>) -> Vec<Wait> {
    let of_pool = Wait::Pool(pool.clone());
    match pending {
        Pending::Family { .. } => Vec::new(),
        Pending::UnknownPool(_) | Pending::NotSelected(_) => vec![of_pool],
        Pending::NotInPool { address, .. }
        | Pending::InUse { address, .. }
        | Pending::Reserved { address, .. } => vec![of_pool, Wait::Address(*address)],
        Pending::Exhausted { family, .. } => vec![of_pool, Wait::Free(pool.clone(), *family)],
    }
}
