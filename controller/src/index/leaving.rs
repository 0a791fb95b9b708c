//! Addresses that a status still shows, or may come to show, although its Service does not hold them any more.
//!
//! The decision that takes an address from one Service and the one that gives it to another are made in the same moment,
//! but their writes land in any order, or one of them not at all. Until the first has landed the second is not sent: no
//! two statuses ever show one address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_core::name::ServiceKey;

#[derive(Debug, Default)]
pub(super) struct Leaving {
    of: BTreeMap<ServiceKey, Vec<IpAddr>>,
    shown_by: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
    /// Who holds an address, and waits with the write that says so.
    waiting: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
}

impl Leaving {
    /// `service` is about to leave these addresses, and no others. Returns those who have waited for it.
    pub(super) fn set(&mut self, service: &ServiceKey, addresses: Vec<IpAddr>) -> BTreeSet<ServiceKey> {
        let before = if addresses.is_empty() {
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
            woken.extend(self.waiting.remove(&address).into_iter().flatten());
        }
        woken
    }

    /// Whether `service` must wait before it says that it has one of these addresses. If so, [`set`](Self::set) returns
    /// it when another one has left.
    pub(super) fn must_wait(&mut self, service: &ServiceKey, addresses: &[IpAddr]) -> bool {
        let in_the_way = |address: &&IpAddr| {
            let mut by = self.shown_by.get(address).into_iter().flatten();
            by.any(|other| other != service)
        };
        let Some(address) = addresses.iter().find(in_the_way) else {
            return false;
        };
        self.waiting.entry(*address).or_default().insert(service.clone());
        true
    }
}
