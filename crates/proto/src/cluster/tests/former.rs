use super::*;

/// The last [`Output::Serve`] of a node: when it came, and of whom it tells.
fn taken(lan: &Lan, by: NodeId) -> (Cause, Option<Former>) {
    lan.nodes[&by].told.last().copied().unwrap()
}

/// The nodes other than this one.
fn others(lan: &Lan, than: NodeId) -> Vec<NodeId> {
    lan.nodes.keys().copied().filter(|id| *id != than).collect()
}

#[test]
fn who_takes_from_a_dead_owner_knows_when_it_was_lost() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let owner = lan.owner(group(0));
    let cut = lan.now;
    lan.node(owner).is_on = false;
    lan.run(SECOND);
    let next = lan.owner(group(0));
    let (cause, Some(former)) = taken(&lan, next) else {
        panic!("nobody is told of");
    };
    assert_eq!((cause, former.node), (Cause::OwnerDead(owner), owner));
    let [heard, suspected, confirmed] =
        [former.heard, former.suspected, former.confirmed].map(|at| at.unwrap());
    // The last heartbeat was on its way when the owner went.
    assert!(heard <= cut + MILLISECOND && cut - heard <= HEARTBEAT);
    assert!(
        suspected - heard >= 3 * HEARTBEAT && confirmed >= suspected,
        "{former:?}"
    );
    assert!(confirmed - heard <= 450 * MILLISECOND, "{former:?}");
}

#[test]
fn who_stands_in_knows_when_the_owner_has_said_that_it_goes() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let owner = lan.owner(group(0));
    let left = lan.now;
    lan.input(owner, Input::Restarting);
    lan.node(owner).is_on = false;
    lan.run(10 * MILLISECOND);
    let standing_in = others(&lan, owner)
        .into_iter()
        .find(|id| !lan.nodes[id].serves.is_empty());
    let (cause, Some(former)) = taken(&lan, standing_in.unwrap()) else {
        panic!("nobody is told of");
    };
    assert_eq!(cause, Cause::OwnerAway(owner));
    assert_eq!(former.confirmed, Some(left + MILLISECOND));
    assert_eq!(former.suspected, None);
}

#[test]
fn who_is_given_a_group_knows_by_whom() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let owner = lan.owner(group(0));
    let drained = lan.now;
    lan.input(owner, Input::Drain(true));
    lan.run(SECOND);
    let (cause, Some(former)) = taken(&lan, lan.owner(group(0))) else {
        panic!("nobody is told of");
    };
    assert_eq!((cause, former.node), (Cause::HandedOver, owner));
    assert!(former.heard.is_some());
    assert_eq!(
        (former.suspected, former.confirmed),
        (None, Some(drained + MILLISECOND))
    );
}

#[test]
fn a_new_group_has_no_former_owner() {
    let mut lan = Lan::new(1, 1);
    lan.run(10 * SECOND);
    assert_eq!(taken(&lan, id(0)), (Cause::Placed, None));
}

#[test]
fn of_a_member_that_is_not_watched_only_the_end_is_known() {
    let mut lan = Lan::new(12, 40);
    lan.run(15 * SECOND);
    let first = lan.nodes.keys().next().copied().unwrap();
    let owner = others(&lan, first)
        .into_iter()
        .find(|id| !lan.nodes[&first].cluster.members.watched().contains(id))
        .unwrap();
    lan.node(owner).is_on = false;
    lan.run(SECOND);
    let former = lan.nodes[&first].cluster.members.former(owner);
    assert_eq!((former.heard, former.suspected), (None, None));
    assert!(former.confirmed.is_some());
}
