//! Which Service holds which address, and who waits for one.
//!
//! | module | owns |
//! | --- | --- |
//! | `request` | what a Service asks for and gets |
//! | `refusal` | why it gets nothing, in MetalLB's words |
//! | `space` | the free addresses of one pool |
//! | `select` | the choice: pools, families, sharing (MetalLB's rules) |
//! | `consider` | the same, told pool by pool |
//! | `sharing` | the held addresses that others could share |
//! | `pools` | what changes with the pools |
//! | `hold` | holders, and what follows for those who wait when they change |
//! | `reservation` | addresses kept for Services that come and go |
//! | `cooling` | addresses kept for a while for those who had them |
//! | `quarantine` | addresses that somebody else has |
//! | `waiting` | which change could help whom |
//!
//! Four promises, property-tested: an address is never held by two Services that may not share it; nothing is lost;
//! a request that fails changes nothing; adopting what is held, in any order, moves nothing.

mod consider;
mod cooling;
mod hold;
mod pools;
mod quarantine;
mod refusal;
mod request;
mod reservation;
mod select;
mod sharing;
mod space;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

pub use consider::{Considered, PoolRefusal};
pub use cooling::Cooling;
pub use refusal::{InUse, Quoted, Refusal, Shortage, Unsuitable};
pub use request::{Assignment, Claim, Families, Port, Protocol, Request, Terms};
pub use reservation::{Pending, Recorded, Reservation, Right, Standing};
pub use space::Usage;

use crate::addr::{AddrRange, Family};
use crate::few::Few;
use crate::name::ServiceKey;
use crate::selector::Labels;
use crate::time::Instant;
use cooling::CoolDown;
use quarantine::Quarantine;
use reservation::Reservations;
use sharing::Sharing;
use space::{Occupancy, Space};
use waiting::{Wait, Waiting, Who};

/// What the operator chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// MetalLB's behaviour: a Service loses an address that its pools would not give it any more.
    pub reassign_on_pool_change: bool,
}

/// All pools, all holders, all who wait. Every call may change any Service: see [`take_changed`](Self::take_changed).
#[derive(Debug, Default)]
pub struct Allocator {
    rules: Rules,
    /// The time of the last [`advance`](Self::advance).
    now: Instant,
    pools: BTreeMap<Arc<str>, Space>,
    /// The entries of all pools by their first address; pools that are valid together do not overlap.
    cover: BTreeMap<IpAddr, Cover>,
    namespaces: BTreeMap<String, Labels>,
    services: BTreeMap<ServiceKey, Box<Service>>,
    /// Who holds an address, also outside every pool. More than one only if their terms allow it.
    holders: BTreeMap<IpAddr, Few<ServiceKey>>,
    sharing: Sharing,
    reservations: Reservations,
    cooling: CoolDown,
    quarantine: Quarantine,
    waiting: Waiting,
    /// What has happened and may help those who wait: for all that happened together, the oldest comes first.
    woken: VecDeque<Few<Wait>>,
    changed: BTreeSet<ServiceKey>,
    touched: BTreeSet<String>,
}

#[derive(Debug)]
struct Cover {
    range: AddrRange,
    pool: Arc<str>,
    place: usize,
}

/// What is known of one Service.
#[derive(Debug, Default)]
struct Service {
    /// None: only what it holds is known.
    request: Option<Arc<Request>>,
    held: Option<Held>,
    refusal: Option<Box<Refusal>>,
}

/// What a Service holds, and under which terms it does now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    assignment: Assignment,
    terms: Arc<Terms>,
}

impl Allocator {
    /// An allocator under `rules`, without pools.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// What `service` holds.
    pub fn assignment(&self, service: &ServiceKey) -> Option<&Assignment> {
        Some(&self.services.get(service)?.held.as_ref()?.assignment)
    }

    /// Why the latest request of `service` has not been met. It may hold what an earlier one got.
    pub fn refusal(&self, service: &ServiceKey) -> Option<&Refusal> {
        self.services.get(service)?.refusal.as_deref()
    }

    /// The valid pool that has `address`, whether or not `avoidBuggyIPs` leaves it out.
    pub fn pool_of(&self, address: IpAddr) -> Option<&str> {
        self.covering(address).map(|cover| cover.pool.as_ref())
    }

    /// The family that `service` prefers to have as well, and that its pool cannot give it now.
    pub fn lacking(&self, service: &ServiceKey) -> Option<Family> {
        let entry = self.services.get(service)?;
        let held = &entry.held.as_ref()?.assignment;
        let request = entry
            .request
            .as_ref()
            .filter(|request| request.addresses.is_empty())?;
        select::missing(request.families.wanted(), &held.addresses)
            .first()
            .copied()
    }

    /// The addresses of `pool` that cool down, in their order.
    pub fn cooling(&self, pool: &str) -> Vec<(IpAddr, Cooling)> {
        let ranges = self
            .pools
            .get(pool)
            .into_iter()
            .flat_map(|space| space.pool.ranges());
        ranges
            .flat_map(|range| self.cooling.between(range.first(), range.last()))
            .map(|(address, cooling)| (address, cooling.clone()))
            .collect()
    }

    /// Moves the clock on: addresses that have cooled down are given to those who wait.
    pub fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.end_cool_downs();
        self.end_quarantines();
        self.wake();
    }

    /// When [`advance`](Self::advance) has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let ends = [self.cooling.next_end(), self.quarantine.next_end()];
        ends.into_iter().flatten().min()
    }

    /// Takes note of an address that cooled down before this process began. Call it after what is held has been
    /// [adopted](Self::adopt), and the pools are known: what somebody holds, or no pool has, does not cool down.
    pub fn resume_cool_down(&mut self, address: IpAddr, mut cooling: Cooling) {
        let Some(cover) = self.covering(address) else {
            return;
        };
        let was = self.occupancy(address);
        if was == Occupancy::Held {
            return;
        }
        cooling.until = cooling
            .until
            .min(self.now + self.pools[&cover.pool].pool.cool_down());
        if cooling.until > self.now {
            self.cooling.start(address, cooling);
            self.mark(address, was);
        }
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
                let pool = self.pool_for(&kept).unwrap_or_else(|| pool.into());
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
    pub fn request(&mut self, service: &ServiceKey, request: impl Into<Arc<Request>>) {
        let request = request.into();
        let entry = self.services.entry(service.clone()).or_default();
        if entry.request.as_ref() == Some(&request) {
            return;
        }
        let before = entry.request.replace(request.clone());
        self.set_asked(service, before.as_deref(), Some(&request));
        self.settle(service);
        self.wake();
    }

    /// `service` no longer asks for anything that makes sense: it keeps what it holds, and waits for nothing.
    pub fn withdraw(&mut self, service: &ServiceKey) {
        self.waiting.remove(&Who::Service(service.clone()));
        if let Some(entry) = self.services.get_mut(service) {
            if entry.refusal.take().is_some() {
                self.changed.insert(service.clone());
            }
            let before = entry.request.take();
            self.set_asked(service, before.as_deref(), None);
            self.wake();
        }
    }

    /// `service` is gone, or no longer a LoadBalancer: what it held is free, and those who wait for it are served.
    pub fn release(&mut self, service: &ServiceKey) {
        self.waiting.remove(&Who::Service(service.clone()));
        self.hold(service, None);
        let before = self.services.remove(service).and_then(|entry| entry.request);
        self.set_asked(service, before.as_deref(), None);
        self.wake();
    }

    /// Meets the request of `service`, or says why not.
    fn settle(&mut self, service: &ServiceKey) {
        let Some(Service {
            request: Some(request),
            held,
            ..
        }) = self.services.get(service).map(Box::as_ref)
        else {
            return;
        };
        let (created, terms) = (request.created, request.terms.clone());
        let (refusal, waits) = match self.decide(service, request, held.as_ref()) {
            Ok(assignment) => {
                let mut waits = self.incomplete(request, &assignment);
                // Who has what is reserved for it is to know when that is over.
                waits.extend(self.asked_for(service, request).map(Wait::Reservation));
                self.hold(service, Some(Held { assignment, terms }));
                (None, waits)
            }
            Err(refusal) => {
                let mut waits = self.waits(service, request, &refusal);
                waits.extend(
                    held.iter()
                        .flat_map(|held| self.incomplete(request, &held.assignment)),
                );
                // The ports and keys have changed, whatever becomes of the rest of the request.
                let kept = held.clone().filter(|held| self.leaves_to(service, held, &terms));
                self.hold(service, kept.map(|held| Held { terms, ..held }));
                (Some(Box::new(refusal)), waits)
            }
        };
        self.waiting.set(Who::Service(service.clone()), created, waits);
        let entry = self
            .services
            .get_mut(service)
            .expect("the Service was found above");
        if entry.refusal != refusal {
            entry.refusal = refusal;
            self.changed.insert(service.clone());
        }
    }
}

#[cfg(test)]
mod tests;
