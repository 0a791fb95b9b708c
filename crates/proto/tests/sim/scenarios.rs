//! One thing at a time, as people know it.

use crate::dice::{MILLISECOND, SECOND};
use crate::fault::Fault;
use crate::play::play_well;
use crate::schedule::{SETTLED, Schedule};
use crate::world::World;

/// Who owns each group.
fn owners(world: &World) -> Vec<Option<usize>> {
    (0..world.observer.groups())
        .map(|group| world.observer.owner(group))
        .collect()
}

/// How it is before anything goes wrong.
fn before(schedule: &Schedule) -> World {
    let mut calm = schedule.clone();
    calm.episodes.clear();
    calm.end = SETTLED;
    play_well(&calm)
}

/// For how long a group was not answered for, or by two, is known from what was taken: here, when and by whom.
fn taken(world: &World, group: usize) -> Vec<(u64, usize)> {
    let taken = world.observer.taken.iter();
    taken
        .filter(|taken| taken.group == group && taken.at > SETTLED)
        .map(|taken| (taken.at - SETTLED, taken.address))
        .collect()
}

#[test]
fn all_groups_are_shared_out_at_the_beginning() {
    for seed in 0..20 {
        let world = play_well(&Schedule::calm(seed, 5, 50));
        let counts: Vec<usize> = (0..5).map(|node| world.observer.owned_by(node).len()).collect();
        assert!(
            counts.iter().all(|count| (9..=11).contains(count)),
            "{seed}: {counts:?}"
        );
    }
}

#[test]
fn one_node_needs_nobody() {
    let world = play_well(&Schedule::calm(1, 1, 3));
    assert_eq!(owners(&world), [Some(0); 3]);
}

#[test]
fn the_groups_of_a_node_without_power_are_taken_over_and_stay_there() {
    let calm = Schedule::calm(2, 3, 9);
    let owned = owners(&before(&calm));
    let fault = Fault::Power {
        node: 0,
        snapshot: false,
    };
    let world = play_well(&calm.with(SETTLED, Some(4 * SECOND), fault));
    for (group, (before, after)) in owned.into_iter().zip(owners(&world)).enumerate() {
        if before == Some(0) {
            let taken = taken(&world, group);
            assert_eq!(taken.len(), 1, "{taken:?}");
            assert!(taken[0].0 < SECOND, "{taken:?}");
            assert_ne!(after, Some(0));
        } else {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn of_two_nodes_the_other_one_takes_over() {
    let fault = Fault::Power {
        node: 1,
        snapshot: false,
    };
    let world = play_well(&Schedule::calm(3, 2, 4).with(SETTLED, None, fault));
    assert_eq!(owners(&world), [Some(0); 4]);
}

#[test]
fn where_the_port_is_blocked_nothing_moves() {
    for nodes in 2..=5 {
        let calm = Schedule::calm(4, nodes, 10);
        let owned = owners(&before(&calm));
        let world = play_well(&calm.with(SETTLED, Some(60 * SECOND), Fault::Blocked));
        assert_eq!(owners(&world), owned);
        let moved = world.observer.taken.iter().filter(|taken| taken.at > SETTLED);
        assert_eq!(moved.count(), 0, "{nodes} nodes");
    }
}

#[test]
fn somebody_stands_in_for_a_process_that_is_killed() {
    for (nodes, lasting) in [(2, 1), (3, 1), (3, 8), (5, 4)] {
        let calm = Schedule::calm(5, nodes, 6);
        let owned = owners(&before(&calm));
        let fault = Fault::Kill {
            node: 0,
            snapshot: false,
            set_back: false,
        };
        let world = play_well(&calm.with(SETTLED, Some(lasting * SECOND), fault));
        assert_eq!(owners(&world), owned);
        for taken in world.observer.taken.iter().filter(|taken| taken.at > SETTLED) {
            assert_eq!(Some(taken.address), owned[taken.group], "{taken:?}");
            assert!(taken.at < SETTLED + 600 * MILLISECOND, "{taken:?}");
        }
    }
}

#[test]
fn a_restart_that_is_announced_is_not_seen() {
    let calm = Schedule::calm(6, 3, 6);
    let owned = owners(&before(&calm));
    let fault = Fault::Restart {
        node: 0,
        snapshot: true,
    };
    let world = play_well(&calm.with(SETTLED, Some(3 * SECOND), fault));
    assert_eq!(owners(&world), owned);
    // An address that nobody answers with for a moment is taken anew.
    let moved = world.observer.taken.iter().filter(|taken| taken.at > SETTLED);
    assert_eq!(moved.count(), 0);
}

#[test]
fn one_restart_after_the_other_is_not_seen() {
    let mut schedule = Schedule::calm(13, 3, 6);
    let owned = owners(&before(&schedule));
    for node in 0..3 {
        let from = SETTLED + node as u64 * 6 * SECOND;
        let fault = Fault::Restart { node, snapshot: true };
        schedule = schedule.with(from, Some(3 * SECOND), fault);
    }
    let world = play_well(&schedule);
    assert_eq!(owners(&world), owned);
    let moved = world.observer.taken.iter().filter(|taken| taken.at > SETTLED);
    assert_eq!(moved.count(), 0);
}

/// Somebody answers a second after it is over at the latest, and two never do for longer than a hand-over takes: the world
/// sees to that.
#[test]
fn where_nobody_may_stand_in_the_groups_of_a_process_that_ends_move_at_once() {
    for seed in 0..20 {
        for (is_announced, at_most) in [(true, 300 * MILLISECOND), (false, SECOND)] {
            let mut calm = Schedule::calm(seed, 3, 6);
            calm.stands_in = false;
            let owned = owners(&before(&calm));
            let (node, snapshot) = (0, true);
            let fault = if is_announced {
                Fault::Restart { node, snapshot }
            } else {
                let set_back = false;
                Fault::Kill {
                    node,
                    snapshot,
                    set_back,
                }
            };
            // Longer than anybody would stand in.
            let world = play_well(&calm.with(SETTLED, Some(9 * SECOND), fault));
            for (group, before) in owned.into_iter().enumerate() {
                let taken = taken(&world, group);
                assert_eq!(taken.len(), usize::from(before == Some(0)), "{seed}: {taken:?}");
                let in_time = |(at, by): &(u64, usize)| *at < at_most && *by != 0;
                assert!(taken.iter().all(in_time), "{seed}: {taken:?}");
            }
        }
    }
}

#[test]
fn who_is_emptied_takes_over_nothing_and_nobody_waits_for_it() {
    let calm = Schedule::calm(14, 3, 9);
    let schedule = calm.with(SETTLED, Some(20 * SECOND), Fault::Drain(1)).with(
        SETTLED + 4 * SECOND,
        None,
        Fault::Power {
            node: 0,
            snapshot: false,
        },
    );
    let world = play_well(&schedule);
    for group in 0..9 {
        let last = taken(&world, group).last().copied();
        let in_time = last.is_none_or(|(at, _)| at < 5 * SECOND);
        assert!(in_time, "{last:?}");
    }
}

#[test]
fn two_nodes_that_are_emptied_do_not_throw_groups_at_each_other() {
    let schedule = Schedule::calm(15, 2, 4)
        .with(SETTLED, Some(5 * SECOND), Fault::Drain(0))
        .with(SETTLED + SECOND, Some(5 * SECOND), Fault::Drain(1));
    let world = play_well(&schedule);
    assert!(owners(&world).iter().all(Option::is_some));
}

#[test]
fn a_drain_leaves_no_gap() {
    let calm = Schedule::calm(7, 3, 9);
    let owned = owners(&before(&calm));
    let world = play_well(&calm.with(SETTLED, Some(5 * SECOND), Fault::Drain(0)));
    for (group, (before, after)) in owned.into_iter().zip(owners(&world)).enumerate() {
        assert!(after.is_some());
        assert_ne!(after, Some(0));
        assert!(before == after || taken(&world, group).len() == 1);
    }
}

#[test]
fn a_node_that_joins_takes_nothing() {
    let calm = Schedule::calm(8, 3, 9);
    let owned = owners(&before(&calm));
    let world = play_well(&calm.with(SETTLED, None, Fault::Join(3)));
    assert_eq!(owners(&world), owned);
}

/// However long they are cut off from each other: what the gateway has answered before is nobody's.
#[test]
fn where_halves_are_even_the_one_with_the_gateway_keeps_its_groups() {
    for nodes in [2, 4] {
        for length in [350, 450, 700, 1_000, 1_500, 3_000, 5_000, 7_000] {
            for gateway_inside in [false, true] {
                let calm = Schedule::calm(9, nodes, 12);
                let owned = owners(&before(&calm));
                let fault = Fault::Partition {
                    inside: (0..nodes / 2).collect(),
                    gateway_inside,
                };
                let world = play_well(&calm.with(SETTLED, Some(length * MILLISECOND), fault));
                for (before, after) in owned.into_iter().zip(owners(&world)) {
                    let has_gateway = |node: Option<usize>| (node.unwrap() < nodes / 2) == gateway_inside;
                    if has_gateway(before) {
                        assert_eq!(before, after, "{nodes} nodes, {length} ms");
                    } else if length >= 1_000 {
                        assert!(has_gateway(after), "those of the other half are taken");
                    } else {
                        assert!(before == after || has_gateway(after));
                    }
                }
            }
        }
    }
}
