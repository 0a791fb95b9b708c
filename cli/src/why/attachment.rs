//! What speaks against a node that its interfaces are not as an address needs them: as its speaker says, since the API server
//! does not know.

use std::fmt;
use std::net::IpAddr;

use cortenlb_core::addr::AddrRange;
use cortenlb_core::announce::{Group, REQUIRE_SUBNET};

use crate::facts::{Attached, Membership, Told};

/// Why a node's interfaces keep it from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreached {
    /// None is in its subnet, and that is asked for.
    NoInterface(IpAddr),
    /// Those in its subnet have no carrier.
    NoCarrier(IpAddr),
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface(address) => write!(f, "no interface in the subnet of {address}"),
            Self::NoCarrier(address) => write!(f, "no carrier towards {address}"),
        }
    }
}

impl Unreached {
    /// What would change it.
    pub(super) fn advice(self, node: &str) -> String {
        match self {
            Self::NoInterface(address) => format!(
                "an interface on {node} in the subnet of {address}, or no annotation {REQUIRE_SUBNET} on the L2Advertisement"
            ),
            Self::NoCarrier(address) => {
                format!("plug in or set up the interface on {node} that leads to {address}")
            }
        }
    }
}

/// The addresses of a group from which a node's interfaces keep it; none where its speaker did not say which it has.
pub(super) fn unreached(told: &[Told<Membership>], node: &str, group: &Group) -> Vec<Unreached> {
    let answers = told.iter().filter(|told| told.node == node);
    let mut answers = answers.filter_map(|told| told.answer.as_ref().ok());
    let Some(interfaces) = answers.find_map(|says| says.attached.as_ref()) else {
        return Vec::new();
    };
    let unreached = group.addresses.iter().filter_map(|address| {
        let leading = interfaces.iter().filter(|one| reaches(one, *address));
        let carrier = leading.map(|one| one.carrier).reduce(|one, other| one || other);
        match carrier {
            None => group.on_link.then_some(Unreached::NoInterface(*address)),
            Some(false) => Some(Unreached::NoCarrier(*address)),
            Some(true) => None,
        }
    });
    unreached.collect()
}

fn reaches(interface: &Attached, address: IpAddr) -> bool {
    let prefixes = interface.prefixes.iter();
    let mut ranges = prefixes.filter_map(|prefix| prefix.parse::<AddrRange>().ok());
    ranges.any(|range| range.contains(address))
}
