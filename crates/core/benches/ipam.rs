//! The allocator's three operations: `ipam.take_first`, `ipam.take_given`, `ipam.give_back`, by how much is held, how
//! it is spread, the size of the pool and `avoidBuggyIPs`. They cost O(log n) in the number of holes, so the figures
//! of one operation lie close together.

#![expect(
    clippy::disallowed_types,
    reason = "a benchmark is there to look at the clock"
)]

use std::time::{Duration, Instant};

use cortenlb_core::addr::{AddrRange, FreeSet, Numbering};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const POOLS: [&str; 5] = [
    "10.0.0.0/16",
    "10.0.0.0/12",
    "10.0.0.0/8",
    "fd00::/112",
    "fd00::/64",
];
const HELD: [u32; 4] = [0, 100, 10_000, 100_000];
/// How many operations one measurement makes, so that it is longer than the clock's grain.
const OPERATIONS: u32 = 64;

/// How the held addresses lie: one behind the other, or every second one, where each leaves a hole.
#[derive(Clone, Copy)]
enum Spread {
    Contiguous,
    EverySecond,
}

impl Spread {
    fn step(self) -> u128 {
        match self {
            Self::Contiguous => 1,
            Self::EverySecond => 2,
        }
    }
}

/// A pool with `held` addresses taken; none if it is too small for them and for what is measured.
fn mk_set(pool: &str, avoid_buggy_ips: bool, held: u32, spread: Spread) -> Option<FreeSet> {
    let range: AddrRange = pool.parse().expect("the table holds CIDRs");
    let numbering = Numbering::new(range.family(), avoid_buggy_ips);
    let (first, last) = numbering
        .span(&range)
        .expect("the pools of the table are not empty");
    let mut set = FreeSet::new(first, last);
    let needed = (u128::from(held) + 2 * u128::from(OPERATIONS)) * spread.step() + 1;
    if last - first < needed {
        return None;
    }
    for place in 0..u128::from(held) {
        assert!(
            set.take(first + place * spread.step()),
            "each address is taken once"
        );
    }
    Some(set)
}

/// Measures one operation, as the mean of `OPERATIONS`, what undoes them left out. Of the repeats the fastest counts:
/// what else the machine does can only add to it.
fn measure(criterion: &mut Criterion, name: &str, work: fn(&mut FreeSet) -> Duration) {
    let mut group = criterion.benchmark_group(name);
    for pool in POOLS {
        // avoidBuggyIPs concerns IPv4 only.
        let avoid: &[bool] = if pool.contains(':') {
            &[false]
        } else {
            &[false, true]
        };
        for (avoid, held) in avoid.iter().flat_map(|avoid| HELD.map(|held| (*avoid, held))) {
            for (spread_name, spread) in [
                ("contiguous", Spread::Contiguous),
                ("every-second", Spread::EverySecond),
            ] {
                let Some(mut set) = mk_set(pool, avoid, held, spread) else {
                    continue;
                };
                let which = if avoid { "avoid-buggy" } else { "all" };
                let id = BenchmarkId::from_parameter(format!("{pool}/{which}/{held}/{spread_name}"));
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|iterations| {
                        let repeats = u32::try_from(iterations).unwrap_or(u32::MAX);
                        let fastest = (0..repeats).map(|_| work(&mut set)).min().unwrap_or_default();
                        fastest * repeats / OPERATIONS
                    });
                });
            }
        }
    }
    group.finish();
}

fn time(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn take_first(set: &mut FreeSet) -> Duration {
    let mut taken = Vec::with_capacity(OPERATIONS as usize);
    let time = time(|| taken.extend((0..OPERATIONS).filter_map(|_| set.take_first())));
    taken
        .into_iter()
        .for_each(|number| assert!(set.give_back(number), "it was taken"));
    time
}

/// Free numbers above the lowest one, no two of them neighbours: each makes a hole of its own, as in a pool that has
/// been in use for long.
fn some_free(set: &FreeSet) -> Vec<u128> {
    let first = set.first().expect("the sets of the table are never full");
    let free = (first + 1..).filter(|number| set.contains(*number));
    free.step_by(2).take(OPERATIONS as usize).collect()
}

fn take_given(set: &mut FreeSet) -> Duration {
    let numbers = some_free(set);
    let time = time(|| {
        for number in &numbers {
            assert!(set.take(*number), "it is free");
        }
    });
    numbers
        .into_iter()
        .for_each(|number| assert!(set.give_back(number), "it was taken"));
    time
}

fn give_back(set: &mut FreeSet) -> Duration {
    let numbers = some_free(set);
    numbers
        .iter()
        .for_each(|number| assert!(set.take(*number), "it is free"));
    time(|| {
        for number in &numbers {
            assert!(set.give_back(*number), "it was taken");
        }
    })
}

fn ipam(criterion: &mut Criterion) {
    measure(criterion, "ipam.take_first", take_first);
    measure(criterion, "ipam.take_given", take_given);
    measure(criterion, "ipam.give_back", give_back);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .sample_size(10)
        .nresamples(1_000)
        .warm_up_time(Duration::from_millis(20))
        .measurement_time(Duration::from_millis(50));
    targets = ipam
}
criterion_main!(benches);
