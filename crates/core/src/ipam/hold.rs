//! Who holds an address, for whom it is kept, and what follows for those who wait when that changes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::cooling::Cooling;
use super::sharing::Club;
use super::space::Occupancy;
use super::waiting::{Place, Wait, Who};
use super::{Allocator, Held};
use crate::addr::{AddrRange, Family};
use crate::name::ServiceKey;
use crate::time::Instant;

impl Allocator {
    /// Replaces what `service` holds.
    pub(super) fn hold(&mut self, service: &ServiceKey, mut new: Option<Held>) {
        // One text for all that a pool has given.
        if let Some(held) = &mut new
            && let Some((known, _)) = self.pools.get_key_value(&held.assignment.pool)
        {
            held.assignment.pool = known.clone();
        }
        let entry = self.services.entry(service.clone()).or_default();
        if entry.held == new {
            return;
        }
        let old = std::mem::replace(&mut entry.held, new.clone());
        let addresses = |held: &Option<Held>| -> Vec<IpAddr> {
            held.iter()
                .flat_map(|held| held.assignment.addresses.iter().copied())
                .collect()
        };
        let (before, after) = (addresses(&old), addresses(&new));
        // A port is to be had where its holder has left others, any other one where nobody has shared before.
        let (mut left, mut joined) = (false, false);
        for address in &before {
            left |= !self.drop_holder(*address, service, &old, after.contains(address));
        }
        for address in &after {
            joined |= self.add_holder(*address, service, &new);
        }
        for address in &before {
            self.woken_by(Wait::Address(*address));
            if self.occupancy(*address) == Occupancy::Free {
                self.woken_free(*address);
            }
        }
        let [was_in, is_in] = [&old, &new].map(|held| Club::of(&held.as_ref()?.terms));
        if let (Some(club), Some(old)) = (&was_in, &old)
            && left
            && !(joined && was_in == is_in)
        {
            let ports = old.terms.ports.iter();
            let waits = ports.map(|port| Wait::Sharing(club.clone(), Some(*port)));
            let waits = waits.filter(|wait| self.waiting.contains(wait)).collect();
            self.woken.push_back(waits);
        }
        if let Some(club) = is_in.filter(|_| joined) {
            self.woken.push_back(self.waiting.sharers(&club));
        }
        self.changed.insert(service.clone());
        self.follow_binding(service, &before, &after);
    }

    /// Whether nobody else holds `address`.
    fn drop_holder(
        &mut self,
        address: IpAddr,
        service: &ServiceKey,
        held: &Option<Held>,
        stays: bool,
    ) -> bool {
        let was = self.occupancy(address);
        let Some(holders) = self.holders.get_mut(&address) else {
            return true;
        };
        holders.remove(service);
        let last = holders.is_empty();
        if let Some(held) = held {
            self.sharing.remove(address, &held.terms, last);
        }
        if !last {
            return false;
        }
        self.holders.remove(&address);
        if !stays && let Some(until) = self.cool_until(address) {
            let former = service.clone();
            self.cooling.start(address, Cooling { former, until });
        }
        self.mark(address, was);
        true
    }

    /// Whether nobody of those who could share has held `address` before.
    fn add_holder(&mut self, address: IpAddr, service: &ServiceKey, held: &Option<Held>) -> bool {
        let was = self.occupancy(address);
        self.cooling.end(address);
        self.holders.entry(address).or_default().insert(service.clone());
        let joined = held
            .as_ref()
            .is_some_and(|held| self.sharing.add(address, service, &held.terms));
        self.mark(address, was);
        joined
    }

    /// Until when an address that is given back now cools down.
    fn cool_until(&self, address: IpAddr) -> Option<Instant> {
        let pool = &self.pools[&self.covering(address)?.pool].pool;
        (!pool.cool_down().is_zero()).then(|| self.now + pool.cool_down())
    }

    /// What an address is to those who look for one.
    pub(super) fn occupancy(&self, address: IpAddr) -> Occupancy {
        if self.holders.contains_key(&address) {
            Occupancy::Held
        } else if self.reservations.of_address(address).is_some()
            || self.cooling.contains(address)
            || self.quarantine.contains(address)
        {
            Occupancy::Withheld
        } else {
            Occupancy::Free
        }
    }

    /// Tells the pool that has `address`, which `was` something else, what it is now.
    pub(super) fn mark(&mut self, address: IpAddr, was: Occupancy) {
        let is = self.occupancy(address);
        let Some(cover) = self.covering(address) else {
            return;
        };
        let (pool, place) = (cover.pool.clone(), cover.place);
        let space = self.pools.get_mut(&pool).expect("a cover names a pool");
        if let Some(position) = space.position(place, address) {
            space.change(position, was, is);
            self.touched.insert(pool.to_string());
        }
    }

    /// `address` is kept for nobody any more: it may be had, or shared.
    pub(super) fn woken_open(&mut self, address: IpAddr) {
        self.woken_by(Wait::Address(address));
        self.woken_free(address);
        let mut holders = self.holders.get(&address).into_iter().flatten();
        let held = holders.find_map(|holder| self.services.get(holder)?.held.as_ref());
        if let Some(club) = held.and_then(|held| Club::of(&held.terms)) {
            self.woken.push_back(self.waiting.sharers(&club));
        }
    }

    /// `address` may be had by anybody.
    fn woken_free(&mut self, address: IpAddr) {
        if let Some(cover) = self.covering(address) {
            let pool = cover.pool.clone();
            let waits = [
                Wait::Free(pool.clone(), Family::of(address)),
                Wait::FreeBoth(pool),
            ];
            self.woken.push_back(waits.into_iter().collect());
        }
    }

    pub(super) fn woken_by(&mut self, wait: Wait) {
        self.woken.push_back([wait].into_iter().collect());
    }

    pub(super) fn holders_in(&self, range: &AddrRange) -> BTreeSet<ServiceKey> {
        self.holders
            .range(range.first()..=range.last())
            .flat_map(|(_, holders)| holders)
            .cloned()
            .collect()
    }

    /// Addresses whose time is over are anybody's.
    pub(super) fn end_cool_downs(&mut self) {
        while let Some(address) = self.cooling.over(self.now) {
            self.end_cool_down(address);
        }
    }

    pub(super) fn end_cool_down(&mut self, address: IpAddr) {
        let was = self.occupancy(address);
        self.cooling.end(address);
        self.mark(address, was);
        if was != self.occupancy(address) {
            self.woken_open(address);
        }
    }

    /// Gives everything that has happened to those who wait for it, the oldest first, as long as there is anything.
    pub(super) fn wake(&mut self) {
        while let Some(waits) = self.woken.pop_front() {
            let mut after = None;
            let next = |this: &Self, after: Option<&Place>| {
                let helpful = waits.iter().filter(|wait| this.can_help(wait));
                helpful.filter_map(|wait| this.waiting.next(wait, after)).min()
            };
            while let Some(place) = next(self, after.as_ref()) {
                #[cfg(test)]
                super::tests::count_step();
                match &place.1 {
                    Who::Service(service) => self.settle(service),
                    Who::Reservation(reservation) => self.secure(reservation),
                }
                after = Some(place);
            }
        }
    }

    fn can_help(&self, wait: &Wait) -> bool {
        match wait {
            Wait::Free(pool, family) => self.has_free(pool, &[*family]),
            Wait::FreeBoth(pool) => self.has_free(pool, &Family::ALL),
            Wait::Sharing(club, port) => self.sharing.has_open(club, *port),
            _ => true,
        }
    }

    /// Whether `pool` has a free address of each family. Without the pool those who wait must be told that it is gone.
    fn has_free(&self, pool: &str, families: &[Family]) -> bool {
        self.pools.get(pool).is_none_or(|space| {
            let mut families = families.iter();
            families.all(|family| space.first(*family).is_some())
        })
    }
}
