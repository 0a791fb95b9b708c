//! Pools: what an `IPAddressPool` says once it has been judged.

mod resolve;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

pub use resolve::{Rejection, resolve};

use crate::addr::{AddrRange, AddrRangeError};
use crate::selector::{LabelSelector, Labels, SelectorError};

/// An `IPAddressPool` as it was written, apart from its selectors, which have been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolSpec {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.creationTimestamp` in seconds since 1970; of two pools that overlap the older one is valid.
    pub created: i64,
    /// `spec.addresses`.
    pub addresses: Vec<String>,
    /// `spec.autoAssign`.
    pub auto_assign: bool,
    /// `spec.avoidBuggyIPs`.
    pub avoid_buggy_ips: bool,
    /// `spec.serviceAllocation`.
    pub allocation: Option<Allocation>,
    /// For how long an address that was given back is given to nobody else (annotation `cortenlb.io/cool-down`).
    pub cool_down: Duration,
}

/// `spec.serviceAllocation`: whom the pool serves. A pool with one is *pinned*: it serves first those it names,
/// and nobody else without being asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Lower is served first; 0 means no priority, which is last.
    pub priority: i64,
    /// Namespaces by name.
    pub namespaces: BTreeSet<String>,
    /// Namespaces by their labels; any of them.
    pub namespace_selectors: Vec<LabelSelector>,
    /// Services by their labels; any of them.
    pub service_selectors: Vec<LabelSelector>,
}

/// A valid pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    name: String,
    created: i64,
    ranges: Vec<AddrRange>,
    auto_assign: bool,
    avoid_buggy_ips: bool,
    allocation: Option<Allocation>,
    cool_down: Duration,
}

/// What is wrong with one field of a pool. The pool as a whole is ignored until it is mended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// `spec.addresses` is empty.
    #[error("spec.addresses: pool has no prefixes defined")]
    Empty,
    /// An entry is no range.
    #[error("spec.addresses[{index}]: {source}")]
    Address {
        /// The entry's place in the list.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: AddrRangeError,
    },
    /// Two entries have an address in common.
    #[error("spec.addresses: CIDR {second:?} overlaps with already defined CIDR {first:?}")]
    Overlap {
        /// The entry that comes first in the list.
        first: String,
        /// The entry that repeats addresses of it.
        second: String,
    },
    /// A label selector cannot be used.
    #[error("{field}: {source}")]
    Selector {
        /// The path of the selector.
        field: String,
        /// What is wrong with it.
        #[source]
        source: SelectorError,
    },
}

impl Pool {
    /// Judges a pool by itself.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the fields.
    pub fn new(spec: PoolSpec) -> Result<Self, Vec<PoolError>> {
        let PoolSpec {
            name,
            created,
            addresses,
            auto_assign,
            avoid_buggy_ips,
            allocation,
            cool_down,
        } = spec;
        let mut errors = Vec::new();
        let mut ranges: Vec<AddrRange> = Vec::with_capacity(addresses.len());
        if addresses.is_empty() {
            errors.push(PoolError::Empty);
        }
        let mut texts = Vec::with_capacity(addresses.len());
        for (index, text) in addresses.iter().enumerate() {
            match text.parse::<AddrRange>() {
                Ok(range) => {
                    ranges.push(range);
                    texts.push(text);
                }
                Err(source) => errors.push(PoolError::Address { index, source }),
            }
        }
        for (first, second) in resolve::overlaps(&ranges) {
            errors.push(PoolError::Overlap {
                first: texts[first].clone(),
                second: texts[second].clone(),
            });
        }
        if errors.is_empty() {
            Ok(Self {
                name,
                created,
                ranges,
                auto_assign,
                avoid_buggy_ips,
                allocation,
                cool_down,
            })
        } else {
            Err(errors)
        }
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The entries of `spec.addresses`, in their order, which is the order in which they are used.
    pub fn ranges(&self) -> &[AddrRange] {
        &self.ranges
    }

    /// Whether an entry has `address`, whether or not it is left out by `avoidBuggyIPs`.
    pub fn covers(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// Whether the IPv4 addresses that end in .0 and .255 are left out.
    pub fn avoid_buggy_ips(&self) -> bool {
        self.avoid_buggy_ips
    }

    /// Whether a Service that asks for nothing may be served from here.
    pub fn auto_assign(&self) -> bool {
        self.auto_assign
    }

    /// For how long an address that was given back is given to nobody else.
    pub fn cool_down(&self) -> Duration {
        self.cool_down
    }

    /// Whether the pool has a `serviceAllocation`.
    pub fn is_pinned(&self) -> bool {
        self.allocation.is_some()
    }

    /// The place among pinned pools: by priority, where 0 is last, then by name.
    pub fn rank(&self) -> (bool, i64, &str) {
        let priority = self
            .allocation
            .as_ref()
            .map_or(0, |allocation| allocation.priority);
        (priority == 0, priority, &self.name)
    }

    /// Whether a Service with `labels` in `namespace` (with `namespace_labels`) may be served from here.
    ///
    /// Namespaces and Services must both fit; within each list one match is enough, and an empty list admits all
    /// (MetalLB, `isPoolCompatibleWithService`). Unlike there, selectors that match no namespace admit nobody.
    pub fn admits(&self, namespace: &str, namespace_labels: Option<&Labels>, labels: &Labels) -> bool {
        let service_fits = self.allocation.as_ref().is_none_or(|allocation| {
            allocation.service_selectors.is_empty()
                || allocation
                    .service_selectors
                    .iter()
                    .any(|selector| selector.matches(labels))
        });
        service_fits && self.admits_namespace(namespace, namespace_labels)
    }

    /// Whether any Service of `namespace` may be served from here.
    pub fn admits_namespace(&self, namespace: &str, labels: Option<&Labels>) -> bool {
        let Some(allocation) = &self.allocation else {
            return true;
        };
        let any = allocation.namespaces.is_empty() && allocation.namespace_selectors.is_empty();
        any || allocation.namespaces.contains(namespace)
            || labels.is_some_and(|labels| allocation.namespace_selectors.iter().any(|s| s.matches(labels)))
    }
}

#[cfg(test)]
mod tests;
