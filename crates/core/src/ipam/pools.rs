//! What changes with the pools and the labels of namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::cooling::Cooling;
use super::space::{Occupancy, Space};
use super::waiting::{Wait, Who};
use super::{Allocator, Cover};
use crate::addr::Family;
use crate::name::ServiceKey;
use crate::pool::Pool;
use crate::selector::Labels;

impl Allocator {
    /// Replaces the valid pools. Nobody loses an address by it: what lies outside every pool stays held. Only who asks
    /// for a pool by name, and holds an address that belongs to another one now, moves there if it can; and under
    /// [`Rules::reassign_on_pool_change`](super::Rules) whoever holds what no pool would give it.
    pub fn set_pools(&mut self, pools: BTreeMap<String, Pool>) {
        let stale: Vec<Arc<str>> = self
            .pools
            .iter()
            .filter(|(name, space)| pools.get(name.as_ref()) != Some(&space.pool))
            .map(|(name, _)| name.clone())
            .collect();
        let had_none = self.pools.is_empty();
        let mut concerned = BTreeSet::new();
        let mut different: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut former: Vec<Space> = Vec::new();
        for name in stale {
            let space = self
                .pools
                .remove(&name)
                .expect("the name was listed a moment ago");
            for range in space.pool.ranges() {
                self.cover.remove(&range.first());
                concerned.extend(self.holders_in(range));
            }
            former.push(space);
            different.insert(name);
        }
        for (name, pool) in pools {
            if self.pools.contains_key(name.as_str()) {
                continue;
            }
            let name: Arc<str> = name.into();
            concerned.extend(self.insert_pool(name.clone(), pool));
            different.insert(name);
        }
        if different.is_empty() {
            return;
        }
        for service in concerned {
            self.rename_pool(&service);
            // It may have asked for the pool by name, or wait for something of it.
            self.settle(&service);
            self.changed.insert(service);
        }
        for name in &different {
            self.touched.insert(name.to_string());
            let free = Family::ALL.map(|family| Wait::Free(name.clone(), family));
            let waits = [Wait::FreeBoth(name.clone()), Wait::Pool(name.clone())];
            self.woken.push_back(free.into_iter().chain(waits).collect());
        }
        self.wake();
        // Who is told that no pool selects it is also told whether there are any.
        let all = had_none != self.pools.is_empty();
        for service in self.refused_by_all(&former, &different, all) {
            self.settle(&service);
        }
        self.wake();
    }

    /// Those whom no pool could serve and to whom one that has changed is open, or was; or all of them. The oldest first.
    fn refused_by_all(&self, former: &[Space], different: &BTreeSet<Arc<str>>, all: bool) -> Vec<ServiceKey> {
        let current = different.iter().filter_map(|name| self.pools.get(name));
        let spaces: Vec<&Space> = former.iter().chain(current).collect();
        let concerns = |service: &ServiceKey| {
            let entry = self.services.get(service);
            let request = entry.and_then(|entry| entry.request.as_ref());
            request.is_some_and(|request| {
                let mut spaces = spaces.iter();
                spaces.any(|space| self.admits(space, service, &request.labels))
            })
        };
        let waiting = self.waiting.services(&Wait::AnyPool);
        waiting
            .filter(|service| all || concerns(service))
            .cloned()
            .collect()
    }

    /// Whether the pools leave `service` its `addresses`; they do, unless the rules say that they take away what they
    /// would not give.
    pub fn leaves(&self, service: &ServiceKey, addresses: &[IpAddr]) -> bool {
        let request = self
            .services
            .get(service)
            .and_then(|entry| entry.request.as_ref());
        !self.rules.reassign_on_pool_change
            || request.is_none_or(|request| self.would_give(service, &request.labels, addresses))
    }

    /// Sets the labels of a namespace, or forgets it.
    pub fn set_namespace(&mut self, namespace: &str, labels: Option<Labels>) {
        if self.namespaces.get(namespace) == labels.as_ref() {
            return;
        }
        match labels {
            Some(labels) => self.namespaces.insert(namespace.to_owned(), labels),
            None => self.namespaces.remove(namespace),
        };
        for who in self.waiting.of_namespace(namespace) {
            match who {
                Who::Service(service) => self.settle(&service),
                Who::Reservation(reservation) => self.secure(&reservation),
            }
        }
        if self.rules.reassign_on_pool_change {
            for service in self.of_namespace(namespace) {
                self.settle(&service);
            }
        }
        self.wake();
    }

    fn of_namespace(&self, namespace: &str) -> Vec<ServiceKey> {
        self.services
            .range(ServiceKey::new(namespace, "")..)
            .map(|(key, _)| key)
            .take_while(|key| key.namespace() == namespace)
            .cloned()
            .collect()
    }

    /// Adds a pool, less what is held or kept already. Returns those who hold it.
    fn insert_pool(&mut self, name: Arc<str>, pool: Pool) -> BTreeSet<ServiceKey> {
        let mut concerned = BTreeSet::new();
        let mut space = Space::new(pool);
        for (place, range) in space.pool.ranges().to_vec().into_iter().enumerate() {
            self.limit_cool_downs(&space.pool, range.first(), range.last());
            let (first, last) = (range.first(), range.last());
            let taken: BTreeSet<IpAddr> = (self.holders.range(first..=last).map(|(address, _)| *address))
                .chain(self.reservations.between(first, last))
                .chain(self.cooling.between(first, last).map(|(address, _)| address))
                .chain(self.quarantine.between(first, last))
                .collect();
            for address in taken {
                if let Some(position) = space.position(place, address) {
                    space.change(position, Occupancy::Free, self.occupancy(address));
                }
            }
            concerned.extend(self.holders_in(&range));
            for wait in self.waiting.addresses(first, last) {
                self.woken_by(wait);
            }
            let pool = name.clone();
            self.cover.insert(first, Cover { range, pool, place });
        }
        self.pools.insert(name, space);
        concerned
    }

    /// No address cools down longer than its pool says now.
    fn limit_cool_downs(&mut self, pool: &Pool, first: IpAddr, last: IpAddr) {
        let latest = self.now + pool.cool_down();
        let longer: Vec<(IpAddr, ServiceKey)> = self
            .cooling
            .between(first, last)
            .filter(|(_, cooling)| cooling.until > latest)
            .map(|(address, cooling)| (address, cooling.former.clone()))
            .collect();
        for (address, former) in longer {
            if pool.cool_down().is_zero() {
                self.cooling.end(address);
            } else {
                let until = latest;
                self.cooling.start(address, Cooling { former, until });
            }
        }
    }

    /// An address belongs to the pool that has it now; to the one it came from while none has.
    fn rename_pool(&mut self, service: &ServiceKey) {
        let Some(assignment) = self.assignment(service) else {
            return;
        };
        if let Some(pool) = self.pool_for(&assignment.addresses)
            && let Some(held) = self
                .services
                .get_mut(service)
                .and_then(|entry| entry.held.as_mut())
        {
            held.assignment.pool = pool;
        }
    }

    /// The name of a pool, held once for all who wait for the pool.
    pub(super) fn pool_name(&self, name: &str) -> Arc<str> {
        let known = self.pools.get_key_value(name);
        known.map_or_else(|| name.into(), |(name, _)| name.clone())
    }

    pub(super) fn pool_for(&self, addresses: &[IpAddr]) -> Option<Arc<str>> {
        let mut covers = addresses.iter().filter_map(|address| self.covering(*address));
        covers.next().map(|cover| cover.pool.clone())
    }

    pub(super) fn covering(&self, address: IpAddr) -> Option<&Cover> {
        let (_, cover) = self.cover.range(..=address).next_back()?;
        cover.range.contains(address).then_some(cover)
    }
}
