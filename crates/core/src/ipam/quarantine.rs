//! Addresses that a station on the segment has which is no node: for a while nobody is given one without asking for it
//! by name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::space::Occupancy;
use super::{Allocator, Held, Service};
use crate::name::ServiceKey;
use crate::time::Instant;

/// All addresses in quarantine.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    addresses: BTreeMap<IpAddr, Instant>,
    ends: BTreeSet<(Instant, IpAddr)>,
}

impl Quarantine {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    fn start(&mut self, address: IpAddr, until: Instant) {
        self.end(address);
        self.ends.insert((until, address));
        self.addresses.insert(address, until);
    }

    fn end(&mut self, address: IpAddr) {
        if let Some(until) = self.addresses.remove(&address) {
            self.ends.remove(&(until, address));
        }
    }

    /// The addresses between `first` and `last`, in their order.
    pub(super) fn between(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.addresses.range(first..=last).map(|(address, _)| *address)
    }

    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until)
    }

    fn over(&self, now: Instant) -> Option<IpAddr> {
        let (until, address) = self.ends.first()?;
        (*until <= now).then_some(*address)
    }
}

impl Allocator {
    /// Somebody else was found to have `address`: for so long it is given only to who asks for it by name. Who holds it
    /// keeps it.
    pub fn quarantine(&mut self, address: IpAddr, time: Duration) {
        let was = self.occupancy(address);
        self.quarantine.start(address, self.now + time);
        self.mark(address, was);
    }

    /// Gives `service` other addresses in place of those in quarantine, if it asks for none by name and there are any.
    /// Returns whether it has others now.
    pub fn replace(&mut self, service: &ServiceKey) -> bool {
        let Some(Service {
            request: Some(request),
            held: Some(held),
            ..
        }) = self.services.get(service).map(Box::as_ref)
        else {
            return false;
        };
        let addresses = &held.assignment.addresses;
        let is_named = !request.addresses.is_empty() || !request.reservations.is_empty();
        let is_kept = |address: &IpAddr| self.reservations.of_address(*address).is_some();
        let is_meant = addresses.iter().any(|address| self.quarantine.contains(*address));
        if is_named || addresses.iter().any(is_kept) || !is_meant {
            return false;
        }
        let chosen = match &request.pool {
            Some(pool) => self.choose_in_pool(service, request, pool),
            None => self.choose_any(service, request),
        };
        let Ok(assignment) = chosen else { return false };
        // One of the two families is not given up for that.
        if assignment.addresses.len() < addresses.len() {
            return false;
        }
        let terms = held.terms.clone();
        self.hold(service, Some(Held { assignment, terms }));
        self.settle(service);
        self.wake();
        true
    }

    pub(super) fn end_quarantines(&mut self) {
        while let Some(address) = self.quarantine.over(self.now) {
            let was = self.occupancy(address);
            self.quarantine.end(address);
            self.mark(address, was);
            // Also when somebody holds it: others could share it now.
            if self.occupancy(address) != Occupancy::Withheld {
                self.woken_open(address);
            }
        }
    }
}
