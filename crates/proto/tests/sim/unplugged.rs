//! A node lives and is heard, and has no carrier where the addresses are.

use crate::dice::{Dice, MILLISECOND, SECOND};
use crate::fault::Fault;
use crate::observer::{Kind, Violation};
use crate::play::{check_all, play, play_all, play_well};
use crate::schedule::{SETTLED, Schedule, all};
use crate::world::World;

/// So long at most nobody is heard.
const AT_MOST: u64 = 150 * MILLISECOND;

/// Who has which group, before anything goes wrong.
fn before(schedule: &Schedule) -> Vec<Option<usize>> {
    let mut calm = schedule.clone();
    calm.episodes.clear();
    calm.end = SETTLED;
    owners(&play_well(&calm))
}

fn owners(world: &World) -> Vec<Option<usize>> {
    let groups = 0..world.observer.groups();
    groups.map(|group| world.observer.owner(group)).collect()
}

#[test]
fn the_groups_of_an_owner_without_carrier_are_answered_for_at_once_and_stay_where_they_are() {
    let times = std::cell::RefCell::new(Vec::new());
    check_all("unplugged::the_groups", 1_000, |seed| {
        let mut dice = Dice::new(seed ^ 0x0ca1);
        let nodes = dice.index(2, 7);
        let node = dice.index(0, nodes - 1);
        let calm = Schedule::calm(seed, nodes, 10);
        let owned = before(&calm);
        let from = SETTLED + dice.between(0, SECOND);
        let lasting = dice.between(200 * MILLISECOND, 8 * SECOND);
        let schedule = calm.with(from, Some(lasting), Fault::Unplugged(node));
        let world = play(&schedule);
        let blame = |group: usize, at: u64, kind: Kind, text: String| {
            let group = Some(group);
            Some(Violation {
                kind,
                at,
                group,
                text,
            })
        };
        let found = owned
            .iter()
            .zip(owners(&world))
            .enumerate()
            .find_map(|(group, (before, after))| {
                let taken: Vec<_> = world
                    .observer
                    .taken
                    .iter()
                    .filter(|taken| taken.group == group && taken.at >= from)
                    .collect();
                match (taken.as_slice(), *before == Some(node)) {
                    ([], false) => None,
                    ([taken], true) if after == Some(taken.address) && taken.address != node => {
                        times.borrow_mut().push(taken.at - from);
                        let late = taken.at - from >= AT_MOST;
                        late.then(|| {
                            blame(
                                group,
                                taken.at,
                                Kind::Time,
                                format!("taken after {} ms", (taken.at - from) / MILLISECOND),
                            )
                        })?
                    }
                    _ => blame(
                        group,
                        world.now,
                        Kind::Moved,
                        format!("n{before:?} had it: {taken:?}"),
                    ),
                }
            });
        let found = world.observer.violation.or(found);
        found.map(|violation| (schedule, violation))
    });
    let mut times = times.into_inner();
    times.sort_unstable();
    let at = |permille: usize| times[(times.len() - 1) * permille / 1_000] / (MILLISECOND / 10);
    println!(
        "carrier lost, {} groups: p50 {}, p99 {}, max {} tenths of a millisecond",
        times.len(),
        at(500),
        at(990),
        at(1_000)
    );
}

#[test]
fn where_every_fifth_datagram_is_lost_somebody_answers_within_a_second() {
    play_all("unplugged::where_every_fifth", 200, |seed| {
        let mut dice = Dice::new(seed ^ 0x1055);
        let nodes = dice.index(2, 7);
        let fault = Fault::Unplugged(dice.index(0, nodes - 1));
        let mut schedule = Schedule::calm(seed, nodes, 10);
        schedule.loss = 200;
        schedule.with(SETTLED, Some(5 * SECOND), fault)
    });
}

#[test]
fn where_no_node_has_carrier_groups_stay_and_are_answered_for_when_it_is_back() {
    for seed in 0..50 {
        let nodes = 3;
        let mut schedule = Schedule::calm(seed, nodes, 9);
        for node in 0..nodes {
            schedule = schedule.with(SETTLED, Some(5 * SECOND), Fault::Unplugged(node));
        }
        let world = play_well(&schedule);
        let taken = world.observer.taken.iter().filter(|taken| taken.at > SETTLED);
        for taken in taken {
            // At most once each time that it is plugged in.
            assert!(taken.at >= SETTLED + 5 * SECOND, "seed {seed}: {taken:?}");
        }
        assert!(owners(&world).iter().all(Option::is_some), "seed {seed}");
    }
}

#[test]
fn a_node_that_boots_without_carrier_gets_no_new_group_until_it_has_it() {
    for seed in 0..50 {
        let mut dice = Dice::new(seed ^ 0xba2e);
        let nodes = dice.index(2, 5);
        let node = dice.index(0, nodes - 1);
        let power = Fault::Power {
            node,
            snapshot: false,
        };
        let create = |first: usize| Fault::Create {
            groups: (first..first + 10).collect(),
            wanted: all(nodes),
        };
        let schedule = Schedule::calm(seed, nodes, 4)
            .with(SETTLED, Some(30 * SECOND), Fault::Unplugged(node))
            .with(SETTLED + SECOND, Some(5 * SECOND), power)
            .with(SETTLED + 20 * SECOND, None, create(4))
            .with(SETTLED + 35 * SECOND, None, create(14));
        let world = play_well(&schedule);
        let owned = world.observer.owned_by(node);
        assert!(owned.iter().all(|group| *group >= 14), "seed {seed}: {owned:?}");
        assert!(!owned.is_empty(), "seed {seed}: it has the fewest");
    }
}
