//! A node that is cut off for any time and comes back has nothing that it did not have before.

use crate::dice::{Dice, MILLISECOND, SECOND};
use crate::fault::Fault;
use crate::observer::{Kind, Violation};
use crate::play::{check_all, play};
use crate::schedule::{SETTLED, Schedule};

/// From 0.1 s to five minutes, the short times more often.
fn lasting(dice: &mut Dice) -> u64 {
    let most = match dice.number() % 20 {
        0 => 300 * SECOND,
        1..4 => 30 * SECOND,
        _ => 5 * SECOND,
    };
    dice.between(100 * MILLISECOND, most)
}

fn schedule(seed: u64) -> (Schedule, usize) {
    let mut dice = Dice::new(seed ^ 0xc07);
    let most = if dice.one_in(15) { 50 } else { 7 };
    let nodes = dice.index(3, most);
    let groups = dice.index(1, 20);
    let node = dice.index(0, nodes - 1);
    let lasting = lasting(&mut dice);
    let fault = match dice.number() % 4 {
        0 => Fault::Apart(node),
        gateway => Fault::Partition {
            inside: [node].into(),
            gateway_inside: gateway == 1,
        },
    };
    let mut schedule = Schedule::calm(seed, nodes, groups);
    schedule.loss = dice.between(0, 20);
    (schedule.with(SETTLED, Some(lasting), fault), node)
}

#[test]
fn who_was_cut_off_gains_nothing() {
    check_all("cut_off", 300, |seed| {
        let (schedule, node) = schedule(seed);
        let mut before = schedule.clone();
        before.end = SETTLED - 1;
        let before = play(&before).observer.owned_by(node);
        let world = play(&schedule);
        let after = world.observer.owned_by(node);
        let gained = after.into_iter().find(|group| !before.contains(group));
        let gained = gained.map(|group| Violation {
            kind: Kind::Gained,
            at: world.now,
            group: Some(group),
            text: format!("n{node} was cut off, and has it now"),
        });
        let found = world.observer.violation.or(gained);
        found.map(|violation| (schedule, violation))
    });
}
