//! Kubernetes objects as the facts that `core` decides by: pure functions, one file a use.
//!
//! | module | owns |
//! | --- | --- |
//! | [`announce`] | the facts that decide who announces |
//! | [`conflict`] | addresses that somebody else on the segment has |
//! | [`pool`] | pools, as the allocator reads them |
//! | [`reservation`] | AddressReservations, as the allocator reads them |
//! | [`selector`] | label selectors |
//! | [`service`] | Services, as the allocator reads them |

pub mod announce;
pub mod conflict;
pub mod pool;
pub mod reservation;
pub mod selector;
pub mod service;

use kube::ResourceExt;

/// `metadata.creationTimestamp` in seconds since 1970; 0 without one.
fn created(object: &impl ResourceExt) -> i64 {
    object
        .meta()
        .creation_timestamp
        .as_ref()
        .map_or(0, |time| time.0.as_second())
}
