//! What happens, and what is to be done about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cortenlb_core::ipam::Usage;
use cortenlb_core::name::{ReservationKey, ServiceKey};
use cortenlb_core::time::Instant;
use cortenlb_crds::translate::conflict::Contested;
use cortenlb_crds::{AddressReservation, BGPPeer, ConfigurationState, IPAddressPool, L2Advertisement};
use cortenlb_kit::events::Note;
use cortenlb_kit::lease::Predecessor;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Outcome, Write};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::jiff::Timestamp;

use super::record::View;

/// The time, handed in.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For what lasts.
    pub boot: Instant,
    /// For what is written down.
    pub wall: Timestamp,
}

/// Something has happened.
#[derive(Debug)]
pub enum Input {
    /// A Service came, changed or went.
    Services(Change<View>),
    /// A pool came, changed or went.
    Pools(Change<IPAddressPool>),
    /// A namespace came, changed or went.
    Namespaces(Change<Namespace>),
    /// A reservation came, changed or went.
    Reservations(Change<AddressReservation>),
    /// A pod in our namespace that is none of ours came, changed or went.
    Rivals(Box<Change<Pod>>),
    /// A ConfigurationState came, changed or went.
    States(Change<ConfigurationState>),
    /// A BGP peer came, changed or went.
    Peers(Change<BGPPeer>),
    /// An L2Advertisement came, changed or went.
    Advertisements(Change<L2Advertisement>),
    /// What is to be said about the announcement of a Service's addresses, in its condition `cortenlb.io/Announced`;
    /// `None`: nothing. Only shown while the Service has an address.
    Announced {
        /// The Service.
        service: ServiceKey,
        /// The condition without its type.
        verdict: Option<Arc<Verdict>>,
    },
    /// The Services with an address that somebody else on the segment has, in place of the earlier ones.
    Contested(BTreeMap<ServiceKey, Contested>),
    /// The answer to [`Effect::List`].
    Newest {
        /// The number of the question.
        question: u64,
        /// The greatest `metadata.resourceVersion` of the Services that can have an address, 0 if there is none. `None`:
        /// the API server did not answer.
        newest: Option<u64>,
    },
    /// A write was answered.
    Written(Box<Outcome<Key>>),
    /// This process leads from now on, or no longer.
    Lead(Option<Lead>),
}

/// A term of leadership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The Lease's `leaseTransitions`: it grows with every term.
    pub epoch: i32,
    /// What has become of the leader before: what it wrote last may not have landed, or not have been seen.
    pub predecessor: Predecessor,
}

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// `True` or `False`.
    pub status: bool,
    /// One word, for programs.
    pub reason: String,
    /// A sentence, for people.
    pub message: String,
}

/// The objects that are written to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A Service's status.
    Service(ServiceKey),
    /// A pool's status.
    Pool(String),
    /// A reservation's status.
    Reservation(ReservationKey),
    /// The controller's ConfigurationState.
    State,
    /// The stamp on a Service that keeps late writes of another leader out.
    Stamp(ServiceKey),
}

/// Something is to be done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Send this to the API server.
    Write(Write<Key>),
    /// List the Services of type LoadBalancer, consistently and not from an older state of the API server's cache, and
    /// tell the newest version as [`Input::Newest`] with this number.
    List(u64),
    /// Record this Event.
    Note(Note),
    /// A pool is that full now; `None`: it is gone, or ignored.
    Usage {
        /// The pool.
        pool: String,
        /// Its numbers.
        usage: Option<PoolUsage>,
    },
    /// Whether any pool is ignored.
    Config {
        /// It is so.
        stale: bool,
    },
    /// Something failed that should not.
    Failed,
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// In IPv4.
    pub v4: Usage,
    /// In IPv6.
    pub v6: Usage,
}
