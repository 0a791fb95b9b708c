//! Owners that live and answer nobody on the segment.

use cortenlb_wire::member::{Body, Datagram, Unanswered};

use super::*;

/// Nodes on one segment with so many groups, all at rest.
fn mk_lan(nodes: usize, groups: u8) -> Lan {
    let mut lan = Lan::new(nodes, groups);
    for number in 0..nodes {
        lan.input(id(number), Input::Attached(attached(true)));
        for at in 0..groups {
            let addresses = BTreeSet::from([group(at)]);
            let told = Input::Addresses {
                group: group(at),
                addresses: addresses.clone(),
                all: BTreeSet::new(),
                seen_here: addresses,
                contested: false,
            };
            lan.input(id(number), told);
        }
    }
    lan.run(5 * SECOND);
    lan
}

fn owners(lan: &Lan, groups: u8) -> Vec<NodeId> {
    (0..groups).map(|at| lan.owner(group(at))).collect()
}

#[test]
fn each_address_is_asked_for_every_ten_seconds_by_one_other_node() {
    let mut lan = mk_lan(3, 9);
    lan.nodes.values_mut().for_each(|node| node.checks.clear());
    lan.run(100 * SECOND);
    for at in 0..9 {
        let asked = lan.nodes.iter().map(|(id, node)| {
            let about = node.checks.iter().filter(|(_, about)| *about == group(at));
            (*id, about.count())
        });
        let asked: Vec<(NodeId, usize)> = asked.filter(|(_, count)| *count > 0).collect();
        let [(by, count)] = asked[..] else {
            panic!("{asked:?}")
        };
        assert_ne!(by, lan.owner(group(at)));
        assert!((9..=11).contains(&count), "{count}");
    }
}

#[test]
fn a_node_asks_fifty_times_a_second_at_most() {
    let mut lan = mk_lan(2, 250);
    // Nobody answers: each is asked for again and again.
    lan.nodes.values_mut().for_each(|node| node.is_deaf = true);
    lan.run(60 * SECOND);
    for node in lan.nodes.values() {
        assert!(node.checks.len() > 1_000, "{}", node.checks.len());
        for (first, later) in node.checks.iter().zip(&node.checks[50..]) {
            assert!(later.0 - first.0 >= 999 * MILLISECOND);
        }
    }
}

#[test]
fn an_owner_that_is_not_heard_is_told_first_and_then_gives_its_groups_away() {
    let mut lan = mk_lan(3, 9);
    let before = owners(&lan, 9);
    lan.node(id(0)).is_deaf = true;
    lan.run(40 * SECOND);
    for (at, before) in before.into_iter().enumerate() {
        let group = group(u8::try_from(at).unwrap());
        let told = lan.nodes[&before]
            .unheard
            .iter()
            .filter(|(about, _)| *about == group);
        let told: Vec<bool> = told.map(|(_, next)| next.is_some()).collect();
        if before == id(0) {
            assert_ne!(lan.owner(group), id(0));
            assert_eq!(told, [false, true]);
        } else {
            assert_eq!((lan.owner(group), told), (before, vec![]));
        }
    }
}

#[test]
fn who_hears_nobody_is_at_fault_itself() {
    let mut lan = mk_lan(3, 9);
    let before = owners(&lan, 9);
    lan.nodes.values_mut().for_each(|node| node.is_deaf = true);
    lan.run(120 * SECOND);
    assert_eq!(owners(&lan, 9), before);
    // Somebody answers there for whatever it may be.
    let prefixes = attached(true).remove(1).prefixes;
    for _ in 0..60 {
        for number in 0..3 {
            lan.input(id(number), Input::Heard(prefixes.clone()));
        }
        lan.run(SECOND);
    }
    assert_ne!(owners(&lan, 9), before);
}

#[test]
fn what_cannot_be_asked_for_where_it_is_announced_is_not_checked() {
    let mut lan = mk_lan(3, 1);
    let owner = lan.owner(group(0));
    for number in (0..3).map(id).filter(|id| *id != owner) {
        let told = Input::Addresses {
            group: group(0),
            addresses: [group(0)].into(),
            all: BTreeSet::new(),
            seen_here: BTreeSet::new(),
            contested: false,
        };
        lan.input(number, told);
    }
    lan.run(2 * SECOND);
    lan.nodes.values_mut().for_each(|node| node.checks.clear());
    lan.run(60 * SECOND);
    assert!(lan.nodes.values().all(|node| node.checks.is_empty()));
}

#[test]
fn a_complaint_counts_if_it_is_about_what_is_so_now_and_once_in_three_minutes() {
    let mut lan = mk_lan(3, 1);
    let complain = |lan: &mut Lan, epoch_off: u32, times: u8| {
        let owner = lan.owner(group(0));
        let by = (0..3).map(id).find(|id| *id != owner).unwrap();
        let epoch = lan.nodes[&by].cluster.record(group(0)).unwrap().epoch + epoch_off;
        let said = Unanswered {
            group: group(0),
            address: group(0),
            epoch,
            times,
        };
        let from = lan.nodes[&by].cluster.members.own();
        let body = Body::Unanswered(said);
        let sequence = 0;
        let bytes = Datagram { from, sequence, body }.emit();
        lan.input(owner, Input::Datagram(&bytes));
        lan.run(SECOND);
        lan.owner(group(0)) != owner
    };
    assert!(!complain(&mut lan, 0, 3), "it has just begun to answer");
    lan.run(30 * SECOND);
    assert!(!complain(&mut lan, 1, 3), "another epoch");
    assert!(!complain(&mut lan, 0, 2), "it opens its sockets anew");
    assert!(complain(&mut lan, 0, 3));
    lan.run(5 * SECOND);
    assert!(!complain(&mut lan, 0, 4), "it has moved a moment ago");
    lan.run(180 * SECOND);
    assert!(complain(&mut lan, 0, 5));
}
