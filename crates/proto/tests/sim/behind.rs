//! One node sees other candidates than the rest.

use crate::dice::{Dice, SECOND};
use crate::fault::{Fault, Wanted};
use crate::observer::{Kind, Violation};
use crate::play::{check_all, play};
use crate::schedule::{SETTLED, Schedule};

const GROUPS: usize = 6;

/// Some of the nodes.
fn some(dice: &mut Dice, nodes: usize) -> Wanted {
    let everybody: Vec<usize> = (0..nodes).collect();
    let count = dice.index(1, nodes);
    let chosen = dice.some(&everybody, count).into_iter();
    chosen.map(|node| (node, 0)).collect()
}

#[test]
fn a_group_moves_four_times_at_most_while_a_node_sees_other_candidates_for_a_minute() {
    check_all("behind", 200, |seed| {
        let mut dice = Dice::new(seed ^ 0xbe41);
        let nodes = dice.index(2, 5);
        let (before, wanted) = (some(&mut dice, nodes), some(&mut dice, nodes));
        let mut schedule = Schedule::calm(seed, nodes, GROUPS);
        schedule.groups.fill(before.clone());
        let node = dice.index(0, nodes - 1);
        let behind = Fault::Behind { node, wanted: before };
        let lasting = 60 * SECOND;
        schedule = schedule.with(SETTLED, Some(lasting), behind);
        for group in 0..GROUPS {
            let wanted = wanted.clone();
            schedule = schedule.with(SETTLED, None, Fault::Candidates { group, wanted });
        }
        schedule.end += 10 * SECOND;
        let world = play(&schedule);
        let moves = |group: usize| {
            let taken = world.observer.taken.iter();
            let taken = taken.filter(|taken| taken.group == group && taken.at > SETTLED);
            taken.count()
        };
        let restless = (0..GROUPS).find(|group| moves(*group) > 4);
        let restless = restless.map(|group| Violation {
            kind: Kind::Moved,
            at: world.now,
            group: Some(group),
            text: format!("it moved {} times", moves(group)),
        });
        world
            .observer
            .violation
            .or(restless)
            .map(|violation| (schedule, violation))
    });
}
