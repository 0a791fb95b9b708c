//! Even halves, and the gateway that decides between them.

use super::*;

/// Two nodes that both reach the gateway.
fn mk_two() -> Lan {
    let mut lan = Lan::new(2, 8);
    for number in 0..2 {
        lan.node(id(number)).has_gateway = true;
    }
    lan.run(10 * SECOND);
    lan
}

fn owned_by(lan: &Lan, number: usize) -> Vec<IpAddr> {
    let groups = (0..8).map(group);
    groups.filter(|group| lan.owner(*group) == id(number)).collect()
}

/// How many groups a node answers for.
fn serves(lan: &Lan, number: usize) -> usize {
    lan.nodes[&id(number)].serves.len()
}

#[test]
fn who_is_cut_off_with_its_gateway_takes_nothing_before_it_knows_that_it_has_none() {
    let mut lan = mk_two();
    let own = owned_by(&lan, 1).len();
    let node = lan.node(id(1));
    (node.is_cut_off, node.has_gateway) = (true, false);
    lan.run(450 * MILLISECOND);
    assert_eq!(
        (serves(&lan, 0), serves(&lan, 1)),
        (8, own),
        "the other one has all by now"
    );
    lan.run(150 * MILLISECOND);
    assert_eq!(serves(&lan, 1), own);
    lan.run(400 * MILLISECOND);
    assert_eq!(serves(&lan, 1), 8, "one answerer on each side");
    lan.node(id(1)).is_cut_off = false;
    lan.run(SECOND);
    assert_eq!(owned_by(&lan, 0).len(), 8);
}

#[test]
fn where_the_gateway_is_lost_as_well_both_halves_answer_and_one_is_left_after() {
    let mut lan = mk_two();
    for number in 0..2 {
        lan.node(id(number)).has_gateway = false;
    }
    lan.node(id(1)).is_cut_off = true;
    lan.run(SECOND);
    assert_eq!((serves(&lan, 0), serves(&lan, 1)), (8, 8));
    lan.node(id(1)).is_cut_off = false;
    lan.run(SECOND);
    for at in 0..8 {
        lan.owner(group(at));
    }
}

#[test]
fn the_gateway_is_asked_often_only_while_its_answer_decides() {
    let mut lan = mk_two();
    let asked = |lan: &mut Lan, time| {
        let before = lan.nodes[&id(0)].asked_gateway;
        lan.run(time);
        lan.nodes[&id(0)].asked_gateway - before
    };
    assert!((4..=6).contains(&asked(&mut lan, 10 * SECOND)));
    lan.node(id(1)).is_on = false;
    lan.node(id(0)).has_gateway = false;
    lan.run(250 * MILLISECOND);
    assert!((30..=42).contains(&asked(&mut lan, SECOND)));
    lan.run(SECOND);
    assert!((4..=6).contains(&asked(&mut lan, 10 * SECOND)));

    let mut odd = Lan::new(3, 3);
    odd.run(10 * SECOND);
    assert!(odd.nodes.values().all(|node| node.asked_gateway == 0));
}
