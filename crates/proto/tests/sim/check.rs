//! An owner that is heard by all, and answers nobody on the segment.

use crate::dice::{Dice, SECOND};
use crate::fault::Fault;
use crate::observer::{Kind, Violation};
use crate::play::{check_all, play, play_all};
use crate::schedule::{SETTLED, Schedule};

/// Three checks, and some time until the first one.
const AT_MOST: u64 = 40 * SECOND;

#[test]
fn the_groups_of_an_owner_that_answers_nobody_move_after_three_checks() {
    check_all("check::the_groups", 100, |seed| {
        let mut dice = Dice::new(seed ^ 0x5e1f);
        let nodes = dice.index(2, 7);
        let node = dice.index(0, nodes - 1);
        let from = SETTLED + dice.between(0, 30 * SECOND);
        let calm = Schedule::calm(seed, nodes, 10);
        let mut schedule = calm.with(from, Some(AT_MOST), Fault::Unanswering(node));
        let mut before = schedule.clone();
        before.end = from - 1;
        let owned = play(&before).observer.owned_by(node);
        schedule.loss = dice.between(0, 20);
        schedule.end = from + AT_MOST;
        let world = play(&schedule);
        let blame = |kind, group, text: String| Violation {
            kind,
            at: world.now,
            group: Some(group),
            text,
        };
        let found = (0..10).find_map(|group| {
            let mut taken = world.observer.taken.iter();
            let moves = taken.any(|taken| taken.group == group && taken.at > from);
            let mut unheard = world.unheard.iter().filter(|(_, about, _)| *about == group);
            let told_first = unheard.next().is_some_and(|(_, _, moves)| !moves);
            match (owned.contains(&group), moves) {
                (true, false) => Some(blame(Kind::Time, group, "it has not moved".to_owned())),
                (true, true) if !told_first => Some(blame(
                    Kind::Time,
                    group,
                    "it moved before its owner was told".to_owned(),
                )),
                (false, true) => Some(blame(Kind::Moved, group, "its owner is heard".to_owned())),
                _ => None,
            }
        });
        let found = world.observer.violation.or(found);
        found.map(|violation| (schedule, violation))
    });
}

#[test]
fn where_no_candidate_answers_a_group_moves_once_in_three_minutes_at_most() {
    let mut schedule = Schedule::calm(3, 3, 3);
    for node in 0..3 {
        schedule = schedule.with(SETTLED, Some(400 * SECOND), Fault::Unanswering(node));
    }
    let world = play(&schedule);
    for group in 0..3 {
        let moves: Vec<u64> = world
            .unheard
            .iter()
            .filter(|(_, about, moves)| *about == group && *moves)
            .map(|(at, ..)| *at)
            .collect();
        assert!(!moves.is_empty() && moves.len() <= 3, "{moves:?}");
        for pair in moves.windows(2) {
            assert!(pair[1] - pair[0] >= 178 * SECOND, "{moves:?}");
        }
    }
}

#[test]
fn ten_minutes_with_every_tenth_frame_and_datagram_lost_move_nothing() {
    play_all("check::ten_minutes", 20, |seed| {
        let mut dice = Dice::new(seed ^ 0xf4a);
        let (nodes, groups) = (dice.index(2, 7), dice.index(1, 20));
        Schedule::calm(seed, nodes, groups)
            .with(SETTLED, Some(600 * SECOND), Fault::FrameLoss(100))
            .with(SETTLED, Some(600 * SECOND), Fault::Loss(100))
    });
}
