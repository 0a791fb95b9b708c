//! A station that is no node has the address of a new group.

use crate::dice::{Dice, MILLISECOND, SECOND};
use crate::fault::Fault;
use crate::observer::{Kind, Violation};
use crate::play::{check_all, play};
use crate::schedule::{SETTLED, Schedule, all};
use crate::world::STRANGER;

#[test]
fn nobody_answers_while_a_stranger_does_and_soon_after_it_is_gone_somebody_does() {
    check_all("conflict::nobody_answers", 200, |seed| {
        let mut dice = Dice::new(seed ^ 0xc0f);
        let nodes = dice.index(1, 7);
        let group = dice.index(1, 10);
        let lasting = dice.between(2 * SECOND, 60 * SECOND);
        let create = Fault::Create {
            groups: vec![group],
            wanted: all(nodes),
        };
        let from = SETTLED + dice.between(2 * SECOND, 3 * SECOND);
        let mut schedule = Schedule::calm(seed, nodes, group)
            .with(SETTLED, Some(from + lasting - SETTLED), Fault::Stranger(group))
            .with(from, None, create);
        let over = from + lasting;
        schedule.end = over + lasting + 15 * SECOND;
        let world = play(&schedule);
        let mut taken = world.observer.taken.iter().filter(|taken| taken.group == group);
        let told: Vec<_> = world
            .occupied
            .iter()
            .filter(|(_, about, _)| *about == group)
            .collect();
        let blame = |kind, at, text: String| Violation {
            kind,
            at,
            group: Some(group),
            text,
        };
        let first = taken.next();
        let found = match (first, told.as_slice()) {
            (Some(taken), _) if taken.at < over => Some(blame(
                Kind::Two,
                taken.at,
                format!("n{} answers too", taken.address),
            )),
            (None, _) => Some(blame(Kind::Nobody, world.now, "it is gone".to_owned())),
            (Some(_), [(at, _, Some(STRANGER)), (_, _, None)]) if *at < from + 2 * SECOND => None,
            (Some(_), told) => Some(blame(Kind::Time, world.now, format!("told {told:?}"))),
        };
        let found = world.observer.violation.or(found);
        found.map(|violation| (schedule, violation))
    });
}

#[test]
fn what_has_been_in_use_is_not_given_up_for_a_stranger() {
    check_all("conflict::what_has_been", 100, |seed| {
        let mut dice = Dice::new(seed ^ 0xc1f);
        let nodes = dice.index(2, 7);
        let node = dice.index(0, nodes - 1);
        let snapshot = dice.one_in(2);
        let fault = match dice.index(0, 2) {
            0 => Fault::Restart { node, snapshot },
            1 => Fault::Power { node, snapshot },
            _ => Fault::Kill {
                node,
                snapshot,
                set_back: false,
            },
        };
        let mut schedule = Schedule::calm(seed, nodes, 5).with(SETTLED, Some(3 * SECOND), fault);
        schedule.end = SETTLED + 20 * SECOND;
        for group in 0..5 {
            let begin = SETTLED - 10 * MILLISECOND;
            schedule = schedule.with(begin, Some(19 * SECOND), Fault::Stranger(group));
        }
        let world = play(&schedule);
        let missing = (0..5).find(|group| world.observer.owner(*group).is_none());
        let missing = missing.map(|group| Violation {
            kind: Kind::Nobody,
            at: world.now,
            group: Some(group),
            text: "it was answered for before".to_owned(),
        });
        let told = world.occupied.first().map(|told| Violation {
            kind: Kind::Time,
            at: world.now,
            group: Some(told.1),
            text: format!("told {told:?}"),
        });
        let found = world.observer.violation.or(missing).or(told);
        found.map(|violation| (schedule, violation))
    });
}
