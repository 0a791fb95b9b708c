//! Answering in another node's name.
//!
//! While a node's speaker is away for a moment (an upgrade, a crash), its kernel goes on forwarding, and neighbours that
//! know its MAC notice nothing. Only who asks in that time would get no answer. Another node answers those, with the
//! MAC of the owner as ARP's sender hardware address (RFC 826) or target link-layer address (RFC 4861 §4.4); the
//! Ethernet source stays its own, so that no switch learns the owner's MAC on a wrong port. Nothing moves, so nobody is
//! told of anything, at the beginning or at the end.

use std::collections::BTreeMap;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_wire::mac::MacAddr;

use super::Interface;

/// How an address is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// On which interfaces.
    pub scope: Scope,
    /// None: with the MAC of each interface. Otherwise for another node: on the interfaces with these indexes only,
    /// and with these MACs of that node, each on the same segment as the interface.
    pub in_name_of: Option<BTreeMap<u32, MacAddr>>,
}

/// Whose MAC answers carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// That of the interface.
    Own(MacAddr),
    /// Another node's.
    Other(MacAddr),
}

impl Announcement {
    /// On these interfaces, with their own MACs.
    pub const fn own(scope: Scope) -> Self {
        Self {
            scope,
            in_name_of: None,
        }
    }

    /// The name on an interface, if there is one.
    pub(super) fn name_on(&self, index: u32, interface: &Interface) -> Option<Name> {
        match &self.in_name_of {
            None => Some(Name::Own(interface.mac)),
            Some(macs) => macs.get(&index).copied().map(Name::Other),
        }
    }
}

impl Name {
    pub(super) const fn mac(self) -> MacAddr {
        match self {
            Self::Own(mac) | Self::Other(mac) => mac,
        }
    }

    pub(super) const fn is_own(self) -> bool {
        matches!(self, Self::Own(_))
    }
}
