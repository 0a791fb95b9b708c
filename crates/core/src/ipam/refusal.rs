//! Why a Service gets no address.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::request::Port;
use crate::addr::Family;
use crate::name::{ReservationKey, ServiceKey};

/// Why a request cannot be met. What the Service holds already is untouched by it.
///
/// The texts begin with MetalLB's own (`Failed to allocate IP for "ns/name": …`), and go on with what it does not say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The addresses asked for are not one of each family that the Service has.
    #[error("requested loadBalancer IP(s) {} does not match the ipFamily of the service", Quoted(.addresses))]
    Families {
        /// The addresses asked for.
        addresses: Vec<IpAddr>,
    },
    /// No pool has all addresses asked for.
    #[error("{} is not allowed in config: no valid IPAddressPool contains it", Quoted(.addresses))]
    NotInPools {
        /// The addresses asked for.
        addresses: Vec<IpAddr>,
    },
    /// The addresses asked for lie in another pool than the one asked for.
    #[error(
        "requested loadBalancer IP(s) {} is not compatible with requested address pool {asked}: it belongs to pool {pool}",
        Quoted(.addresses)
    )]
    OtherPool {
        /// The addresses asked for.
        addresses: Vec<IpAddr>,
        /// The pool asked for.
        asked: String,
        /// The pool that has them.
        pool: String,
    },
    /// The pool asked for, or that of the addresses asked for, does not serve this Service.
    #[error(
        "pool {pool} not compatible for ip assignment: its serviceAllocation does not select this service"
    )]
    NotSelected {
        /// The pool.
        pool: String,
    },
    /// An address asked for is held by somebody else.
    #[error(transparent)]
    InUse(InUse),
    /// The pool asked for does not exist, or is ignored as invalid.
    #[error("unknown pool {pool:?}")]
    UnknownPool {
        /// The pool.
        pool: String,
    },
    /// The reservation asked for does not exist in the Service's namespace.
    #[error("there is no AddressReservation {reservation}")]
    UnknownReservation {
        /// The reservation.
        reservation: ReservationKey,
    },
    /// The reservation asked for has no address itself.
    #[error("AddressReservation {reservation} has no address yet: {why}")]
    ReservationPending {
        /// The reservation.
        reservation: ReservationKey,
        /// What it waits for.
        why: String,
    },
    /// The pool asked for has not free what the Service needs.
    #[error("no available IPs in pool {pool} for {shortage} IPFamily")]
    Exhausted {
        /// The pool.
        pool: String,
        /// What it has not free.
        shortage: Shortage,
    },
    /// The Service asks for nothing special, and no pool can serve it.
    #[error("no available IPs{}", Explained(.pools, *.others))]
    NoneAvailable {
        /// What is in the way, for each pool that selects the Service, by name. Pools of others are nobody else's
        /// business: one more of them changes nothing here.
        pools: Box<[(Arc<str>, Unsuitable)]>,
        /// Whether no pool selects the Service, and there are others: it may be meant to be selected.
        others: bool,
    },
}

/// Why a pool that selects a Service cannot serve it, which asks for nothing special.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// `autoAssign` is false.
    #[error("is not assigned automatically (autoAssign)")]
    AutoAssignOff,
    /// It has not free what the Service needs.
    #[error("{}", .0.in_pool())]
    Full(Shortage),
    /// It never had addresses of this family.
    #[error("has no {0} addresses")]
    NoFamily(Family),
}

/// Of which family a pool has no free address for a Service. Displays as `IPv4`, `IPv4 or IPv6`, `IPv4 and IPv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// This one, which the Service needs.
    Of(Family),
    /// Neither, and one would do (`PreferDualStack`).
    Either,
    /// One or both, and it takes both or none (`RequireDualStack`).
    Both,
}

impl Shortage {
    /// As said of the pool.
    fn in_pool(self) -> &'static str {
        match self {
            Self::Of(Family::V4) => "has no free IPv4 address",
            Self::Of(Family::V6) => "has no free IPv6 address",
            Self::Either => "has no free IPv4 or IPv6 address",
            Self::Both => "has not both an IPv4 and an IPv6 address free",
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(family) => family.fmt(f),
            Self::Either => f.write_str("IPv4 or IPv6"),
            Self::Both => f.write_str("IPv4 and IPv6"),
        }
    }
}

/// Why an address that others hold cannot be shared with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InUse {
    /// No common sharing key, or another backend.
    #[error("can't change sharing key for \"{service}\", address also in use by {}", Listed(.others))]
    Sharing {
        /// Who asks.
        service: ServiceKey,
        /// Who holds the address; of very many the first by name, and one more.
        others: Vec<ServiceKey>,
    },
    /// A port is taken.
    #[error("port {port} is already in use on \"{address}\"")]
    Port {
        /// The port.
        port: Port,
        /// The address.
        address: IpAddr,
    },
    /// The address is kept for others.
    #[error(
        "\"{address}\" is reserved by AddressReservation {reservation}, which neither names this service nor is named \
         by its annotation cortenlb.io/reservation"
    )]
    Reserved {
        /// The address.
        address: IpAddr,
        /// The reservation that has it.
        reservation: ReservationKey,
    },
}

impl Refusal {
    /// The reason in a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Families { .. } => "FamilyMismatch",
            Self::NotInPools { .. } => "AddressNotInPools",
            Self::OtherPool { .. } => "AddressInOtherPool",
            Self::NotSelected { .. } => "PoolNotForService",
            Self::InUse(InUse::Reserved { .. }) => "AddressReserved",
            Self::InUse(_) => "AddressInUse",
            Self::UnknownReservation { .. } => "UnknownReservation",
            Self::ReservationPending { .. } => "ReservationPending",
            Self::UnknownPool { .. } => "UnknownPool",
            Self::Exhausted { .. } => "PoolExhausted",
            Self::NoneAvailable { .. } => "NoAddressAvailable",
        }
    }
}

const NOT_SELECTED: &str = "; no serviceAllocation of those that there are selects it: compare their namespaces, \
                            namespaceSelectors and serviceSelectors with its namespace and with the labels of both";

/// How many pools or Services a message lists at most. Who comes and goes behind them changes no message.
pub(super) const LISTED: usize = 8;

struct Explained<'a>(&'a [(Arc<str>, Unsuitable)], bool);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str(": there is no valid IPAddressPool for this service")?;
            return f.write_str(if self.1 { NOT_SELECTED } else { "" });
        }
        for (place, (pool, unsuitable)) in self.0.iter().take(LISTED).enumerate() {
            write!(
                f,
                "{} pool {pool:?} {unsuitable}",
                if place == 0 { ":" } else { ";" }
            )?;
        }
        match self.0.len().checked_sub(LISTED) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

/// A list of addresses as Go's `%q` prints it: `["192.0.2.1" "2001:db8::1"]`, which MetalLB's texts contain.
pub struct Quoted<'a>(pub &'a [IpAddr]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (place, address) in self.0.iter().enumerate() {
            write!(f, "{}\"{address}\"", if place == 0 { "" } else { " " })?;
        }
        f.write_str("]")
    }
}

pub(super) struct Listed<'a>(pub(super) &'a [ServiceKey]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, service) in self.0.iter().take(LISTED).enumerate() {
            write!(f, "{}{service}", if place == 0 { "" } else { "," })?;
        }
        f.write_str(if self.0.len() > LISTED { " and others" } else { "" })
    }
}
