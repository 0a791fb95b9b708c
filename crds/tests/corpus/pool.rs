//! Whatever a pool says: nothing panics, and the other pool's holder keeps its address. Shared by the fuzz target `pool`
//! and the replay of its corpus.

use std::collections::BTreeMap;

use cortenlb_core::addr::Family;
use cortenlb_core::ipam::{Allocator, Families, Request, Rules, Terms};
use cortenlb_core::name::ServiceKey;
use cortenlb_core::pool::{Pool, PoolSpec, resolve};
use cortenlb_core::selector::Labels;
use cortenlb_crds::translate::pool;
use cortenlb_crds::{IPAddressPool, names};
use serde_json::json;

/// The pool that these bytes say: the annotation for its cool-down in the first line, an entry of `spec.addresses` in
/// each other one.
fn mk_pool(input: &[u8]) -> IPAddressPool {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let cool_down = lines.next().filter(|line| !line.is_empty());
    let annotations: BTreeMap<&str, &str> = cool_down
        .map(|text| (names::COOL_DOWN, text))
        .into_iter()
        .collect();
    let addresses: Vec<&str> = lines.collect();
    let object = json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": "p", "annotations": annotations, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "addresses": addresses },
    });
    serde_json::from_value(object).expect("a pool")
}

fn ask(allocator: &mut Allocator, name: &str, family: Family, pool: &str) {
    let request = Request {
        created: 0,
        labels: Labels::new(),
        families: Families::Single(family),
        addresses: Vec::new(),
        pool: Some(pool.to_owned()),
        reservations: Vec::new(),
        terms: Terms::default().into(),
    };
    allocator.request(&ServiceKey::new("ns", name), request);
}

/// Whether the pool is valid by itself.
///
/// # Panics
/// A promise is broken.
pub(crate) fn check(input: &[u8]) -> bool {
    let object = mk_pool(input);
    // A cool-down that cannot be read is none.
    let cool_down = pool::cool_down(&object);
    let judged = pool::pool(&object);
    if let Err(errors) = &judged {
        assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty()));
    }
    let fixed = PoolSpec {
        name: "fixed".to_owned(),
        addresses: vec!["10.0.0.0/30".to_owned()],
        ..PoolSpec::default()
    };
    let fixed = Pool::new(fixed).expect("a valid pool");
    let mut allocator = Allocator::new(Rules::default());
    allocator.set_pools(resolve([fixed.clone()]).0);
    ask(&mut allocator, "holder", Family::V4, "fixed");
    let holder = ServiceKey::new("ns", "holder");
    let before = allocator.assignment(&holder).cloned();
    assert!(before.is_some());
    for family in Family::ALL {
        ask(&mut allocator, &format!("{family:?}"), family, "p");
    }
    // The older one of two that overlap is valid.
    let (valid, rejected) = resolve([fixed].into_iter().chain(judged.iter().cloned()));
    assert_eq!(valid.len() + rejected.len(), 1 + usize::from(judged.is_ok()));
    assert!(valid.contains_key("fixed"));
    allocator.set_pools(valid.clone());
    assert_eq!(allocator.assignment(&holder), before.as_ref());
    if let Some(valid) = valid.get("p") {
        assert_eq!(valid.cool_down(), cool_down.unwrap_or_default());
        for range in valid.ranges() {
            assert!(range.first() <= range.last());
            assert_eq!(Family::of(range.first()), Family::of(range.last()));
        }
        for family in Family::ALL {
            let held = allocator.assignment(&ServiceKey::new("ns", format!("{family:?}")));
            let usage = allocator.usage("p", family).expect("the pool is there");
            assert_eq!(held.is_some(), usage.total > 0, "{usage:?}");
            for address in held.into_iter().flat_map(|held| &held.addresses) {
                assert!(valid.ranges().iter().any(|range| range.contains(*address)));
            }
        }
    }
    judged.is_ok()
}
