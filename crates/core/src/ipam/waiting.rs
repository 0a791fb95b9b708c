//! Who waits for what: a change wakes exactly those whom it could help.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::{Refusal, Unsuitable};
use super::request::{Assignment, Families, Request};
use super::select::missing;
use super::sharing::Club;
use super::{Allocator, Port};
use crate::addr::Family;
use crate::few::Few;
use crate::name::{ReservationKey, ServiceKey};

/// What could help one who waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// This address becomes free, loses one of its holders, or enters a pool.
    Address(IpAddr),
    /// An address of this family becomes free in this pool.
    Free(Arc<str>, Family),
    /// The same, and there is one of each family then.
    FreeBoth(Arc<str>),
    /// This port, one of those that the one who waits has, is no longer taken on every address of those with whom it
    /// could share. None for who has no ports.
    Sharing(Club, Option<Port>),
    /// This pool appears or changes.
    Pool(Arc<str>),
    /// Any pool that would serve it appears, changes or goes.
    AnyPool,
    /// This reservation appears or goes, gets an address or loses it, or has none for another reason.
    Reservation(ReservationKey),
}

/// Who waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Reservation(ReservationKey),
    Service(ServiceKey),
}

impl Who {
    fn namespace(&self) -> &str {
        match self {
            Self::Reservation(key) => key.namespace(),
            Self::Service(key) => key.namespace(),
        }
    }
}

/// A place in the queue: the oldest first, then by name.
pub(super) type Place = (i64, Who);

#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: BTreeMap<Wait, BTreeSet<Place>>,
    of: BTreeMap<Who, (i64, Vec<Wait>)>,
}

impl Waiting {
    /// Puts `who` into the queue of each of `waits`, in place of where it stood.
    pub(super) fn set(&mut self, who: Who, created: i64, waits: Vec<Wait>) {
        self.remove(&who);
        for wait in &waits {
            self.queues
                .entry(wait.clone())
                .or_default()
                .insert((created, who.clone()));
        }
        if !waits.is_empty() {
            self.of.insert(who, (created, waits));
        }
    }

    pub(super) fn remove(&mut self, who: &Who) {
        let Some((created, waits)) = self.of.remove(who) else {
            return;
        };
        let place = (created, who.clone());
        for wait in waits {
            if let Some(queue) = self.queues.get_mut(&wait) {
                queue.remove(&place);
                if queue.is_empty() {
                    self.queues.remove(&wait);
                }
            }
        }
    }

    /// The first in the queue of `wait` behind `after`.
    pub(super) fn next(&self, wait: &Wait, after: Option<&Place>) -> Option<Place> {
        use std::ops::Bound::{Excluded, Unbounded};
        let queue = self.queues.get(wait)?;
        queue
            .range((after.map_or(Unbounded, Excluded), Unbounded))
            .next()
            .cloned()
    }

    /// The Services in the queue of `wait`, in their order.
    pub(super) fn services(&self, wait: &Wait) -> impl Iterator<Item = &ServiceKey> {
        let places = self.queues.get(wait).into_iter().flatten();
        places.filter_map(|(_, who)| match who {
            Who::Service(service) => Some(service),
            Who::Reservation(_) => None,
        })
    }

    /// The addresses between `first` and `last` that somebody waits for.
    pub(super) fn addresses(&self, first: IpAddr, last: IpAddr) -> Vec<Wait> {
        self.queues
            .range(Wait::Address(first)..=Wait::Address(last))
            .map(|(wait, _)| wait.clone())
            .collect()
    }

    /// Everything that those wait for who could share with the holders in `club`.
    pub(super) fn sharers(&self, club: &Club) -> Few<Wait> {
        let waits = self.queues.range(Wait::Sharing(club.clone(), None)..);
        let waits = waits.map(|(wait, _)| wait);
        let alike = |wait: &&Wait| matches!(wait, Wait::Sharing(their, _) if their == club);
        waits.take_while(alike).cloned().collect()
    }

    /// Whether anybody waits for that.
    pub(super) fn contains(&self, wait: &Wait) -> bool {
        self.queues.contains_key(wait)
    }

    /// Those of a namespace that wait for anything.
    pub(super) fn of_namespace(&self, namespace: &str) -> Vec<Who> {
        let starts = [
            Who::Reservation(ReservationKey::new(namespace, "")),
            Who::Service(ServiceKey::new(namespace, "")),
        ];
        let kind = |start: Who| {
            let kind = std::mem::discriminant(&start);
            self.of
                .range(start..)
                .map(|(who, _)| who)
                .take_while(move |who| std::mem::discriminant(*who) == kind && who.namespace() == namespace)
        };
        starts.into_iter().flat_map(kind).cloned().collect()
    }
}

impl Allocator {
    /// What could turn `refusal` into an address.
    pub(super) fn waits(&self, service: &ServiceKey, request: &Request, refusal: &Refusal) -> Vec<Wait> {
        let mut waits: Vec<Wait> = match refusal {
            // Only the Service itself can mend that.
            Refusal::Families { .. } => Vec::new(),
            Refusal::NotInPools { addresses } | Refusal::OtherPool { addresses, .. } => {
                addresses.iter().copied().map(Wait::Address).collect()
            }
            Refusal::InUse(_) => request.addresses.iter().copied().map(Wait::Address).collect(),
            Refusal::UnknownReservation { .. } | Refusal::ReservationPending { .. } => Vec::new(),
            Refusal::NotSelected { pool } | Refusal::UnknownPool { pool } => {
                vec![Wait::Pool(self.pool_name(pool))]
            }
            Refusal::Exhausted { pool, .. } => [Wait::Pool(self.pool_name(pool))]
                .into_iter()
                .chain(self.waits_for_free(pool, service, request))
                .collect(),
            Refusal::NoneAvailable { pools, .. } => {
                let full = pools
                    .iter()
                    .filter(|(_, unsuitable)| matches!(unsuitable, Unsuitable::Full(_)));
                full.flat_map(|(pool, _)| self.waits_for_free(pool, service, request))
                    .chain([Wait::AnyPool])
                    .collect()
            }
        };
        if request.addresses.is_empty() {
            waits.extend(self.sharing.waits(&request.terms));
            waits.extend(self.waits_for_reserved(service, request));
            waits.extend(self.cooling.of(service).map(Wait::Address));
        } else {
            // The pool that has the addresses may come to admit the Service, or to leave them to another.
            let pools = request
                .addresses
                .iter()
                .filter_map(|address| self.pool_of(*address));
            waits.extend(pools.map(|pool| Wait::Pool(self.pool_name(pool))));
        }
        waits
    }

    /// What must become free in `pool` for `service`. As long as it needs two addresses one of them helps nobody.
    fn waits_for_free(&self, pool: &str, service: &ServiceKey, request: &Request) -> Vec<Wait> {
        let Some((name, space)) = self.pools.get_key_value(pool) else {
            return Vec::new();
        };
        let needs_free = |family: &&Family| self.needs_free(space, **family, service, request);
        let wanted = request.families.wanted().iter();
        let families: Vec<&Family> = match request.families {
            Families::Dual => wanted.filter(needs_free).collect(),
            Families::Single(_) | Families::Prefer { .. } => wanted.collect(),
        };
        if request.families == Families::Dual && families.len() == Family::ALL.len() {
            return vec![Wait::FreeBoth(name.clone())];
        }
        let free = |family: &Family| Wait::Free(name.clone(), *family);
        families.into_iter().map(free).collect()
    }

    /// What could give `service` the family that it lacks beside what it holds, from the same pool.
    pub(super) fn incomplete(&self, request: &Request, held: &Assignment) -> Vec<Wait> {
        let missing = missing(request.families.wanted(), &held.addresses);
        if missing.is_empty() || !request.addresses.is_empty() {
            return Vec::new();
        }
        let pool = self.pool_name(&held.pool);
        let free = missing.into_iter().map(|family| Wait::Free(pool.clone(), family));
        free.chain([Wait::Pool(pool.clone())])
            .chain(self.sharing.waits(&request.terms))
            .collect()
    }
}
