//! An IPAddressPool as the allocator reads it.

use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::addr::parse_address;
use cortenlb_core::ipam::Cooling;
use cortenlb_core::name::ServiceKey;
use cortenlb_core::pool::{Allocation, Pool, PoolError, PoolSpec};
use cortenlb_core::selector::LabelSelector;
use cortenlb_core::time::Instant;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::friendly::SpanParser;
use kube::ResourceExt;

use super::selector::selector;
use crate::{IPAddressPool, IPAddressPoolStatus, ServiceAllocation, names};

/// The pool, judged by itself; overlaps with others are [`cortenlb_core::pool::resolve`]'s to find.
///
/// # Errors
/// Everything that is wrong with it. The pool is to be ignored as a whole.
pub fn pool(object: &IPAddressPool) -> Result<Pool, Vec<PoolError>> {
    let mut errors = Vec::new();
    let allocation = object
        .spec
        .service_allocation
        .as_ref()
        .map(|written| allocation(written, &mut errors));
    let spec = PoolSpec {
        name: object.name_any(),
        created: super::created(object),
        addresses: object.spec.addresses.clone(),
        auto_assign: object.spec.auto_assign,
        avoid_buggy_ips: object.spec.avoid_buggy_ips,
        allocation,
        cool_down: cool_down(object).unwrap_or_default(),
    };
    match Pool::new(spec) {
        Ok(pool) if errors.is_empty() => Ok(pool),
        Ok(_) => Err(errors),
        Err(mut found) => {
            found.append(&mut errors);
            Err(found)
        }
    }
}

/// The annotation [`names::COOL_DOWN`] holds something that is no duration. The pool is used without a cool-down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "annotation {key}: {0:?} is no duration, so that addresses do not cool down: write numbers with units, such as 5m \
     or 1h30m",
    key = names::COOL_DOWN
)]
pub struct CoolDownError(String);

/// For how long an address that was given back is given to nobody else; zero without the annotation.
///
/// Read by jiff, which has every duration that Go writes, and whose sums are checked; the one of `kube` panics at a duration
/// that is too long.
///
/// # Errors
/// The annotation is no duration as Go writes them, or a negative one.
pub fn cool_down(object: &IPAddressPool) -> Result<Duration, CoolDownError> {
    let Some(text) = object.annotations().get(names::COOL_DOWN) else {
        return Ok(Duration::ZERO);
    };
    // Go writes nothing as 0s, and reads it also without a unit.
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| CoolDownError(text.clone()))
}

/// The addresses that cool down by what a status says; `now` is the moment that the wall's clock calls `wall`. What cannot
/// be read, or is over, is left out.
pub fn cooling(status: &IPAddressPoolStatus, now: Instant, wall: Timestamp) -> Vec<(IpAddr, Cooling)> {
    let entries = status.cooling_down.iter();
    let entries = entries.filter_map(|entry| {
        let (namespace, name) = entry.service.split_once('/')?;
        let left = entry.until.0.as_second().saturating_sub(wall.as_second());
        let left = Duration::from_secs(u64::try_from(left).ok()?);
        let cooling = Cooling {
            former: ServiceKey::new(namespace, name),
            until: now + left,
        };
        Some((parse_address(&entry.address)?, cooling))
    });
    entries.collect()
}

fn allocation(written: &ServiceAllocation, errors: &mut Vec<PoolError>) -> Allocation {
    let mut all = |field: &str, written: &[v1::LabelSelector]| -> Vec<LabelSelector> {
        let mut parsed = Vec::with_capacity(written.len());
        for (place, one) in written.iter().enumerate() {
            match selector(one) {
                Ok(one) => parsed.push(one),
                Err(source) => {
                    let field = format!("spec.serviceAllocation.{field}[{place}]");
                    errors.push(PoolError::Selector { field, source });
                }
            }
        }
        parsed
    };
    Allocation {
        priority: written.priority,
        namespaces: written.namespaces.iter().cloned().collect(),
        namespace_selectors: all("namespaceSelectors", &written.namespace_selectors),
        service_selectors: all("serviceSelectors", &written.service_selectors),
    }
}

#[cfg(test)]
mod tests;
