//! Addresses, ranges of them, and sets of free ones.
//!
//! Everything counts in `u128`, so that IPv4 and IPv6 share one arithmetic and a /64 costs what a /30 costs.

mod free;
mod number;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::IpNetwork;

pub use free::FreeSet;
pub use number::Numbering;

/// An address family, spelled as in `Service.spec.ipFamilies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 32 bits.
    V4,
    /// 128 bits.
    V6,
}

impl Family {
    /// Both, in the order in which a dual-stack Service lists its addresses.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The address of this family with the numeric value `number`, which came from one.
    fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => {
                Ipv4Addr::from_bits(u32::try_from(number).expect("an IPv4 number has 32 bits")).into()
            }
            Self::V6 => Ipv6Addr::from_bits(number).into(),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Reads an address as Go's `net.ParseIP` does, which MetalLB uses: an IPv4-mapped IPv6 address (`::ffff:1.2.3.4`)
/// is the IPv4 address, and leading zeros are refused.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// A non-empty, inclusive range of addresses of one family.
///
/// Parsed from MetalLB's two spellings of an entry of `IPAddressPool.spec.addresses`: a CIDR, whose host bits are
/// ignored (`192.168.10.100/24` is the whole `192.168.10.0/24`), and `first-last`, with optional blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddrRange {
    family: Family,
    first: u128,
    last: u128,
}

/// Why a text or a pair of addresses is no range. The texts are MetalLB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddrRangeError {
    /// Neither a CIDR nor a range `first-last`; a bare address is neither.
    #[error("invalid CIDR {0:?}: write a CIDR such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20")]
    Cidr(String),
    /// The part before `-` is no address.
    #[error("invalid IP range {range:?}: invalid start IP {start:?}")]
    Start {
        /// The whole text.
        range: String,
        /// The part at fault.
        start: String,
    },
    /// The part after `-` is no address.
    #[error("invalid IP range {range:?}: invalid end IP {end:?}")]
    End {
        /// The whole text.
        range: String,
        /// The part at fault.
        end: String,
    },
    /// One end is IPv4, the other IPv6.
    #[error("invalid IP range {0:?}: start and end IPs must be the same family")]
    Families(String),
    /// The range would be empty.
    #[error("invalid IP range {range:?}: start IP {start} is after the end IP {end}")]
    Order {
        /// The whole text.
        range: String,
        /// The first address.
        start: IpAddr,
        /// The last address.
        end: IpAddr,
    },
}

impl AddrRange {
    /// The family of all its addresses.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.family.address(self.first)
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.family.address(self.last)
    }

    /// Whether `address` lies inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family && (self.first..=self.last).contains(&number(address))
    }

    /// Whether an address lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.family == other.family && self.first <= other.last && other.first <= self.last
    }

    fn parse_cidr(text: &str) -> Option<Self> {
        let (_, length) = text.split_once('/')?;
        // A sign is a number to Rust, and a defect to Go.
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let network: IpNetwork = text.parse().ok()?;
        // Go masks an IPv4-mapped address as the IPv6 address it was written as, and calls the result IPv4 if the
        // mapping prefix ::ffff:0:0/96 survived.
        let canonical = |address: IpAddr| {
            if network.prefix() < 96 {
                address
            } else {
                address.to_canonical()
            }
        };
        let (first, last) = (canonical(network.network()), canonical(network.broadcast()));
        Some(Self {
            family: Family::of(first),
            first: number(first),
            last: number(last),
        })
    }
}

impl FromStr for AddrRange {
    type Err = AddrRangeError;

    fn from_str(text: &str) -> Result<Self, AddrRangeError> {
        let Some((start, end)) = text.split_once('-') else {
            return Self::parse_cidr(text).ok_or_else(|| AddrRangeError::Cidr(text.to_owned()));
        };
        let range = || text.to_owned();
        let first = parse_address(start.trim()).ok_or_else(|| AddrRangeError::Start {
            range: range(),
            start: start.to_owned(),
        })?;
        let last = parse_address(end.trim()).ok_or_else(|| AddrRangeError::End {
            range: range(),
            end: end.to_owned(),
        })?;
        if Family::of(first) != Family::of(last) {
            return Err(AddrRangeError::Families(range()));
        }
        if first > last {
            return Err(AddrRangeError::Order {
                range: range(),
                start: first,
                end: last,
            });
        }
        Ok(Self {
            family: Family::of(first),
            first: number(first),
            last: number(last),
        })
    }
}

impl fmt::Display for AddrRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first(), self.last())
    }
}

#[cfg(test)]
mod tests;
