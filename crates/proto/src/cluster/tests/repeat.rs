//! When the segment is told again.

use super::*;

#[test]
fn who_was_cut_off_and_who_was_not_tell_the_segment_again() {
    let mut lan = Lan::new(3, 3);
    lan.run(5 * SECOND);
    lan.node(id(1)).is_cut_off = true;
    lan.run(SECOND);
    assert!(lan.nodes.values().all(|node| node.repeats == 0));
    lan.node(id(1)).is_cut_off = false;
    lan.run(SECOND);
    for (id, node) in &lan.nodes {
        assert!(node.repeats > 0, "{id:?} may have told a part of it");
    }
}

#[test]
fn who_begins_anew_has_told_nobody_anything() {
    let mut lan = Lan::new(3, 3);
    lan.run(5 * SECOND);
    lan.node(id(1)).is_on = false;
    lan.run(5 * SECOND);
    lan.start(1);
    lan.run(5 * SECOND);
    assert!(lan.nodes.values().all(|node| node.repeats == 0));
}
