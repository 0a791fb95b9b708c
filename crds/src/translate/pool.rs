//! An IPAddressPool as the allocator reads it.

use std::time::Duration;

use cortenlb_core::pool::{Allocation, Pool, PoolError, PoolSpec};
use cortenlb_core::selector::LabelSelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use kube::ResourceExt;

use super::selector::selector;
use crate::{IPAddressPool, ServiceAllocation, names};

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
/// # Errors
/// The annotation is no duration as Go writes them, or a negative one.
pub fn cool_down(object: &IPAddressPool) -> Result<Duration, CoolDownError> {
    let Some(text) = object.annotations().get(names::COOL_DOWN) else {
        return Ok(Duration::ZERO);
    };
    let negative = text.starts_with('-');
    match text.parse::<kube::core::Duration>() {
        Ok(duration) if !negative => Ok(duration.into()),
        _ => Err(CoolDownError(text.clone())),
    }
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
