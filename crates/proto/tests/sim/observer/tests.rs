//! What must not be is seen.

use super::{Kind, Observer};
use crate::dice::{MILLISECOND, SECOND};
use crate::schedule::all;

const START: u64 = 20 * SECOND;

/// Three nodes that run, and a group that the first one has.
fn mk_observer() -> Observer {
    let mut observer = Observer::new(3, 1);
    for node in &mut observer.nodes {
        node.running = Some(0);
    }
    observer.want(0, 0, Some(all(3)));
    observer.answer(SECOND / 2, 0, 0, Some(0));
    observer.look_at_all(START);
    observer
}

fn found(observer: &Observer) -> Option<Kind> {
    observer.violation.as_ref().map(|violation| violation.kind)
}

#[test]
fn nothing_is_found_where_one_answers() {
    assert_eq!(found(&mk_observer()), None);
}

#[test]
fn nobody_answers() {
    let mut observer = mk_observer();
    observer.answer(START, 0, 0, None);
    assert_eq!(found(&observer), Some(Kind::Nobody));
}

#[test]
fn nobody_may_answer_for_a_second_after_a_fault() {
    let mut observer = mk_observer();
    observer.fault(START, true, false);
    observer.answer(START, 0, 0, None);
    observer.look_at_all(START + 999 * MILLISECOND);
    assert_eq!(found(&observer), None);
    observer.look_at_all(START + SECOND);
    assert_eq!(found(&observer), Some(Kind::Nobody));
}

#[test]
fn somebody_answers_on_each_side() {
    let mut observer = mk_observer();
    observer.fault(START, true, false);
    observer.sides = vec![0, 1, 1];
    observer.look_at_all(START + 999 * MILLISECOND);
    assert_eq!(found(&observer), None);
    observer.look_at_all(START + SECOND);
    assert_eq!(found(&observer), Some(Kind::Nobody));
}

#[test]
fn two_answer_for_longer_than_a_hand_over() {
    let mut observer = mk_observer();
    observer.answer(START, 0, 1, Some(1));
    assert_eq!(observer.again, [(START + 200 * MILLISECOND, 0)]);
    observer.look(START + 199 * MILLISECOND, 0);
    assert_eq!(found(&observer), None);
    observer.look(START + 200 * MILLISECOND, 0);
    assert_eq!(found(&observer), Some(Kind::Two));
}

#[test]
fn who_stands_in_is_no_second_one() {
    let mut observer = mk_observer();
    observer.answer(START, 0, 1, Some(0));
    observer.look_at_all(START + SECOND);
    assert_eq!(found(&observer), None);
}

#[test]
fn who_was_stopped_answers_beside_another_one() {
    let mut observer = mk_observer();
    observer.nodes[0].thawed_until = START + SECOND;
    observer.answer(START, 0, 1, Some(1));
    assert_eq!(found(&observer), Some(Kind::Stale));
}

#[test]
fn the_owner_changes() {
    let mut observer = mk_observer();
    observer.answer(START, 0, 1, Some(1));
    observer.answer(START + MILLISECOND, 0, 0, None);
    assert_eq!(found(&observer), Some(Kind::Moved));
}

#[test]
fn the_owner_changes_for_a_cause() {
    let mut observer = mk_observer();
    observer.nodes[0].concerned_until = START;
    observer.answer(START, 0, 1, Some(1));
    observer.answer(START + MILLISECOND, 0, 0, None);
    assert_eq!(found(&observer), None);
}

#[test]
fn a_stranger_answers() {
    let mut observer = mk_observer();
    observer.want(START, 0, Some([(1, 0)].into()));
    observer.look_at_all(START + 999 * MILLISECOND);
    assert_eq!(found(&observer), None);
    observer.look_at_all(START + SECOND);
    assert_eq!(found(&observer), Some(Kind::Ineligible));
}

#[test]
fn a_new_group_goes_to_who_has_most() {
    let mut observer = Observer::new(3, 2);
    for node in &mut observer.nodes {
        node.running = Some(0);
    }
    observer.want(0, 0, Some(all(3)));
    observer.answer(SECOND / 2, 0, 0, Some(0));
    observer.look_at_all(START);
    observer.create(START, &[1]);
    observer.want(START, 1, Some(all(3)));
    observer.answer(START + MILLISECOND, 1, 0, Some(0));
    observer.look_at_all(START + SECOND);
    assert_eq!(found(&observer), Some(Kind::Unbalanced));
}
