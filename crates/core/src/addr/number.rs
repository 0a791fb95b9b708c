//! Numbers the usable addresses of a range without gaps.

use std::net::IpAddr;

use super::{AddrRange, Family, number};

/// How addresses map to the numbers of a [`FreeSet`](super::FreeSet).
///
/// With `avoidBuggyIPs` the IPv4 addresses that end in .0 and .255 do not exist: the other 254 of each /24 are
/// numbered without a gap. So a set never holds an unusable address, and none has to be stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    family: Family,
    skip_edges: bool,
}

/// The usable addresses of a /24 under `avoidBuggyIPs`.
const USABLE: u128 = 254;

impl Numbering {
    /// Of addresses of `family`; `avoid_buggy_ips` concerns IPv4 only, as in MetalLB.
    pub fn new(family: Family, avoid_buggy_ips: bool) -> Self {
        Self {
            family,
            skip_edges: avoid_buggy_ips && family == Family::V4,
        }
    }

    /// The numbers of the usable addresses of `range`, first and last; none if no address of it is usable.
    pub fn span(self, range: &AddrRange) -> Option<(u128, u128)> {
        if !self.skip_edges {
            return Some((range.first, range.last));
        }
        let first = usable_below(range.first);
        let end = usable_below(range.last + 1);
        (first < end).then(|| (first, end - 1))
    }

    /// The number of `address`, if it is usable.
    pub fn number(self, address: IpAddr) -> Option<u128> {
        let number = number(address);
        if Family::of(address) != self.family {
            None
        } else if !self.skip_edges {
            Some(number)
        } else {
            (1..=USABLE)
                .contains(&(number & 0xff))
                .then(|| usable_below(number))
        }
    }

    /// The address with this number, which came from [`span`](Self::span) or [`number`](Self::number).
    pub fn address(self, number: u128) -> IpAddr {
        let number = if self.skip_edges {
            (number / USABLE) << 8 | (number % USABLE + 1)
        } else {
            number
        };
        self.family.address(number)
    }
}

/// How many usable IPv4 addresses are lower than `number`.
fn usable_below(number: u128) -> u128 {
    (number >> 8) * USABLE + (number & 0xff).saturating_sub(1)
}
