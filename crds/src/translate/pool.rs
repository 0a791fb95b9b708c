//! An IPAddressPool as the allocator reads it.

use cortenlb_core::pool::{Allocation, Pool, PoolError, PoolSpec};
use cortenlb_core::selector::LabelSelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use kube::ResourceExt;

use super::selector::selector;
use crate::{IPAddressPool, ServiceAllocation};

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
