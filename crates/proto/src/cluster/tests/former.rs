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
    assert_eq!(former.given, Some(Given::Drained));
    assert!(former.heard.is_some());
    assert_eq!(
        (former.suspected, former.confirmed),
        (None, Some(drained + MILLISECOND))
    );
}

/// Why the next owner thinks that it was given the group, after this has been done to the owner.
fn given(lan: &mut Lan, happens: impl FnOnce(&mut Lan, NodeId)) -> Option<Given> {
    let owner = lan.owner(group(0));
    happens(lan, owner);
    lan.run(100 * SECOND);
    let next = lan.owner(group(0));
    assert_ne!(next, owner);
    taken(lan, next).1?.given
}

/// Three nodes that have an interface on the link of thirty groups: each hears others than the owner of the first one, and
/// so knows that it is not deaf.
fn mk_attached() -> Lan {
    let mut lan = Lan::new(3, 30);
    for number in 0..3 {
        lan.input(id(number), Input::Attached(attached(true)));
        for at in 0..30 {
            let told = Input::Addresses {
                group: group(at),
                addresses: [group(at)].into(),
                all: BTreeSet::new(),
                seen_here: [group(at)].into(),
                contested: false,
            };
            lan.input(id(number), told);
        }
    }
    lan.run(70 * SECOND);
    lan
}

/// All hear of these candidates.
fn tell(lan: &mut Lan, candidates: impl Iterator<Item = (NodeId, i64)>) {
    let candidates: Candidates = Arc::new(candidates.collect());
    for number in 0..3 {
        let (group, candidates) = (group(0), Some(candidates.clone()));
        lan.input(id(number), Input::Group { group, candidates });
    }
}

#[test]
fn who_is_given_a_group_sees_why() {
    let everybody = || (0..3).map(id);
    let given_after = |happens: &dyn Fn(&mut Lan, NodeId)| given(&mut mk_attached(), happens);
    let unplugged = given_after(&|lan, owner| lan.input(owner, Input::Attached(attached(false))));
    assert_eq!(unplugged, Some(Given::NoCarrier));
    let deaf = given_after(&|lan, owner| lan.node(owner).is_deaf = true);
    assert_eq!(deaf, Some(Given::Unanswered));
    let excluded = given_after(&|lan, owner| {
        tell(lan, everybody().filter(|id| *id != owner).map(|id| (id, 0)));
    });
    assert_eq!(excluded, Some(Given::NoCandidate));
    let outdone = given_after(&|lan, owner| {
        tell(lan, everybody().map(|id| (id, i64::from(id != owner))));
    });
    assert_eq!(outdone, Some(Given::Preferred));
}

#[test]
fn who_had_fewer_groups_takes_that_for_the_reason() {
    let mut lan = Lan::new(1, 0);
    lan.candidates = Arc::new([(id(0), 0), (id(1), 0)].into());
    lan.rebalances = true;
    lan.start(0);
    lan.run(10 * SECOND);
    lan.add(group(0));
    lan.add(group(1));
    lan.run(5 * SECOND);
    lan.start(1);
    lan.run(100 * SECOND);
    let (cause, former) = taken(&lan, id(1));
    assert_eq!(cause, Cause::HandedOver);
    assert_eq!(former.unwrap().given, Some(Given::Rebalanced));
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
