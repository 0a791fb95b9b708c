//! Where groups go, as far as nodes tell whether they lead there.

use super::*;

/// Three nodes that hear each other; of those numbered only the interface for datagrams is known.
fn mk_lan(without: &[usize]) -> Lan {
    let mut lan = Lan::new(3, 0);
    for number in 0..3 {
        let interfaces = if without.contains(&number) {
            elsewhere()
        } else {
            attached(true)
        };
        lan.input(id(number), Input::Attached(interfaces));
    }
    lan.run(10 * SECOND);
    lan
}

/// The interfaces of a node that began without carrier where the groups are.
fn elsewhere() -> Vec<Attached> {
    attached(true)[..1].to_vec()
}

fn add_all(lan: &mut Lan, groups: u8) {
    for number in 0..groups {
        lan.add(group(number));
    }
}

fn owners(lan: &Lan, groups: u8) -> Vec<NodeId> {
    (0..groups).map(|at| lan.owner(group(at))).collect()
}

fn count(lan: &Lan, groups: u8) -> [usize; 3] {
    let owners = owners(lan, groups);
    [0, 1, 2].map(|number| owners.iter().filter(|owner| **owner == id(number)).count())
}

fn first_standbys(lan: &Lan, groups: u8) -> Vec<NodeId> {
    let record = |at| *lan.nodes[&id(1)].cluster.record(group(at)).unwrap();
    (0..groups).filter_map(|at| record(at).standbys[0]).collect()
}

#[test]
fn who_began_without_carrier_gets_no_new_group_and_stands_by_last() {
    let mut lan = mk_lan(&[0]);
    add_all(&mut lan, 10);
    lan.run(SECOND);
    assert_eq!(count(&lan, 10), [0, 5, 5]);
    assert!(!first_standbys(&lan, 10).contains(&id(0)));
}

#[test]
fn where_no_node_has_the_prefix_all_are_alike() {
    let mut lan = mk_lan(&[0, 1, 2]);
    add_all(&mut lan, 9);
    // Nobody waits for others to tell.
    lan.run(400 * MILLISECOND);
    assert_eq!(count(&lan, 9), [3, 3, 3]);
}

#[test]
fn where_only_one_candidate_is_there_it_gets_the_group() {
    let mut lan = mk_lan(&[0]);
    lan.candidates = Arc::new([(id(0), 0)].into());
    lan.add(group(0));
    for number in [1, 2] {
        let candidates = Some(lan.candidates.clone());
        let group = group(0);
        lan.input(id(number), Input::Group { group, candidates });
    }
    lan.run(SECOND);
    assert_eq!(lan.owner(group(0)), id(0));
}

#[test]
fn a_preferred_node_gets_a_new_group_before_one_that_leads_there() {
    let mut lan = mk_lan(&[0]);
    lan.candidates = Arc::new(
        (0..3)
            .map(|number| (id(number), i64::from(number == 0)))
            .collect(),
    );
    add_all(&mut lan, 2);
    lan.run(SECOND);
    assert_eq!(count(&lan, 2), [2, 0, 0]);
}

#[test]
fn an_owner_that_is_not_known_to_lead_there_keeps_what_it_has_and_the_others_stand_by() {
    let mut lan = mk_lan(&[0, 1, 2]);
    add_all(&mut lan, 9);
    lan.run(SECOND);
    let before = owners(&lan, 9);
    assert!(first_standbys(&lan, 9).contains(&id(0)));
    for number in [1, 2] {
        lan.input(id(number), Input::Attached(attached(true)));
    }
    lan.run(100 * SECOND);
    assert_eq!(owners(&lan, 9), before);
    assert!(!first_standbys(&lan, 9).contains(&id(0)));
}

/// Where a preferred node ends up that was away when the group was placed.
fn after_return_of_preferred(without: &[usize]) -> NodeId {
    let mut lan = mk_lan(without);
    lan.candidates = Arc::new(
        (0..3)
            .map(|number| (id(number), i64::from(number == 0)))
            .collect(),
    );
    lan.node(id(0)).is_on = false;
    lan.run(SECOND);
    lan.add(group(0));
    lan.run(SECOND);
    lan.start(0);
    let interfaces = if without.contains(&0) {
        elsewhere()
    } else {
        attached(true)
    };
    lan.input(id(0), Input::Attached(interfaces));
    lan.run(90 * SECOND);
    lan.owner(group(0))
}

#[test]
fn nothing_moves_back_to_a_preferred_node_that_began_without_carrier() {
    assert_eq!(after_return_of_preferred(&[]), id(0));
    assert_ne!(after_return_of_preferred(&[0]), id(0));
    // Where nobody has the prefix it is no sign of anything.
    assert_eq!(after_return_of_preferred(&[0, 1, 2]), id(0));
}

#[test]
fn the_first_groups_behind_a_prefix_wait_until_the_others_have_told_that_they_lead_there() {
    // Each tells of a prefix as soon as it knows of a group there: the placer first.
    let mut lan = mk_lan(&[0, 1, 2]);
    let mut ids: Vec<NodeId> = lan.candidates.keys().copied().collect();
    ids.sort_unstable();
    let candidates = Some(lan.candidates.clone());
    for (at, id) in ids.into_iter().enumerate() {
        lan.run(at as u32 * 50 * MILLISECOND);
        lan.input(id, Input::Attached(attached(true)));
        for number in 0..9 {
            let (group, candidates) = (group(number), candidates.clone());
            lan.input(id, Input::Group { group, candidates });
        }
    }
    // As soon as the last one has told.
    lan.run(20 * MILLISECOND);
    assert!(first_standbys(&lan, 9).len() == 9);
    lan.run(SECOND);
    assert_eq!(count(&lan, 9), [3, 3, 3]);
}

/// Two of three nodes, since a second.
fn mk_without_the_third() -> Lan {
    let mut lan = Lan::new(3, 0);
    lan.node(id(2)).is_on = false;
    lan.run(SECOND);
    lan
}

/// How long a new group waits for the node that is not there.
fn wait_of(lan: &mut Lan, number: u8) -> Duration {
    lan.add(group(number));
    let since = lan.now;
    while lan.answerers(group(number)).is_empty() {
        lan.run(MILLISECOND);
    }
    lan.now - since
}

#[test]
fn what_another_load_balancer_answered_for_waits_for_nobody() {
    let mut lan = mk_without_the_third();
    assert!(wait_of(&mut lan, 0) >= 4 * SECOND, "it waits for everybody");
    let mut lan = mk_without_the_third();
    for number in [0, 1] {
        lan.input(id(number), Input::OtherEnded);
    }
    let waits = wait_of(&mut lan, 0);
    assert!(waits < 500 * MILLISECOND, "{waits:?}");
    // That is over with a pause, after which all is gathered anew.
    lan.now = lan.now + 20 * SECOND;
    lan.run(SECOND);
    assert!(wait_of(&mut lan, 1) >= 3 * SECOND, "it waits for everybody again");
}

#[test]
fn a_new_group_waits_for_who_may_be_found_to_be_a_candidate() {
    let two: Candidates = Arc::new((0..2).map(|number| (id(number), 0)).collect());
    let mut lan = mk_without_the_third();
    let three = std::mem::replace(&mut lan.candidates, two.clone());
    assert!(wait_of(&mut lan, 0) < SECOND);
    let mut lan = mk_without_the_third();
    lan.candidates = two;
    for number in [0, 1] {
        let (group, prospects) = (group(0), Some(three.clone()));
        lan.input(id(number), Input::Prospects { group, prospects });
    }
    assert!(wait_of(&mut lan, 0) >= 4 * SECOND);
}

/// The other address of a group, on another link.
fn second(number: u8) -> IpAddr {
    std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into()
}

/// An interface for datagrams, and one on the link of each address of the groups, if there is one: with carrier or without.
fn dual(first: Option<bool>, other: Option<bool>) -> Vec<Attached> {
    let mut interfaces = elsewhere();
    if let Some(carrier) = first {
        interfaces.extend(attached(carrier).pop());
    }
    interfaces.extend(other.map(|carrier| Attached {
        mac: MacAddr([2, 0, 0, 0, 0, 3]),
        carrier,
        prefixes: vec![Prefix::new(second(0), 64).unwrap()],
    }));
    interfaces
}

/// All nodes hear that the group has a second address, under that name or another one.
fn tell_of_second(lan: &mut Lan, group: IpAddr, second: IpAddr) {
    for number in 0..3 {
        let told = Input::Addresses {
            group,
            addresses: [group, second].into(),
            all: [group, second].into(),
            seen_here: BTreeSet::new(),
            contested: false,
        };
        lan.input(id(number), told);
    }
}

#[test]
fn a_group_goes_to_a_node_that_reaches_all_its_addresses() {
    let (yes, lost) = (Some(true), Some(false));
    let both = dual(yes, yes);
    let rows = [
        (
            "the prefix, and the carrier",
            [both.clone(), dual(yes, None), dual(yes, lost)],
            [4, 0, 0],
        ),
        (
            "another carrier",
            [dual(lost, yes), both.clone(), both],
            [0, 2, 2],
        ),
        (
            "a carrier everywhere",
            [dual(yes, lost), dual(yes, lost), dual(lost, lost)],
            [2, 2, 0],
        ),
        (
            "behind a router",
            [dual(yes, None), dual(yes, None), dual(None, None)],
            [2, 2, 0],
        ),
    ];
    for (missing, interfaces, expected) in rows {
        let mut lan = mk_lan(&[]);
        for (number, interfaces) in interfaces.into_iter().enumerate() {
            lan.input(id(number), Input::Attached(interfaces));
        }
        lan.run(SECOND);
        for number in 0..4 {
            tell_of_second(&mut lan, group(number), second(number));
            lan.add(group(number));
        }
        lan.run(2 * SECOND);
        assert_eq!(count(&lan, 4), expected, "{missing}");
    }
}

/// Three nodes that reach everything, but the owner of the group no longer the link of the other address.
fn mk_half_unplugged(group: IpAddr, interfaces: Vec<Attached>) -> (Lan, NodeId) {
    let mut lan = Lan::new(3, 0);
    for number in 0..3 {
        lan.input(id(number), Input::Attached(dual(Some(true), Some(true))));
    }
    lan.run(10 * SECOND);
    lan.add(group);
    lan.run(SECOND);
    let owner = lan.owner(group);
    lan.input(owner, Input::Attached(interfaces));
    lan.run(2 * SECOND);
    assert_eq!(lan.owner(group), owner, "it reaches the one address");
    (lan, owner)
}

#[test]
fn an_address_that_comes_later_and_is_not_reached_moves_the_group() {
    let (mut lan, owner) = mk_half_unplugged(group(0), dual(Some(true), Some(false)));
    tell_of_second(&mut lan, group(0), second(0));
    lan.run(SECOND);
    assert_ne!(lan.owner(group(0)), owner);
    assert!(!first_standbys(&lan, 1).contains(&owner));
}

#[test]
fn the_same_if_the_group_gets_another_name_by_it() {
    let (mut lan, owner) = mk_half_unplugged(second(0), dual(Some(false), Some(true)));
    let (name, former) = (group(0), second(0));
    tell_of_second(&mut lan, name, former);
    let candidates = Some(lan.candidates.clone());
    for number in 0..3 {
        lan.input(id(number), Input::Renamed { group: name, former });
        for (group, candidates) in [(name, candidates.clone()), (former, None)] {
            lan.input(id(number), Input::Group { group, candidates });
        }
    }
    lan.run(SECOND);
    assert_ne!(lan.owner(name), owner);
}

/// A group with an address on each of two links whose owner dies while the speaker of another node is away for good, and the
/// third node reaches what `interfaces` say; that node.
fn mk_without_owner(interfaces: Vec<Attached>) -> (Lan, NodeId) {
    let mut lan = mk_lan(&[]);
    for number in 0..3 {
        lan.input(id(number), Input::Attached(dual(Some(true), Some(true))));
    }
    lan.run(SECOND);
    tell_of_second(&mut lan, group(0), second(0));
    lan.add(group(0));
    lan.run(2 * SECOND);
    let owner = lan.owner(group(0));
    let mut others = [0, 1, 2].map(id).into_iter().filter(|id| *id != owner);
    let (away, last) = (others.next().unwrap(), others.next().unwrap());
    lan.node(away).is_on = false;
    lan.node(away).kernel_runs = true;
    lan.run(20 * SECOND);
    assert_eq!(lan.nodes[&last].cluster.members.phase(away), Some(Phase::Away));
    lan.input(last, Input::Attached(interfaces));
    lan.run(2 * SECOND);
    assert_eq!(lan.owner(group(0)), owner);
    lan.node(owner).is_on = false;
    lan.run(5 * SECOND);
    (lan, last)
}

#[test]
fn who_is_away_keeps_a_group_from_those_alone_that_reach_none_of_its_addresses() {
    let (lan, last) = mk_without_owner(dual(Some(true), Some(false)));
    assert_eq!(lan.owner(group(0)), last, "it reaches the one address");
    let (lan, _) = mk_without_owner(dual(Some(false), Some(false)));
    assert!(lan.answerers(group(0)).is_empty(), "it has nothing to answer");
}
