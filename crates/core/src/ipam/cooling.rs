//! Addresses that were given back a short while ago: their former holder may have them again, others must wait, since
//! caches of names and neighbours still lead to the old place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::name::ServiceKey;
use crate::time::Instant;

/// One address that cools down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooling {
    /// Who held it last.
    pub former: ServiceKey,
    /// When anybody may have it.
    pub until: Instant,
}

/// All addresses that cool down.
#[derive(Debug, Default)]
pub(super) struct CoolDown {
    addresses: BTreeMap<IpAddr, Cooling>,
    ends: BTreeSet<(Instant, IpAddr)>,
    of: BTreeMap<ServiceKey, BTreeSet<IpAddr>>,
}

impl CoolDown {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    pub(super) fn start(&mut self, address: IpAddr, cooling: Cooling) {
        self.end(address);
        self.ends.insert((cooling.until, address));
        self.of.entry(cooling.former.clone()).or_default().insert(address);
        self.addresses.insert(address, cooling);
    }

    pub(super) fn end(&mut self, address: IpAddr) {
        let Some(Cooling { former, until }) = self.addresses.remove(&address) else {
            return;
        };
        self.ends.remove(&(until, address));
        if let Some(of) = self.of.get_mut(&former) {
            of.remove(&address);
            if of.is_empty() {
                self.of.remove(&former);
            }
        }
    }

    /// Those that `service` held last.
    pub(super) fn of(&self, service: &ServiceKey) -> impl Iterator<Item = IpAddr> {
        self.of.get(service).into_iter().flatten().copied()
    }

    /// The addresses between `first` and `last`, in their order.
    pub(super) fn between(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = (IpAddr, &Cooling)> {
        self.addresses
            .range(first..=last)
            .map(|(address, cooling)| (*address, cooling))
    }

    /// The first address whose time is over.
    pub(super) fn over(&self, now: Instant) -> Option<IpAddr> {
        let (until, address) = self.ends.first()?;
        (*until <= now).then_some(*address)
    }

    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until)
    }
}
