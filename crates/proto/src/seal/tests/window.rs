use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::window::Window;
use super::*;

#[test]
fn reordered_datagrams_are_taken_once() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    let sealed: Vec<_> = (0..WINDOW).map(|_| a.seal(b.node, b"x").unwrap()).collect();
    for bytes in sealed.iter().rev() {
        assert_taken(&mut b, &a, bytes, b"x");
    }
    for bytes in &sealed {
        assert_refused(&mut b, bytes, Refused::Replayed);
    }
}

#[test]
fn what_is_older_than_the_window_is_refused() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    let sealed: Vec<_> = (0..=WINDOW).map(|_| a.seal(b.node, b"x").unwrap()).collect();
    assert_taken(&mut b, &a, &sealed[WINDOW as usize], b"x");
    assert_refused(&mut b, &sealed[0], Refused::Replayed);
    assert_taken(&mut b, &a, &sealed[1], b"x");
}

#[test]
fn what_was_sealed_before_the_echo_is_refused() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let recorded = a.seal(b.node, b"to somebody else").unwrap();
    introduce(&mut a, &mut b);
    assert_refused(&mut b, &recorded, Refused::Replayed);
}

proptest! {
    /// Against a set of all counters ever seen.
    #[test]
    fn a_window_is_a_set_that_forgets_only_what_is_old(
        start in prop_oneof![0..5_000_u64, Just(u64::MAX - 5_000)],
        steps in prop::collection::vec((0..3_000_u64, 0..1_500_u64), 1..200),
    ) {
        let mut window = Window::after(start);
        let (mut seen, mut top) = (BTreeSet::new(), start);
        for (forward, back) in steps {
            let counter = top.saturating_add(forward).saturating_sub(back);
            let fresh = counter > start && !seen.contains(&counter) && (counter > top || top - counter < WINDOW);
            prop_assert_eq!(window.is_fresh(counter), fresh, "{} after {}", counter, top);
            if fresh {
                window.mark(counter);
                seen.insert(counter);
                top = top.max(counter);
                prop_assert!(!window.is_fresh(counter));
            }
        }
    }
}
