//! Which of several pools are valid beside one another.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Pool;
use crate::addr::AddrRange;

/// Why a pool that is valid by itself is ignored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "CIDR {range} in pool {pool:?} overlaps with already defined CIDR {other_range} of the older pool {other:?}; \
     pool {pool:?} is ignored until one of them is changed"
)]
pub struct Rejection {
    /// The pool that is ignored.
    pub pool: String,
    /// Its range.
    pub range: AddrRange,
    /// The pool that keeps the addresses.
    pub other: String,
    /// That one's range.
    pub other_range: AddrRange,
}

/// Ranges without overlap, by their first address.
#[derive(Default)]
struct Claims<T>(BTreeMap<IpAddr, (AddrRange, T)>);

impl<T> Claims<T> {
    /// A claim that overlaps `range`: with disjoint claims only the last one that begins at or below its end can.
    fn conflict(&self, range: &AddrRange) -> Option<&(AddrRange, T)> {
        let (_, claim) = self.0.range(..=range.last()).next_back()?;
        claim.0.overlaps(range).then_some(claim)
    }

    fn add(&mut self, range: AddrRange, owner: T) {
        self.0.insert(range.first(), (range, owner));
    }
}

/// Sorts out overlaps: of two pools that have an address in common the older one (creation, then name) is valid and
/// the newer one is ignored as a whole. So a new pool never takes anything away from an old one.
pub fn resolve(pools: impl IntoIterator<Item = Pool>) -> (BTreeMap<String, Pool>, Vec<Rejection>) {
    let mut pools: Vec<Pool> = pools.into_iter().collect();
    pools.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    let mut claims: Claims<String> = Claims::default();
    let mut valid = BTreeMap::new();
    let mut rejected = Vec::new();
    for pool in pools {
        let conflict = pool
            .ranges
            .iter()
            .find_map(|range| Some((range, claims.conflict(range)?)));
        if let Some((range, (other_range, other))) = conflict {
            rejected.push(Rejection {
                pool: pool.name,
                range: *range,
                other: other.clone(),
                other_range: *other_range,
            });
            continue;
        }
        for range in &pool.ranges {
            claims.add(*range, pool.name.clone());
        }
        valid.insert(pool.name.clone(), pool);
    }
    (valid, rejected)
}

/// The places of ranges that overlap an earlier one of the list, each with that one's place.
pub(super) fn overlaps(ranges: &[AddrRange]) -> Vec<(usize, usize)> {
    let mut claims: Claims<usize> = Claims::default();
    let mut found = Vec::new();
    for (place, range) in ranges.iter().enumerate() {
        match claims.conflict(range) {
            Some((_, first)) => found.push((*first, place)),
            None => claims.add(*range, place),
        }
    }
    found
}
