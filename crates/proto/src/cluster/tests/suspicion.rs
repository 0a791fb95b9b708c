//! Who is missed, and who is taken for dead where not all nodes are on one segment.

use super::*;

/// Where the last `beyond` of the nodes are on a segment of their own, and all know how they are attached.
fn mk_lan(nodes: usize, beyond: usize) -> Lan {
    let mut lan = Lan::new(nodes, 0);
    for number in 0..nodes {
        let segment = usize::from(number >= nodes - beyond);
        let network = [172, 21, 5 + segment as u8, 0];
        lan.node(id(number)).segment = segment;
        let interface = Attached {
            mac: MacAddr([2, 0, 0, 0, 0, number as u8]),
            carrier: true,
            prefixes: vec![Prefix::new(network.into(), 24).unwrap()],
        };
        lan.input(id(number), Input::Attached(vec![interface]));
    }
    lan.run(5 * SECOND);
    lan
}

/// What others said of a node, in the order in which they learned it.
fn phases(lan: &Lan, about: NodeId) -> BTreeSet<Phase> {
    let told = lan.nodes.values().flat_map(|node| &node.phases);
    told.filter(|(id, _, after, _)| *id == about && *after >= Phase::Away)
        .map(|(_, _, after, _)| *after)
        .collect()
}

/// The speaker of a node is gone, and the node's kernel answers: on its segment alone.
fn stop_speaker(lan: &mut Lan, number: usize) {
    let node = lan.node(id(number));
    node.is_on = false;
    node.kernel_runs = true;
}

#[test]
fn who_is_elsewhere_leaves_it_to_those_on_the_segment_whether_a_node_is_dead() {
    for nodes in [4, 5, 9] {
        let mut lan = mk_lan(nodes, nodes - 2);
        stop_speaker(&mut lan, 0);
        lan.run(450 * MILLISECOND);
        assert_eq!(
            phases(&lan, id(0)),
            BTreeSet::from([Phase::Away]),
            "{nodes} nodes"
        );
    }
}

#[test]
fn a_node_that_is_lost_is_found_dead_from_its_segment_as_soon_as_ever() {
    for nodes in [4, 5, 9] {
        let mut lan = mk_lan(nodes, nodes - 2);
        lan.node(id(0)).is_on = false;
        lan.run(450 * MILLISECOND);
        assert_eq!(
            phases(&lan, id(0)),
            BTreeSet::from([Phase::Dead]),
            "{nodes} nodes"
        );
    }
}

#[test]
fn where_nobody_is_left_on_the_segment_the_others_say_so_themselves() {
    let mut lan = mk_lan(5, 3);
    lan.node(id(0)).is_on = false;
    lan.node(id(1)).is_on = false;
    lan.run(450 * MILLISECOND);
    assert_eq!(phases(&lan, id(0)), BTreeSet::new());
    lan.run(300 * MILLISECOND);
    assert_eq!(phases(&lan, id(0)), BTreeSet::from([Phase::Dead]));
    assert_eq!(phases(&lan, id(1)), BTreeSet::from([Phase::Dead]));
}

/// Nothing that one sends to another arrives, for so long.
fn lose(lan: &mut Lan, from: usize, to: usize, duration: Duration) {
    let end = lan.now + duration;
    while lan.now < end {
        lan.sent.retain(|(_, by, at, _)| (*by, *at) != (id(from), id(to)));
        lan.run(MILLISECOND);
    }
}

/// Whom a node does not hear, though it should.
fn unheard(lan: &Lan, number: usize) -> BTreeSet<NodeId> {
    lan.nodes[&id(number)].cluster.unheard(lan.now).collect()
}

#[test]
fn whom_one_does_not_hear_it_names_though_others_hear_it() {
    let mut lan = Lan::new(3, 0);
    lan.run(5 * SECOND);
    lose(&mut lan, 1, 0, 800 * MILLISECOND);
    assert_eq!(unheard(&lan, 0), BTreeSet::new());
    lose(&mut lan, 1, 0, 4 * SECOND);
    assert_eq!(phases(&lan, id(1)), BTreeSet::new());
    assert_eq!(unheard(&lan, 0), BTreeSet::from([id(1)]));
    assert_eq!(unheard(&lan, 1), BTreeSet::new(), "the other direction is open");
    lan.run(SECOND);
    assert_eq!(unheard(&lan, 0), BTreeSet::new());
}

#[test]
fn whom_one_takes_for_lost_it_does_not_hear() {
    let mut lan = Lan::new(4, 0);
    lan.run(5 * SECOND);
    let end = lan.now + 3 * SECOND;
    let is_here = |node: &NodeId| [id(0), id(1)].contains(node);
    while lan.now < end {
        lan.sent.retain(|(_, by, to, _)| is_here(by) == is_here(to));
        lan.run(MILLISECOND);
    }
    assert_ne!(phases(&lan, id(2)), BTreeSet::new());
    for number in [0, 1] {
        assert_eq!(unheard(&lan, number), BTreeSet::from([id(2), id(3)]));
    }
    lan.run(3 * SECOND);
    assert_eq!(unheard(&lan, 0), BTreeSet::new());
}

/// Whose heartbeats the first node has missed since it was asked last.
fn missed(lan: &mut Lan) -> Vec<NodeId> {
    std::mem::take(&mut lan.node(id(0)).suspected)
}

#[test]
fn one_heartbeat_that_is_lost_is_not_missed_and_of_many_each_third_is() {
    let mut lan = Lan::new(3, 0);
    lan.run(5 * SECOND);
    drop(missed(&mut lan));
    lose(&mut lan, 1, 0, 90 * MILLISECOND);
    lan.run(SECOND);
    assert_eq!(missed(&mut lan), []);
    lose(&mut lan, 1, 0, SECOND);
    lan.run(SECOND);
    assert_eq!(missed(&mut lan), [id(1); 3]);
    // The third node has heard it all the time.
    assert_eq!(phases(&lan, id(1)), BTreeSet::new());
}

#[test]
fn a_process_that_begins_anew_at_once_is_not_missed() {
    let mut lan = Lan::new(2, 0);
    lan.run(5 * SECOND);
    drop(missed(&mut lan));
    lan.start(1);
    lan.run(2 * SECOND);
    assert_eq!(missed(&mut lan), []);
}
