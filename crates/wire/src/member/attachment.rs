//! How a member is attached to the network: what carries its addresses, and what does not just now.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::NodeId;
use crate::mac::MacAddr;

/// The most interfaces in one [`Attachment`].
pub const MAX_INTERFACES: usize = 8;

/// The most prefixes of one [`Attached`].
pub const MAX_PREFIXES: usize = 4;

/// The interfaces of a member. Of two about one member the greater one holds, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// Of which member.
    pub id: NodeId,
    /// In which life, as in [`Life`](super::Life).
    pub born: u64,
    /// Counts the changes in one life.
    pub revision: u32,
    /// At most [`MAX_INTERFACES`]; of more the first ones are written.
    pub interfaces: Vec<Attached>,
}

/// One interface that can announce addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attached {
    /// Its link-layer address.
    pub mac: MacAddr,
    /// Whether it is up and has carrier.
    pub carrier: bool,
    /// What it reaches without a gateway; at most [`MAX_PREFIXES`]; of more the first ones are written.
    pub prefixes: Vec<Prefix>,
}

/// Addresses with the same beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The addresses whose first `length` bits are those of `address`; none if it has not so many.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let host = u32::from(bits(address)).checked_sub(length.into())?;
        // A shift by all bits of an integer overflows, and leaves nothing.
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(host).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(host).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Some(Self { address, length })
    }

    /// The first of the addresses.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits they have in common.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether it has one address only, so that nobody else is reached.
    pub const fn is_host(&self) -> bool {
        self.length == bits(self.address)
    }

    /// From the first address to the last one.
    pub fn range(&self) -> RangeInclusive<IpAddr> {
        let host = u32::from(bits(self.address) - self.length);
        let last = match self.address {
            IpAddr::V4(address) => {
                let hosts = u32::MAX.checked_shl(host).map_or(u32::MAX, |mask| !mask);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() | hosts))
            }
            IpAddr::V6(address) => {
                let hosts = u128::MAX.checked_shl(host).map_or(u128::MAX, |mask| !mask);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() | hosts))
            }
        };
        self.address..=last
    }

    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range().contains(&address)
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests;
