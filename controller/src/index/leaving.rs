//! Addresses that a status still shows, or may come to show, although its Service does not hold them any more.
//!
//! The decision that takes an address from one Service and the one that gives it to another are made in the same moment,
//! but their writes land in any order, or one of them not at all. Until the first has landed the second is not sent: no
//! two statuses ever show one address.
//!
//! Services that swap addresses would wait for each other for ever. So who completes such a cycle does not wait with all:
//! it leaves what it has to leave first, which lets the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_core::name::ServiceKey;

#[derive(Debug, Default)]
pub(super) struct Leaving {
    of: BTreeMap<ServiceKey, Vec<IpAddr>>,
    shown_by: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
    /// Who holds an address, and waits with the write that says so.
    waiting: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
    /// The same by Service.
    waits: BTreeMap<ServiceKey, Vec<IpAddr>>,
    /// Whose write was refused for good, and why: what it shows, it goes on showing for a while.
    stuck: BTreeMap<ServiceKey, String>,
}

/// What a Service waits for.
#[derive(Debug)]
pub(super) struct Wait {
    /// The addresses that others still show.
    pub(super) addresses: Vec<IpAddr>,
    /// One of those who show them.
    pub(super) shown_by: ServiceKey,
    /// Why that one goes on showing them, if that is known.
    pub(super) stuck: Option<String>,
    /// Somebody waits for what this Service shows, and so on until it comes back to this one.
    pub(super) is_cycle: bool,
}

impl Leaving {
    /// `service` is about to leave these addresses, and no others. Returns those who have waited for it.
    pub(super) fn set(&mut self, service: &ServiceKey, addresses: Vec<IpAddr>) -> BTreeSet<ServiceKey> {
        let before = if addresses.is_empty() {
            self.stuck.remove(service);
            self.of.remove(service)
        } else {
            for address in &addresses {
                self.shown_by.entry(*address).or_default().insert(service.clone());
            }
            self.of.insert(service.clone(), addresses.clone())
        };
        let left = before.into_iter().flatten();
        let mut woken = BTreeSet::new();
        for address in left.filter(|address| !addresses.contains(address)) {
            if let Some(by) = self.shown_by.get_mut(&address) {
                by.remove(service);
                if by.is_empty() {
                    self.shown_by.remove(&address);
                }
            }
            woken.extend(self.waiting.get(&address).into_iter().flatten().cloned());
        }
        woken
    }

    /// What `service` must wait for before it says that it has all of these addresses. If there is anything,
    /// [`set`](Self::set) returns it when another one has left.
    pub(super) fn wait(&mut self, service: &ServiceKey, addresses: &[IpAddr]) -> Option<Wait> {
        self.stop_waiting(service);
        let in_the_way = |address: &&IpAddr| self.others(service, **address).next().is_some();
        let addresses: Vec<IpAddr> = addresses.iter().filter(in_the_way).copied().collect();
        let others = addresses
            .iter()
            .flat_map(|address| self.others(service, *address));
        let others: Vec<ServiceKey> = others.cloned().collect();
        let why = others
            .iter()
            .find_map(|other| Some((other, self.stuck.get(other)?)));
        let shown_by = why
            .map_or_else(|| others.first(), |(other, _)| Some(other))?
            .clone();
        let stuck = why.map(|(_, why)| why.clone());
        for address in &addresses {
            self.waiting.entry(*address).or_default().insert(service.clone());
        }
        self.waits.insert(service.clone(), addresses.clone());
        Some(Wait {
            is_cycle: self.comes_back_to(service),
            addresses,
            shown_by,
            stuck,
        })
    }

    /// `service` waits for nobody.
    pub(super) fn stop_waiting(&mut self, service: &ServiceKey) {
        for address in self.waits.remove(service).into_iter().flatten() {
            if let Some(waiting) = self.waiting.get_mut(&address) {
                waiting.remove(service);
                if waiting.is_empty() {
                    self.waiting.remove(&address);
                }
            }
        }
    }

    /// A write of `service` was refused for good, or (None) has landed. Returns those who are to be told.
    pub(super) fn set_stuck(&mut self, service: &ServiceKey, why: Option<String>) -> BTreeSet<ServiceKey> {
        let Some(shown) = self.of.get(service) else {
            return BTreeSet::new();
        };
        let before = match &why {
            Some(why) => self.stuck.insert(service.clone(), why.clone()),
            None => self.stuck.remove(service),
        };
        if before == why {
            return BTreeSet::new();
        }
        let waiting = shown.iter().filter_map(|address| self.waiting.get(address));
        waiting.flatten().cloned().collect()
    }

    fn others<'a>(
        &'a self,
        service: &'a ServiceKey,
        address: IpAddr,
    ) -> impl Iterator<Item = &'a ServiceKey> {
        let by = self.shown_by.get(&address).into_iter().flatten();
        by.filter(move |other| *other != service)
    }

    /// Whether those for whom `service` waits wait, directly or not, for `service`.
    fn comes_back_to(&self, service: &ServiceKey) -> bool {
        let mut seen = BTreeSet::from([service]);
        let mut next = vec![service];
        while let Some(one) = next.pop() {
            for address in self.waits.get(one).into_iter().flatten() {
                for other in self.others(one, *address) {
                    if other == service {
                        return true;
                    }
                    if seen.insert(other) {
                        next.push(other);
                    }
                }
            }
        }
        false
    }
}
