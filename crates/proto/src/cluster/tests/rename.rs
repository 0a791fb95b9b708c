//! Groups whose lowest address changes.

use super::*;

const OLD: u8 = 9;
const NEW: u8 = 1;

/// Three nodes and some groups, so that the placer would not put everything where it is.
fn mk_lan() -> Lan {
    let mut lan = Lan::new(3, 0);
    lan.run(10 * SECOND);
    for number in [2, 3, OLD, 4, 5] {
        lan.add(group(number));
    }
    lan.run(SECOND);
    lan
}

/// A node hears that the group has another lowest address, beside the one before or in place of it.
fn rename(lan: &mut Lan, who: NodeId, beside: bool) {
    let (name, former) = (group(NEW), group(OLD));
    let mut addresses = BTreeSet::from([name]);
    addresses.extend(beside.then_some(former));
    let candidates = Some(lan.candidates.clone());
    let inputs = [
        Input::Addresses {
            group: name,
            all: addresses.clone(),
            addresses,
            seen_here: BTreeSet::new(),
            contested: false,
        },
        Input::Renamed { group: name, former },
        Input::Group {
            group: name,
            candidates,
        },
        Input::Group {
            group: former,
            candidates: None,
        },
    ];
    for input in inputs {
        lan.input(who, input);
        let answers = lan.nodes[&who]
            .serves
            .keys()
            .any(|group| *group == name || *group == former);
        let owner = lan.nodes[&who].cluster.record(former).unwrap().owner;
        assert!(!beside || owner != who || answers, "without a gap");
    }
}

fn ids(lan: &Lan) -> Vec<NodeId> {
    lan.nodes.keys().copied().collect()
}

#[test]
fn it_stays_where_it_is_in_whatever_order_nodes_hear_of_it() {
    for first in 0..3 {
        let mut lan = mk_lan();
        let before = *lan.nodes[&id(0)].cluster.record(group(OLD)).unwrap();
        let mut order = ids(&lan);
        order.rotate_left(first);
        for who in order {
            rename(&mut lan, who, true);
            lan.run(700 * MILLISECOND);
        }
        assert_eq!(lan.owner(group(NEW)), before.owner);
        for node in lan.nodes.values() {
            let after = *node.cluster.record(group(NEW)).unwrap();
            assert_eq!((after.epoch, after.standbys), (before.epoch, before.standbys));
        }
        assert_eq!(lan.nodes[&before.owner].told.last().unwrap().0, Cause::Renamed);
        lan.run(200 * SECOND);
        assert_eq!(lan.owner(group(NEW)), before.owner);
    }
}

#[test]
fn what_it_did_not_have_before_is_asked_for_first() {
    let mut lan = mk_lan();
    let owner = lan.owner(group(OLD));
    rename(&mut lan, owner, true);
    let withheld = |lan: &Lan| lan.nodes[&owner].cluster.withheld().collect::<Vec<_>>();
    assert_eq!(withheld(&lan), [group(NEW)]);
    lan.run(350 * MILLISECOND);
    assert!(withheld(&lan).is_empty());
}

#[test]
fn one_that_has_no_address_any_more_that_it_had_is_answered_for_when_nobody_else_has_it() {
    let mut lan = mk_lan();
    let owner = lan.owner(group(OLD));
    for who in ids(&lan) {
        rename(&mut lan, who, false);
    }
    lan.run(250 * MILLISECOND);
    assert!(lan.answerers(group(NEW)).is_empty());
    lan.run(100 * MILLISECOND);
    assert_eq!(lan.owner(group(NEW)), owner);
}

#[test]
fn an_owner_that_dies_before_others_have_heard_of_it_is_replaced_by_who_stood_by() {
    let mut lan = mk_lan();
    let before = *lan.nodes[&id(0)].cluster.record(group(OLD)).unwrap();
    rename(&mut lan, before.owner, true);
    lan.node(before.owner).is_on = false;
    lan.run(550 * MILLISECOND);
    let next = lan.owner(group(OLD));
    assert_eq!(Some(next), before.standbys[0]);
    for who in ids(&lan) {
        if who != before.owner {
            rename(&mut lan, who, true);
        }
    }
    lan.run(SECOND);
    assert_eq!(lan.owner(group(NEW)), next);
}

#[test]
fn who_gives_it_away_meanwhile_answers_until_the_next_one_does() {
    let mut lan = mk_lan();
    let owner = lan.owner(group(OLD));
    lan.input(owner, Input::Drain(true));
    for who in ids(&lan) {
        rename(&mut lan, who, true);
    }
    // The next one hears of the old name alone before records are compared.
    for _ in 0..500 {
        lan.run(MILLISECOND);
        assert!(!lan.answerers(group(NEW)).is_empty());
    }
    assert_ne!(lan.owner(group(NEW)), owner);
}

#[test]
fn a_name_that_others_know_already_is_not_overruled() {
    let mut lan = mk_lan();
    let owner = lan.owner(group(OLD));
    let all = ids(&lan);
    let (late, others): (Vec<NodeId>, Vec<NodeId>) = all.iter().partition(|id| **id != owner);
    for who in others {
        rename(&mut lan, who, true);
    }
    rename(&mut lan, late[0], true);
    lan.input(owner, Input::Drain(true));
    lan.run(SECOND);
    let next = lan.owner(group(NEW));
    rename(&mut lan, late[1], true);
    lan.run(5 * SECOND);
    assert_eq!(lan.owner(group(NEW)), next);
}
