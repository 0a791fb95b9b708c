//! What the reservations have for a Service.

use std::net::IpAddr;

use crate::addr::Family;
use crate::ipam::Allocator;
use crate::ipam::refusal::{Refusal, Shortage};
use crate::ipam::request::{Assignment, Families, Request};
use crate::ipam::select::missing;
use crate::ipam::waiting::Wait;
use crate::name::{ReservationKey, ServiceKey};

impl Allocator {
    /// What the reservations have for `service`: those that it asks for, or else those that name it.
    pub(in crate::ipam) fn choose_reserved(
        &self,
        service: &ServiceKey,
        request: &Request,
    ) -> Option<Result<Assignment, Refusal>> {
        let explicit = !request.reservations.is_empty();
        let keys: Vec<ReservationKey> = if explicit {
            self.asked_for(service, request).collect()
        } else {
            self.reservations.naming(service).cloned().collect()
        };
        let wanted = request.families.wanted();
        let mut addresses: Vec<IpAddr> = Vec::new();
        let mut pool = String::new();
        for key in keys {
            match self.offer(&key, service, request) {
                Ok((address, from)) if missing(wanted, &addresses).contains(&Family::of(address)) => {
                    addresses.push(address);
                    pool = from;
                }
                Ok((address, _)) if explicit => {
                    let addresses = vec![address];
                    return Some(Err(Refusal::Families { addresses }));
                }
                Err(refusal) if explicit => return Some(Err(refusal)),
                Ok(_) | Err(_) => {}
            }
        }
        if addresses.is_empty() {
            return None;
        }
        for family in missing(wanted, &addresses) {
            let space = self.pools.get(pool.as_str());
            match space.and_then(|space| self.pick(space, family, service, request)) {
                Some(address) => addresses.push(address),
                None if matches!(request.families, Families::Prefer { .. }) => {}
                None if explicit => {
                    let shortage = Shortage::Of(family);
                    return Some(Err(Refusal::Exhausted { pool, shortage }));
                }
                None => return None,
            }
        }
        addresses.sort();
        let pool = self.pool_for(&addresses).unwrap_or_else(|| pool.into());
        Some(Ok(Assignment { addresses, pool }))
    }

    /// Whether `addresses` have everything that the reservations which `service` asks for keep for it.
    pub(in crate::ipam) fn has_what_is_reserved(
        &self,
        service: &ServiceKey,
        request: &Request,
        addresses: &[IpAddr],
    ) -> bool {
        self.asked_for(service, request).all(|key| {
            let entry = self.reservations.entries.get(&key);
            entry
                .and_then(|entry| entry.address)
                .is_some_and(|address| addresses.contains(&address))
        })
    }

    /// What could give `service` an address that is kept for it.
    pub(in crate::ipam) fn waits_for_reserved(&self, service: &ServiceKey, request: &Request) -> Vec<Wait> {
        let keys = self
            .asked_for(service, request)
            .chain(self.reservations.naming(service).cloned());
        let waits = keys.flat_map(|key| {
            let entry = self.reservations.entries.get(&key);
            let address = entry.and_then(|entry| entry.address.or(entry.last));
            // After the pool has lost the address the other family still comes from it.
            let pool = entry.zip(address).map(|(entry, address)| {
                let pool = self.pool_of(address).unwrap_or(&entry.spec.pool);
                self.pool_name(pool)
            });
            // The family that is not reserved comes from there as well.
            let others = missing(request.families.wanted(), address.as_slice());
            let free = pool.iter().flat_map(|pool| {
                let free = |family: &Family| Wait::Free(pool.clone(), *family);
                others.iter().map(free)
            });
            let free: Vec<Wait> = free.collect();
            [Wait::Reservation(key)]
                .into_iter()
                .chain(address.map(Wait::Address))
                .chain(free)
                .chain(pool.map(Wait::Pool))
                .collect::<Vec<Wait>>()
        });
        waits.collect()
    }

    /// The reservations that `service` asks for by annotation.
    pub(in crate::ipam) fn asked_for(
        &self,
        service: &ServiceKey,
        request: &Request,
    ) -> impl Iterator<Item = ReservationKey> {
        let namespace = service.namespace();
        request
            .reservations
            .iter()
            .map(move |name| ReservationKey::new(namespace, name))
    }

    /// The address of a reservation, and the pool that it belongs to, if `service` may have it.
    fn offer(
        &self,
        key: &ReservationKey,
        service: &ServiceKey,
        request: &Request,
    ) -> Result<(IpAddr, String), Refusal> {
        let entry = self
            .reservations
            .entries
            .get(key)
            .ok_or_else(|| Refusal::UnknownReservation {
                reservation: key.clone(),
            })?;
        // What was released is anybody's again, under the rules of the pool.
        let released = entry
            .last
            .filter(|last| entry.released && self.check_pool(key, &entry.spec, Some(*last)).is_ok());
        let address = entry.address.or(released);
        let address = address.ok_or_else(|| Refusal::ReservationPending {
            reservation: key.clone(),
            why: entry
                .pending
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        })?;
        let pool = self.pool_of(address).unwrap_or(&entry.spec.pool).to_owned();
        if self
            .pools
            .get(pool.as_str())
            .is_some_and(|space| !self.admits(space, service, &request.labels))
        {
            return Err(Refusal::NotSelected { pool });
        }
        if let Some(asked) = request.pool.as_ref().filter(|asked| **asked != pool) {
            let (addresses, asked) = (vec![address], asked.clone());
            return Err(Refusal::OtherPool {
                addresses,
                asked,
                pool,
            });
        }
        self.available(address, service, &request.terms)
            .map_err(Refusal::InUse)?;
        Ok((address, pool))
    }
}
