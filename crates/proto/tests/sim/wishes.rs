//! Preferred nodes get back what they had, but not soon and not often.

use crate::dice::{MILLISECOND, SECOND};
use crate::fault::{Fault, Wanted};
use crate::play::play_well;
use crate::schedule::{SETTLED, Schedule};
use crate::world::World;

/// Node 0 is preferred.
fn preferring(schedule: &mut Schedule) {
    for group in &mut schedule.groups {
        *group.get_mut(&0).unwrap() = 1;
    }
}

fn moves(world: &World, group: usize) -> Vec<(u64, usize)> {
    let taken = world.observer.taken.iter();
    taken
        .filter(|taken| taken.group == group && taken.at > SETTLED)
        .map(|taken| (taken.at, taken.address))
        .collect()
}

#[test]
fn a_preferred_node_that_returns_gets_its_groups_after_a_minute_of_health() {
    let back = SETTLED + 5 * SECOND;
    let fault = Fault::Power {
        node: 0,
        snapshot: false,
    };
    let mut schedule = Schedule::calm(11, 3, 4).with(SETTLED, Some(5 * SECOND), fault);
    preferring(&mut schedule);
    schedule.end = back + 90 * SECOND;
    let world = play_well(&schedule);
    for group in 0..4 {
        assert_eq!(world.observer.owner(group), Some(0));
        let moves = moves(&world, group);
        assert_eq!(moves.len(), 2, "{moves:?}");
        // By the node's own clock, which may be wrong by 1 %.
        let (earliest, latest) = (back + 59 * SECOND, back + 75 * SECOND);
        assert!((earliest..latest).contains(&moves[1].0), "{moves:?}");
    }
}

#[test]
fn a_group_moves_four_times_in_three_minutes_at_most_however_wishes_change() {
    let mut schedule = Schedule::calm(12, 3, 2);
    preferring(&mut schedule);
    schedule.end = 420 * SECOND;
    let mut at = 70 * SECOND;
    let mut best = 0;
    while at < 400 * SECOND {
        best = (best + 1) % 3;
        let wanted: Wanted = (0..3).map(|node| (node, i64::from(node == best))).collect();
        schedule = schedule.with(at, None, Fault::Candidates { group: 0, wanted });
        at += 7 * SECOND + 300 * MILLISECOND;
    }
    let world = play_well(&schedule);
    let moves = moves(&world, 0);
    assert!(moves.len() >= 4, "wishes are heard: {moves:?}");
    for (first, fifth) in moves.iter().zip(&moves[4.min(moves.len())..]) {
        let apart = fifth.0 - first.0;
        assert!(apart >= 178 * SECOND, "{moves:?}");
    }
}
