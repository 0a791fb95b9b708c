//! Reservations: addresses that are kept for Services which may come, go and come back.

mod offer;
mod secure;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::refusal::Listed;
use crate::addr::Family;
use crate::name::{ReservationKey, ServiceKey};

/// What an `AddressReservation` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// `metadata.creationTimestamp` in seconds since 1970: who waits longest is served first.
    pub created: i64,
    /// `spec.pool`.
    pub pool: String,
    /// `spec.family`.
    pub family: Family,
    /// `spec.address`; none: the first free one.
    pub address: Option<IpAddr>,
    /// `spec.services`: names of Services of its namespace that get the address without asking.
    pub services: BTreeSet<String>,
    /// `spec.reclaimPolicy`: whether the address is kept when the last Service that has it goes.
    pub retain: bool,
    /// What its status says: what it had before this process began. The pool may be gone since.
    pub recorded: Option<Recorded>,
}

/// What a reservation had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `status.address`.
    pub address: IpAddr,
    /// `status.phase`.
    pub right: Right,
}

/// What a reservation's recorded address is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// It has the address (`Available`, `Bound`).
    Has,
    /// It had the address, and waits for whoever has it now (`Pending`).
    Waits,
    /// It had the address until its Services went (`Released`).
    Released,
}

/// Why a reservation has no address. It waits for what could give it one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pending {
    /// `spec.address` is of the other family.
    #[error("spec.address {address} is not of family {family}")]
    Family {
        /// The address.
        address: IpAddr,
        /// `spec.family`.
        family: Family,
    },
    /// The pool does not exist, or is ignored as invalid.
    #[error("spec.pool: there is no valid IPAddressPool {0:?}")]
    UnknownPool(String),
    /// The pool's `serviceAllocation` does not select the namespace.
    #[error("spec.pool: the serviceAllocation of pool {0:?} does not select this namespace")]
    NotSelected(String),
    /// The pool has no such address, or leaves it out.
    #[error("spec.address {address} is not in pool {pool:?}")]
    NotInPool {
        /// The address.
        address: IpAddr,
        /// `spec.pool`.
        pool: String,
    },
    /// Somebody holds the address who may not bind.
    #[error("{address} is in use by {}, which may not bind to this reservation", Listed(.holders))]
    InUse {
        /// The address.
        address: IpAddr,
        /// Who holds it.
        holders: Vec<ServiceKey>,
    },
    /// Another reservation has the address.
    #[error("{address} is reserved by {by}")]
    Reserved {
        /// The address.
        address: IpAddr,
        /// The other reservation.
        by: ReservationKey,
    },
    /// The pool has no free address.
    #[error("pool {pool:?} has no free {family} address")]
    Exhausted {
        /// The pool.
        pool: String,
        /// The family.
        family: Family,
    },
}

impl Pending {
    /// The reason in a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Family { .. } => "FamilyMismatch",
            Self::UnknownPool(_) => "UnknownPool",
            Self::NotSelected(_) => "PoolNotForNamespace",
            Self::NotInPool { .. } => "AddressNotInPool",
            Self::InUse { .. } => "AddressInUse",
            Self::Reserved { .. } => "AddressReserved",
            Self::Exhausted { .. } => "PoolExhausted",
        }
    }
}

/// How a reservation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no address; it may wait for the one that it had.
    Pending(Pending, Option<IpAddr>),
    /// Its address is kept, and nobody has it.
    Available(IpAddr),
    /// These Services have its address.
    Bound(IpAddr, Vec<ServiceKey>),
    /// Its Services are gone and its address (`reclaimPolicy: Release`) is anybody's.
    Released(IpAddr),
}

/// All reservations.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    entries: BTreeMap<ReservationKey, Entry>,
    addresses: BTreeMap<IpAddr, ReservationKey>,
    /// Those without an address.
    vacant: BTreeSet<ReservationKey>,
    /// By the Services that a reservation names.
    named: BTreeMap<ServiceKey, BTreeSet<ReservationKey>>,
    /// The Services that ask by annotation.
    asked: BTreeMap<ReservationKey, BTreeSet<ServiceKey>>,
    changed: BTreeSet<ReservationKey>,
}

#[derive(Debug)]
struct Entry {
    spec: Reservation,
    address: Option<IpAddr>,
    /// What it had last: it has a right to it without looking at pools.
    last: Option<IpAddr>,
    released: bool,
    pending: Option<Pending>,
}

impl Reservations {
    /// Which reservation has `address`.
    pub(super) fn of_address(&self, address: IpAddr) -> Option<&ReservationKey> {
        self.addresses.get(&address)
    }

    /// The reserved addresses between `first` and `last`.
    pub(super) fn between(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.addresses.range(first..=last).map(|(address, _)| *address)
    }

    pub(super) fn may_bind(&self, key: &ReservationKey, service: &ServiceKey) -> bool {
        let named = self.named.get(service).is_some_and(|keys| keys.contains(key));
        named || self.asks(key, service)
    }

    fn asks(&self, key: &ReservationKey, service: &ServiceKey) -> bool {
        self.asked.get(key).is_some_and(|asked| asked.contains(service))
    }

    /// The reservations that name `service`.
    pub(super) fn naming(&self, service: &ServiceKey) -> impl Iterator<Item = &ReservationKey> {
        self.named.get(service).into_iter().flatten()
    }

    #[cfg(test)]
    pub(super) fn spec(&self, key: &ReservationKey) -> Option<&Reservation> {
        self.entries.get(key).map(|entry| &entry.spec)
    }

    fn may_bind_to(&self, key: &ReservationKey) -> BTreeSet<ServiceKey> {
        let named = self.entries.get(key).into_iter().flat_map(|entry| {
            let services = entry.spec.services.iter();
            services.map(|name| ServiceKey::new(key.namespace(), name))
        });
        named
            .chain(self.asked.get(key).into_iter().flatten().cloned())
            .collect()
    }

    fn set_names(&mut self, key: &ReservationKey, services: &BTreeSet<String>, present: bool) {
        for name in services {
            let service = ServiceKey::new(key.namespace(), name);
            let keys = self.named.entry(service.clone()).or_default();
            if present {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
            if keys.is_empty() {
                self.named.remove(&service);
            }
        }
    }
}
