//! What a Service asks for, and what it gets.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::addr::Family;
use crate::few::Few;
use crate::selector::Labels;

/// What a Service asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `metadata.creationTimestamp` in seconds since 1970: who waits longest is served first.
    pub created: i64,
    /// `metadata.labels`, for `serviceAllocation.serviceSelectors`.
    pub labels: Labels,
    /// The families of its addresses.
    pub families: Families,
    /// The addresses asked for by annotation or `spec.loadBalancerIP`: none, one, or one of each family.
    pub addresses: Vec<IpAddr>,
    /// The pool asked for by annotation.
    pub pool: Option<String>,
    /// The names of the reservations asked for by annotation (`cortenlb.io/reservation`): none, one, or one for each
    /// family.
    pub reservations: Vec<String>,
    /// Under which terms it would share an address.
    pub terms: Arc<Terms>,
}

/// The families that a Service wants, from its cluster IPs and `spec.ipFamilyPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// One address of this family.
    Single(Family),
    /// One address of each family, or none at all (`RequireDualStack`).
    Dual,
    /// One address of each family, or at least one of them (`PreferDualStack` with two cluster IPs).
    Prefer {
        /// The family to take if no pool has both: `spec.ipFamilies[0]`.
        primary: Family,
    },
}

impl Families {
    /// The families wanted, IPv4 first.
    pub fn wanted(self) -> &'static [Family] {
        match self {
            Self::Single(Family::V4) => &[Family::V4],
            Self::Single(Family::V6) => &[Family::V6],
            Self::Dual | Self::Prefer { .. } => &Family::ALL,
        }
    }
}

/// Under which terms a Service shares its address. Two Services share if both have the same key and the same backend
/// and no port in common (MetalLB, `allow-shared-ip`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The sharing key; none: does not share.
    pub key: Option<String>,
    /// Empty for `externalTrafficPolicy: Cluster`, the rendered selector for `Local`, where all sharers must have
    /// the same pods.
    pub backend: String,
    /// `spec.ports`.
    pub ports: Few<Port>,
}

/// The transport protocol of a Service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// The default.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port of a Service. Displays as `TCP/80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// `spec.ports[].protocol`.
    pub protocol: Protocol,
    /// `spec.ports[].port`.
    pub number: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        };
        write!(f, "{protocol}/{}", self.number)
    }
}

/// What a Service holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// One address, or one of each family. Never empty.
    pub addresses: Vec<IpAddr>,
    /// The pool they belong to; after its deletion, the pool that they came from. Empty if that was never recorded.
    pub pool: Arc<str>,
}

/// An address found in a Service's status when the controller starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whether the Service asks for these very addresses.
    pub explicit: bool,
    /// Whether the Service carries `ip-allocated-from-pool`.
    pub annotated: bool,
    /// `metadata.creationTimestamp` in seconds since 1970.
    pub created: i64,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// The pool that the annotation names, or empty.
    pub pool: String,
    /// Under which terms the Service shares them.
    pub terms: Arc<Terms>,
}
