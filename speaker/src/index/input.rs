//! What the speaker's index is told.

use cortenlb_core::announce::Fact;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::translate::{announce as translate, conflict};
use cortenlb_crds::{ConfigurationState, IPAddressPool, L2Advertisement, ServiceL2Status};
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::Outcome;
use cortenlb_wire::mac::MacAddr;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// One thing that happened. The large kinds are boxed: most inputs are one changed object.
#[derive(Debug)]
pub enum Input {
    /// The watch of Services.
    Services(Change<View>),
    /// The watch of EndpointSlices, as [`translate::slice`] reads them.
    Slices(Change<Fact>),
    /// The watch of Nodes.
    Nodes(Box<Change<Node>>),
    /// The watch of IPAddressPools.
    Pools(Change<IPAddressPool>),
    /// The watch of L2Advertisements.
    Advertisements(Change<L2Advertisement>),
    /// The watch of speaker pods.
    Speakers(Box<Change<Pod>>),
    /// The watch of pods in our namespace that are not ours: MetalLB's speakers may be among them.
    Foreign(Change<Fact>),
    /// The watch of ServiceL2Statuses.
    Statuses(Change<ServiceL2Status>),
    /// The names of this node's interfaces, excluded ones left out.
    Links(BTreeSet<String>),
    /// The groups that this node owns now, by their lowest addresses.
    Owned(BTreeSet<IpAddr>),
    /// The addresses that somebody else on the segment has, as this node found before their first use, and where.
    Contested(BTreeMap<IpAddr, MacAddr>),
    /// What became of a write.
    Written(Outcome<Key>),
    /// The watch of this speaker's ConfigurationState.
    States(Change<ConfigurationState>),
}

/// What matters of a Service: there may be thousands.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) fact: Fact,
    pub(super) uid: Option<String>,
    /// It says that somebody else has its address.
    pub(super) contested: bool,
}

/// A pod that is none of ours, as a speaker of MetalLB or none.
#[derive(Clone, Debug)]
pub struct Foreign(pub(super) Fact);

impl Foreign {
    /// What matters of `pod`.
    pub fn of(pod: &Pod) -> Self {
        Self(translate::rival(pod))
    }
}

impl From<Change<Foreign>> for Input {
    fn from(change: Change<Foreign>) -> Self {
        Self::Foreign(change.map(|Foreign(fact)| fact))
    }
}

impl View {
    /// What matters of `object` to a speaker with this `--lb-class`.
    pub fn of(object: &Service, class: Option<&str>) -> Self {
        Self {
            fact: translate::service(object, class),
            uid: object.uid(),
            contested: conflict::is_contested(object),
        }
    }
}

/// The objects that are written to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The ServiceL2Statuses of a Service.
    Service(ServiceKey),
    /// This speaker's ConfigurationState.
    State,
}

macro_rules! from_watch {
    ($($kind:ty => $variant:ident),* $(,)?) => {$(
        impl From<Change<$kind>> for Input {
            fn from(change: Change<$kind>) -> Self {
                Self::$variant(change.into())
            }
        }
    )*};
}

from_watch! {
    View => Services,
    Fact => Slices,
    Node => Nodes,
    IPAddressPool => Pools,
    L2Advertisement => Advertisements,
    Pod => Speakers,
    ServiceL2Status => Statuses,
    ConfigurationState => States,
}
