//! The queue alone: order, priority, superseding.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::mk_patch;
use crate::write::{Op, Priority, Write, queue::Queue};

fn mk_newer(key: &str, value: u32) -> Write<String> {
    Write {
        supersede: true,
        ..mk_patch(key, value)
    }
}

fn value(write: &Write<String>) -> u64 {
    let (Op::Patch { body, .. } | Op::Apply { body, .. }) = &write.op else {
        panic!("a patch or an apply")
    };
    body.read()["data"]["value"].as_u64().unwrap()
}

fn drain(queue: &mut Queue<String>) -> Vec<(String, u64)> {
    std::iter::from_fn(|| {
        let write = queue.pop()?;
        queue.done(&write.key);
        Some((write.key.clone(), value(&write)))
    })
    .collect()
}

fn order(want: &[(&str, u64)]) -> Vec<(String, u64)> {
    want.iter().map(|&(key, value)| (key.to_owned(), value)).collect()
}

#[test]
fn a_newer_patch_takes_the_place_of_the_waiting_one() {
    let mut queue = Queue::default();
    queue.push(mk_newer("a", 1));
    queue.push(mk_newer("b", 2));
    queue.push(mk_newer("a", 3));
    assert_eq!(drain(&mut queue), order(&[("a", 3), ("b", 2)]));
}

#[test]
fn only_what_the_caller_lets_go_is_superseded() {
    let mut queue = Queue::default();
    queue.push(mk_patch("a", 1));
    queue.push(mk_patch("a", 2));
    queue.push(Write {
        priority: Priority::Low,
        ..mk_newer("a", 3)
    });
    let status = Op::Patch {
        subresource: Some("status"),
        body: json!({ "data": { "value": 4 } }).into(),
    };
    queue.push(Write {
        op: status,
        ..mk_newer("a", 0)
    });
    assert_eq!(
        drain(&mut queue),
        order(&[("a", 1), ("a", 2), ("a", 3), ("a", 4)])
    );
}

#[test]
fn an_apply_is_superseded_by_the_next_of_its_manager() {
    let mk_apply = |manager, number: u32| Write {
        op: Op::Apply {
            subresource: Some("status"),
            manager,
            body: json!({ "data": { "value": number } }).into(),
        },
        ..mk_newer("a", 0)
    };
    let mut queue = Queue::default();
    queue.push(mk_apply("poolReconciler", 1));
    queue.push(mk_apply("configReconciler", 2));
    queue.push(mk_newer("a", 3));
    queue.push(mk_apply("poolReconciler", 4));
    assert_eq!(drain(&mut queue), order(&[("a", 4), ("a", 2), ("a", 3)]));
}

#[test]
fn a_cleared_queue_keeps_only_what_is_in_hand() {
    let mut queue = Queue::default();
    for key in ["a", "b", "b"] {
        queue.push(mk_patch(key, 1));
    }
    let sent = queue.pop().unwrap();
    assert_eq!(queue.clear(), 2);
    assert!(queue.is_idle());
    queue.push(mk_patch("a", 2));
    assert!(queue.is_idle(), "one request for an object at a time");
    queue.done(&sent.key);
    assert_eq!(drain(&mut queue), order(&[("a", 2)]));
    assert!(queue.is_empty());
}

#[test]
fn a_patch_that_is_under_way_is_not_superseded() {
    let mut queue = Queue::default();
    queue.push(mk_newer("a", 1));
    let sent = queue.pop().unwrap();
    queue.push(mk_newer("a", 2));
    assert!(queue.pop().is_none(), "one request for an object at a time");
    queue.done(&sent.key);
    assert_eq!(drain(&mut queue), order(&[("a", 2)]));
}

#[test]
fn a_patch_that_is_to_be_sent_again_yields_to_a_newer_one() {
    let mut queue = Queue::default();
    queue.push(mk_newer("a", 1));
    let sent = queue.pop().unwrap();
    queue.push(mk_newer("a", 2));
    assert_eq!(queue.put_back(sent), 0);
    assert!(queue.pop().is_none(), "it sleeps");
    queue.wake(&"a".to_owned());
    let sent = queue.pop().unwrap();
    assert_eq!(value(&sent), 2);
    assert_eq!(queue.put_back(sent), 1, "failures are the object's");
}

#[test]
fn an_object_is_served_at_its_highest_priority_and_in_its_own_order() {
    let mut queue = Queue::default();
    queue.push(Write {
        priority: Priority::Low,
        ..mk_patch("low", 1)
    });
    queue.push(Write {
        priority: Priority::Low,
        ..mk_patch("both", 2)
    });
    queue.push(mk_patch("normal", 3));
    queue.push(Write {
        priority: Priority::High,
        ..mk_patch("both", 4)
    });
    assert_eq!(
        drain(&mut queue),
        order(&[("both", 2), ("both", 4), ("normal", 3), ("low", 1)])
    );
}

#[derive(Clone, Debug)]
enum Step {
    Push {
        key: u8,
        priority: Priority,
        supersede: bool,
    },
    Pop,
    Done(usize),
    PutBack(usize),
    Wake(usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)];
    prop_oneof![
        4 => (0..5_u8, priority, any::<bool>())
            .prop_map(|(key, priority, supersede)| Step::Push { key, priority, supersede }),
        4 => Just(Step::Pop),
        2 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::PutBack),
        1 => any::<usize>().prop_map(Step::Wake),
        1 => Just(Step::Clear),
    ]
}

/// What went in and came out, for each object and priority.
#[derive(Debug, Default)]
struct Line {
    pushed: Vec<u64>,
    /// Whether a later write was allowed to take an earlier one's place.
    superseded: bool,
    out: Vec<u64>,
}

proptest! {
    /// Whatever happens: one write in hand per object; within a priority the order is kept and nothing comes out
    /// twice; the newest always comes out; and where nothing may be superseded, everything does.
    #[test]
    fn nothing_is_lost_and_order_is_kept(steps in vec(step(), 0..200)) {
        let mut queue = Queue::default();
        let mut lines = BTreeMap::<(String, Priority), Line>::new();
        let (mut in_hand, mut asleep) = (Vec::<Write<String>>::new(), Vec::<String>::new());
        let done = |queue: &mut Queue<String>, lines: &mut BTreeMap<(String, Priority), Line>, write: Write<String>| {
            queue.done(&write.key);
            let out = value(&write);
            lines.get_mut(&(write.key, write.priority)).unwrap().out.push(out);
        };
        for (number, step) in (0_u32..).zip(steps) {
            match step {
                Step::Push { key, priority, supersede } => {
                    let key = key.to_string();
                    let line = lines.entry((key.clone(), priority)).or_default();
                    line.pushed.push(number.into());
                    line.superseded |= supersede;
                    queue.push(Write { priority, supersede, ..mk_patch(&key, number) });
                }
                Step::Pop => {
                    if let Some(write) = queue.pop() {
                        prop_assert!(in_hand.iter().all(|other| other.key != write.key));
                        prop_assert!(!asleep.contains(&write.key));
                        in_hand.push(write);
                    }
                }
                Step::Done(which) if !in_hand.is_empty() => {
                    let write = in_hand.swap_remove(which % in_hand.len());
                    done(&mut queue, &mut lines, write);
                }
                Step::PutBack(which) if !in_hand.is_empty() => {
                    let write = in_hand.swap_remove(which % in_hand.len());
                    asleep.push(write.key.clone());
                    queue.put_back(write);
                }
                Step::Wake(which) if !asleep.is_empty() => queue.wake(&asleep.swap_remove(which % asleep.len())),
                Step::Clear => {
                    queue.clear();
                    for line in lines.values_mut() {
                        line.pushed.clone_from(&line.out);
                    }
                    for write in &in_hand {
                        let line = lines.get_mut(&(write.key.clone(), write.priority)).unwrap();
                        line.pushed.push(value(write));
                    }
                }
                Step::Done(_) | Step::PutBack(_) | Step::Wake(_) => {}
            }
        }
        for write in in_hand {
            done(&mut queue, &mut lines, write);
        }
        for key in asleep {
            queue.wake(&key);
        }
        while let Some(write) = queue.pop() {
            done(&mut queue, &mut lines, write);
        }
        for (key, Line { pushed, superseded, out }) in lines {
            prop_assert!(out.is_sorted_by(|a, b| a < b), "{key:?}: {out:?}");
            prop_assert_eq!(out.last(), pushed.last(), "{:?}", key);
            prop_assert!(superseded || out == pushed, "{key:?}: {out:?} of {pushed:?}");
        }
        prop_assert!(queue.is_empty());
    }
}
