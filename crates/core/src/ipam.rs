//! Which Service holds which address, and who waits for one.
//!
//! | module | owns |
//! | --- | --- |
//! | `request` | what a Service asks for and gets |
//! | `refusal` | why it gets nothing, in MetalLB's words |
//! | `space` | the free addresses of one pool |
//! | `select` | the choice: pools, families, sharing (MetalLB's rules) |
//! | `waiting` | which change could help which Service |
//!
//! Four promises, property-tested: an address is never held by two Services that may not share it; nothing is lost;
//! a request that fails changes nothing; adopting what is held, in any order, moves nothing.

mod refusal;
mod request;
mod select;
mod space;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

pub use refusal::{InUse, Quoted, Refusal, Unsuitable};
pub use request::{Assignment, Claim, Families, Port, Protocol, Request, Terms};
pub use space::Usage;

use crate::addr::{AddrRange, Family};
use crate::name::ServiceKey;
use crate::pool::Pool;
use crate::selector::Labels;
use space::{Position, Space};
use waiting::{Wait, Waiting};

/// All pools, all holders, all who wait. Every call may change any Service: see [`take_changed`](Self::take_changed).
#[derive(Debug, Default)]
pub struct Allocator {
    pools: BTreeMap<String, Space>,
    /// The entries of all pools by their first address; pools that are valid together do not overlap.
    cover: BTreeMap<IpAddr, Cover>,
    namespaces: BTreeMap<String, Labels>,
    services: BTreeMap<ServiceKey, Service>,
    /// Who holds an address, also outside every pool. More than one only if their terms allow it.
    holders: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
    /// The held addresses whose holders have this sharing key.
    shared: BTreeMap<String, BTreeSet<IpAddr>>,
    waiting: Waiting,
    /// What has happened and may help those who wait.
    woken: VecDeque<Wait>,
    changed: BTreeSet<ServiceKey>,
    touched: BTreeSet<String>,
}

#[derive(Debug)]
struct Cover {
    range: AddrRange,
    pool: String,
    place: usize,
}

/// What is known of one Service.
#[derive(Debug, Default)]
struct Service {
    /// None: only what it holds is known.
    request: Option<Request>,
    held: Option<Held>,
    refusal: Option<Refusal>,
}

/// What a Service holds, and under which terms it does now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    assignment: Assignment,
    terms: Terms,
}

impl Allocator {
    /// What `service` holds.
    pub fn assignment(&self, service: &ServiceKey) -> Option<&Assignment> {
        Some(&self.services.get(service)?.held.as_ref()?.assignment)
    }

    /// Why the latest request of `service` has not been met. It may hold what an earlier one got.
    pub fn refusal(&self, service: &ServiceKey) -> Option<&Refusal> {
        self.services.get(service)?.refusal.as_ref()
    }

    /// The valid pool that has `address`, whether or not `avoidBuggyIPs` leaves it out.
    pub fn pool_of(&self, address: IpAddr) -> Option<&str> {
        self.covering(address).map(|cover| cover.pool.as_str())
    }

    /// How full the pool is in `family`; none if there is no such pool.
    pub fn usage(&self, pool: &str, family: Family) -> Option<Usage> {
        Some(self.pools.get(pool)?.usage(family))
    }

    /// The Services whose [`assignment`](Self::assignment), [`refusal`](Self::refusal) or pool has changed since the
    /// last call.
    pub fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.changed)
    }

    /// The pools whose [`usage`](Self::usage) has changed since the last call.
    pub fn take_touched(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.touched)
    }

    /// Replaces the valid pools. Nobody loses an address by it: what lies outside every pool stays held. Only who asks
    /// for a pool by name, and holds an address that belongs to another one now, moves there if it can.
    pub fn set_pools(&mut self, pools: BTreeMap<String, Pool>) {
        let stale: Vec<String> = self
            .pools
            .iter()
            .filter(|(name, space)| pools.get(*name) != Some(&space.pool))
            .map(|(name, _)| name.clone())
            .collect();
        let mut concerned = BTreeSet::new();
        let mut different: BTreeSet<String> = BTreeSet::new();
        for name in stale {
            let space = self
                .pools
                .remove(&name)
                .expect("the name was listed a moment ago");
            for range in space.pool.ranges() {
                self.cover.remove(&range.first());
                concerned.extend(self.holders_in(range));
            }
            different.insert(name);
        }
        for (name, pool) in pools {
            if self.pools.contains_key(&name) {
                continue;
            }
            concerned.extend(self.insert_pool(pool));
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
        for name in different {
            self.woken
                .extend(Family::ALL.map(|family| Wait::Free(name.clone(), family)));
            self.woken.push_back(Wait::Pool(name.clone()));
            self.touched.insert(name);
        }
        self.woken.push_back(Wait::AnyPool);
        self.wake();
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
        for service in self.waiting.of_namespace(namespace) {
            self.settle(&service);
        }
        self.wake();
    }

    /// Takes note of addresses found at start, before anything new is given: what the Services hold is theirs. Where
    /// two may not share one, an explicit request comes before an annotation before the older before the name, and
    /// those who lose an address are returned.
    pub fn adopt(&mut self, claims: BTreeMap<ServiceKey, Claim>) -> Vec<(ServiceKey, InUse)> {
        let mut claims: Vec<(ServiceKey, Claim)> = claims.into_iter().collect();
        claims.sort_by(|(a_key, a), (b_key, b)| {
            (!a.explicit, !a.annotated, a.created, a_key).cmp(&(!b.explicit, !b.annotated, b.created, b_key))
        });
        let mut losers = Vec::new();
        for (
            service,
            Claim {
                addresses,
                pool,
                terms,
                ..
            },
        ) in claims
        {
            let mut kept: Vec<IpAddr> = Vec::with_capacity(2);
            for address in addresses {
                match self.available(address, &service, &terms) {
                    Ok(()) if kept.iter().all(|other| Family::of(*other) != Family::of(address)) => {
                        kept.push(address);
                    }
                    Ok(()) => {}
                    Err(in_use) => losers.push((service.clone(), in_use)),
                }
            }
            if !kept.is_empty() {
                let pool = self.pool_for(&kept).unwrap_or(pool);
                let assignment = Assignment {
                    addresses: kept,
                    pool,
                };
                self.hold(&service, Some(Held { assignment, terms }));
                self.settle(&service);
            }
        }
        self.wake();
        losers
    }

    /// Asks for `service`. What it holds it keeps as long as that meets the request; if it cannot be met, nothing
    /// changes, [`refusal`](Self::refusal) says why, and the Service waits for what could help it.
    ///
    /// One exception: who may no longer share an address with its other holders, because its own terms have changed,
    /// loses that address even if there is no other.
    pub fn request(&mut self, service: &ServiceKey, request: Request) {
        let entry = self.services.entry(service.clone()).or_default();
        if entry.request.as_ref() == Some(&request) {
            return;
        }
        entry.request = Some(request);
        self.settle(service);
        self.wake();
    }

    /// `service` no longer asks for anything that makes sense: it keeps what it holds, and waits for nothing.
    pub fn withdraw(&mut self, service: &ServiceKey) {
        self.waiting.remove(service);
        if let Some(entry) = self.services.get_mut(service) {
            entry.request = None;
            if entry.refusal.take().is_some() {
                self.changed.insert(service.clone());
            }
        }
    }

    /// `service` is gone, or no longer a LoadBalancer: what it held is free, and those who wait for it are served.
    pub fn release(&mut self, service: &ServiceKey) {
        self.waiting.remove(service);
        self.hold(service, None);
        self.services.remove(service);
        self.wake();
    }

    /// Meets the request of `service`, or says why not.
    fn settle(&mut self, service: &ServiceKey) {
        let Some(Service {
            request: Some(request),
            held,
            ..
        }) = self.services.get(service)
        else {
            return;
        };
        let (created, terms) = (request.created, request.terms.clone());
        let (refusal, waits) = match self.decide(service, request, held.as_ref()) {
            Ok(assignment) => {
                let waits = self.incomplete(request, &assignment);
                self.hold(service, Some(Held { assignment, terms }));
                (None, waits)
            }
            Err(refusal) => {
                let mut waits = self.waits(request, &refusal);
                waits.extend(
                    held.iter()
                        .flat_map(|held| self.incomplete(request, &held.assignment)),
                );
                // The ports and keys have changed, whatever becomes of the rest of the request.
                let kept = held.clone().filter(|held| self.may_keep(service, held, &terms));
                self.hold(service, kept.map(|held| Held { terms, ..held }));
                (Some(refusal), waits)
            }
        };
        self.waiting.set(service, created, waits);
        let entry = self
            .services
            .get_mut(service)
            .expect("the Service was found above");
        if entry.refusal != refusal {
            entry.refusal = refusal;
            self.changed.insert(service.clone());
        }
    }

    /// Gives everything that has happened to those who wait for it, the oldest first, as long as there is anything.
    fn wake(&mut self) {
        while let Some(wait) = self.woken.pop_front() {
            let mut after = None;
            while self.can_help(&wait)
                && let Some(place) = self.waiting.next(&wait, after.as_ref())
            {
                self.settle(&place.1);
                after = Some(place);
            }
        }
    }

    fn can_help(&self, wait: &Wait) -> bool {
        match wait {
            // Without the pool those who wait must be told that it is gone.
            Wait::Free(pool, family) => self
                .pools
                .get(pool)
                .is_none_or(|space| space.first(*family).is_some()),
            _ => true,
        }
    }

    /// Replaces what `service` holds.
    fn hold(&mut self, service: &ServiceKey, new: Option<Held>) {
        let entry = self.services.entry(service.clone()).or_default();
        if entry.held == new {
            return;
        }
        let old = std::mem::replace(&mut entry.held, new.clone());
        for address in old.iter().flat_map(|held| &held.assignment.addresses) {
            self.drop_holder(*address, service, &old);
        }
        for address in new.iter().flat_map(|held| &held.assignment.addresses) {
            self.add_holder(*address, service, &new);
        }
        for address in old.iter().flat_map(|held| &held.assignment.addresses) {
            self.woken.push_back(Wait::Address(*address));
            if !self.holders.contains_key(address)
                && let Some(cover) = self.covering(*address)
            {
                let wait = Wait::Free(cover.pool.clone(), Family::of(*address));
                self.woken.push_back(wait);
            }
        }
        for key in [&old, &new]
            .into_iter()
            .flatten()
            .filter_map(|held| held.terms.key.clone())
        {
            self.woken.push_back(Wait::Sharing(key));
        }
        self.changed.insert(service.clone());
    }

    fn drop_holder(&mut self, address: IpAddr, service: &ServiceKey, held: &Option<Held>) {
        let Some(holders) = self.holders.get_mut(&address) else {
            return;
        };
        holders.remove(service);
        if !holders.is_empty() {
            return;
        }
        self.holders.remove(&address);
        if let Some(key) = held.as_ref().and_then(|held| held.terms.key.as_ref())
            && let Some(addresses) = self.shared.get_mut(key)
        {
            addresses.remove(&address);
            if addresses.is_empty() {
                self.shared.remove(key);
            }
        }
        self.with_space(address, Space::give_back);
    }

    fn add_holder(&mut self, address: IpAddr, service: &ServiceKey, held: &Option<Held>) {
        self.holders.entry(address).or_default().insert(service.clone());
        if let Some(key) = held.as_ref().and_then(|held| held.terms.key.clone()) {
            self.shared.entry(key).or_default().insert(address);
        }
        self.with_space(address, Space::take);
    }

    fn with_space(&mut self, address: IpAddr, change: fn(&mut Space, Position)) {
        let Some(cover) = self.covering(address) else {
            return;
        };
        let (pool, place) = (cover.pool.clone(), cover.place);
        let space = self.pools.get_mut(&pool).expect("a cover names a pool");
        if let Some(position) = space.position(place, address) {
            change(space, position);
            self.touched.insert(pool);
        }
    }

    /// Adds a pool, less what is held already. Returns those who hold it.
    fn insert_pool(&mut self, pool: Pool) -> BTreeSet<ServiceKey> {
        let mut concerned = BTreeSet::new();
        let mut space = Space::new(pool);
        for (place, range) in space.pool.ranges().to_vec().into_iter().enumerate() {
            for (address, holders) in self.holders.range(range.first()..=range.last()) {
                if let Some(position) = space.position(place, *address) {
                    space.take(position);
                }
                concerned.extend(holders.iter().cloned());
            }
            self.woken
                .extend(self.waiting.addresses(range.first(), range.last()));
            self.cover.insert(
                range.first(),
                Cover {
                    range,
                    pool: space.pool.name().to_owned(),
                    place,
                },
            );
        }
        self.pools.insert(space.pool.name().to_owned(), space);
        concerned
    }

    fn holders_in(&self, range: &AddrRange) -> BTreeSet<ServiceKey> {
        self.holders
            .range(range.first()..=range.last())
            .flat_map(|(_, holders)| holders)
            .cloned()
            .collect()
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

    fn pool_for(&self, addresses: &[IpAddr]) -> Option<String> {
        addresses
            .iter()
            .find_map(|address| self.pool_of(*address))
            .map(str::to_owned)
    }

    fn covering(&self, address: IpAddr) -> Option<&Cover> {
        let (_, cover) = self.cover.range(..=address).next_back()?;
        cover.range.contains(address).then_some(cover)
    }
}

#[cfg(test)]
mod tests;
