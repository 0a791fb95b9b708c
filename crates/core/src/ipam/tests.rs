mod adoption;
mod consider;
mod cooling;
mod cost;
mod properties;
mod quarantine;
mod reassign;
mod reservations;
mod selection;
mod sharing;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::*;
use crate::name::ReservationKey;
use crate::pool::{Allocation, Pool, PoolSpec};
use crate::selector::LabelSelector;

thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// An address, or a word of them, or a pool is looked at, or a Service that waits.
pub(super) fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

/// How many steps `work` takes.
fn steps(work: impl FnOnce()) -> usize {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mk_spec(name: &str, addresses: &[&str]) -> PoolSpec {
    PoolSpec {
        name: name.into(),
        addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
        auto_assign: true,
        ..PoolSpec::default()
    }
}

fn mk_pools(specs: impl IntoIterator<Item = PoolSpec>) -> BTreeMap<String, Pool> {
    specs
        .into_iter()
        .map(|spec| (spec.name.clone(), Pool::new(spec).unwrap()))
        .collect()
}

fn mk_allocator(specs: impl IntoIterator<Item = PoolSpec>) -> Allocator {
    let mut allocator = Allocator::default();
    allocator.set_pools(mk_pools(specs));
    allocator.take_changed();
    allocator.take_touched();
    allocator
}

/// A Service of namespace `ns`.
fn key(name: &str) -> ServiceKey {
    ServiceKey::new("ns", name)
}

fn mk_request() -> Request {
    Request {
        created: 0,
        labels: Labels::new(),
        families: Families::Single(Family::V4),
        addresses: Vec::new(),
        pool: None,
        reservations: Vec::new(),
        terms: Arc::new(Terms {
            ports: [tcp(80)].into(),
            ..Terms::default()
        }),
    }
}

fn tcp(number: u16) -> Port {
    Port {
        protocol: Protocol::Tcp,
        number,
    }
}

fn mk_terms(sharing: &str, port: u16) -> Arc<Terms> {
    Arc::new(Terms {
        key: Some(sharing.to_owned()),
        backend: String::new(),
        ports: [tcp(port)].into(),
    })
}

/// What the Service holds, as one text: `10.0.0.1 (pool)`, or `-`.
fn held(allocator: &Allocator, name: &str) -> String {
    allocator.assignment(&key(name)).map_or_else(
        || "-".to_owned(),
        |Assignment { addresses, pool }| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{} ({pool})", addresses.join(" "))
        },
    )
}

fn refused(allocator: &Allocator, name: &str) -> String {
    allocator
        .refusal(&key(name))
        .map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Asks, and says what is held then.
fn ask(allocator: &mut Allocator, name: &str, request: Request) -> String {
    allocator.request(&key(name), request);
    held(allocator, name)
}

fn names(changed: BTreeSet<ServiceKey>) -> Vec<String> {
    changed.into_iter().map(|key| key.name().to_owned()).collect()
}
