//! Nodes that see different candidates, and nodes that fail often.

use super::*;

/// Three nodes in the order of their numbers, of which the first is the placer; the other two can answer for a group, and
/// one of them does.
fn mk_lan() -> (Lan, [NodeId; 3]) {
    let mut lan = Lan::new(3, 0);
    lan.run(10 * SECOND);
    let mut ids = [id(0), id(1), id(2)];
    ids.sort_unstable();
    lan.candidates = Arc::new(ids[1..].iter().map(|id| (*id, 0)).collect());
    for id in ids {
        see(&mut lan, id, &ids[1..]);
    }
    lan.run(SECOND);
    assert!(ids[1..].contains(&lan.owner(group(0))));
    (lan, ids)
}

/// From now on a node sees these candidates.
fn see(lan: &mut Lan, who: NodeId, candidates: &[NodeId]) {
    let candidates = candidates.iter().map(|id| (*id, 0)).collect();
    let candidates = Some(Arc::new(candidates));
    let group = group(0);
    lan.input(who, Input::Group { group, candidates });
}

/// How often the group has moved since it was placed.
fn moves(lan: &Lan) -> u32 {
    let nodes = lan.nodes.values().filter(|node| node.is_on);
    let epochs = nodes.filter_map(|node| Some(node.cluster.record(group(0))?.epoch));
    epochs.max().unwrap() - 1
}

#[test]
fn a_placer_that_is_behind_moves_a_group_four_times_at_most_and_leaves_no_gap() {
    let (mut lan, ids) = mk_lan();
    see(&mut lan, ids[0], &ids[1..2]);
    see(&mut lan, ids[1], &ids[2..]);
    see(&mut lan, ids[2], &ids[2..]);
    lan.run(SECOND);
    for _ in 0..1_700 {
        lan.run(100 * MILLISECOND);
        assert!(!lan.answerers(group(0)).is_empty(), "{:?}", lan.now);
    }
    assert!((1..=4).contains(&moves(&lan)), "{}", moves(&lan));
    assert_eq!(lan.owner(group(0)), ids[2]);
}

#[test]
fn two_that_each_see_the_other_one_alone_do_not_throw_a_group_at_each_other() {
    let (mut lan, ids) = mk_lan();
    see(&mut lan, ids[1], &ids[2..]);
    see(&mut lan, ids[2], &ids[1..2]);
    lan.run(60 * SECOND);
    assert!((1..=4).contains(&moves(&lan)), "{}", moves(&lan));
    for id in &ids[1..] {
        see(&mut lan, *id, &ids[1..]);
    }
    lan.run(SECOND);
    lan.owner(group(0));
}

#[test]
fn who_is_given_a_group_before_it_hears_that_it_can_have_it_keeps_it() {
    let (mut lan, ids) = mk_lan();
    let owner = lan.owner(group(0));
    let next = [ids[0]];
    see(&mut lan, owner, &next);
    lan.run(200 * MILLISECOND);
    for id in ids {
        see(&mut lan, id, &next);
    }
    lan.run(10 * SECOND);
    assert_eq!((lan.owner(group(0)), moves(&lan)), (ids[0], 1));
}

#[test]
fn what_comes_back_goes_to_somebody_else() {
    let (mut lan, ids) = mk_lan();
    let owner = lan.owner(group(0));
    let others: Vec<NodeId> = ids.into_iter().filter(|id| *id != owner).collect();
    // The first that stands by is behind.
    let behind = lan.nodes[&owner].cluster.record(group(0)).unwrap().standbys[0].unwrap();
    see(&mut lan, ids[0], &others);
    see(&mut lan, behind, &[owner]);
    see(&mut lan, owner, &others);
    lan.run(10 * SECOND);
    let owner = lan.owner(group(0));
    assert!(others.contains(&owner) && owner != behind);
    assert_eq!(moves(&lan), 3);
}

#[test]
fn a_dead_owner_is_replaced_however_often_its_group_has_moved() {
    let (mut lan, ids) = mk_lan();
    for _ in 0..6 {
        let owner = lan.owner(group(0));
        let other = if owner == ids[1] { ids[2] } else { ids[1] };
        for id in ids {
            see(&mut lan, id, &[other]);
        }
        lan.run(100 * MILLISECOND);
        assert_eq!(
            lan.owner(group(0)),
            other,
            "who cannot have it gives it away at once"
        );
    }
    for id in ids {
        see(&mut lan, id, &ids[1..]);
    }
    lan.run(2 * SECOND);
    let owner = lan.owner(group(0));
    lan.node(owner).is_on = false;
    lan.run(550 * MILLISECOND);
    assert_ne!(lan.owner(group(0)), owner);
}

/// Whether a node gets a new group although others have more, so long after it has failed for the second time.
fn is_given_one_after(between: Duration, after: Duration) -> bool {
    let mut lan = Lan::new(3, 9);
    lan.run(10 * SECOND);
    for pause in [between, after] {
        lan.node(id(0)).is_on = false;
        lan.run(SECOND);
        lan.start(0);
        lan.run(pause - SECOND);
    }
    lan.add(group(100));
    lan.run(SECOND);
    lan.owner(group(100)) == id(0)
}

#[test]
fn who_failed_twice_is_the_last_choice_for_three_minutes_from_then() {
    assert!(!is_given_one_after(10 * SECOND, 10 * SECOND));
    assert!(!is_given_one_after(170 * SECOND, 170 * SECOND));
    assert!(is_given_one_after(170 * SECOND, 185 * SECOND));
    assert!(
        is_given_one_after(190 * SECOND, 10 * SECOND),
        "it failed once in three minutes"
    );
}

/// Three nodes, of which one hears nothing from the API server any more: the placer, or another one. It is preferred.
fn mk_ignorant(at: usize) -> (Lan, [NodeId; 3]) {
    let mut lan = Lan::new(3, 0);
    lan.run(10 * SECOND);
    let mut ids = [id(0), id(1), id(2)];
    ids.sort_unstable();
    lan.candidates = Arc::new(ids.iter().map(|id| (*id, i64::from(*id == ids[at]))).collect());
    for id in ids.into_iter().filter(|id| *id != ids[at]) {
        let (group, candidates) = (group(0), Some(lan.candidates.clone()));
        lan.input(id, Input::Group { group, candidates });
    }
    (lan, ids)
}

#[test]
fn who_is_given_a_group_that_it_does_not_know_gives_it_to_who_stands_by() {
    let (mut lan, ids) = mk_ignorant(2);
    lan.run(300 * MILLISECOND);
    assert!(lan.answerers(group(0)).is_empty());
    assert_eq!(lan.nodes[&ids[0]].cluster.record(group(0)).unwrap().owner, ids[2]);
    lan.run(2 * SECOND);
    assert_ne!(lan.owner(group(0)), ids[2]);
    // It hears of the group later: nothing moves back.
    let before = lan.owner(group(0));
    let candidates = Some(Arc::new(ids.iter().map(|id| (*id, 0)).collect()));
    for id in ids {
        let (group, candidates) = (group(0), candidates.clone());
        lan.input(id, Input::Group { group, candidates });
    }
    lan.run(60 * SECOND);
    assert_eq!(lan.owner(group(0)), before);
}

#[test]
fn a_group_that_the_placer_does_not_know_is_placed_by_another_one() {
    let (mut lan, ids) = mk_ignorant(0);
    lan.run(SECOND);
    assert!(lan.nodes[&ids[1]].cluster.record(group(0)).is_none());
    // It may be placed on the placer, which does not keep what it does not know.
    lan.run(4 * SECOND);
    assert_ne!(lan.owner(group(0)), ids[0]);
}

#[test]
fn who_has_seen_a_group_go_does_not_pass_its_record_on() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let record = *lan.nodes[&id(0)].cluster.record(group(0)).unwrap();
    for id in [0, 1, 2].map(id) {
        let (group, candidates) = (group(0), None);
        lan.input(id, Input::Group { group, candidates });
    }
    lan.run(60 * SECOND);
    for node in lan.nodes.values() {
        assert_eq!(node.cluster.record(group(0)).unwrap().epoch, record.epoch);
    }
}

/// Anybody can send a frame in another node's name.
#[test]
fn nobody_yields_to_who_does_not_say_itself_that_it_owns_a_group() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let (group, owner) = (group(0), lan.owner(group(0)));
    for by in [0, 1, 2].map(id).into_iter().filter(|id| *id != owner) {
        for _ in 0..100 {
            let address = group;
            lan.input(owner, Input::Answered { group, address, by });
            lan.run(100 * MILLISECOND);
        }
        assert_eq!(lan.owner(group), owner);
    }
    // Nor does that keep who is lost alive.
    let lost = [0, 1, 2].map(id).into_iter().find(|id| *id != owner).unwrap();
    lan.node(lost).is_on = false;
    for _ in 0..20 {
        let (address, by) = (group, lost);
        lan.input(owner, Input::Answered { group, address, by });
        lan.run(50 * MILLISECOND);
    }
    let phases = &lan.nodes[&owner].phases;
    assert!(
        phases
            .iter()
            .any(|(id, _, after, _)| *id == lost && *after == Phase::Dead)
    );
}

/// One knows of more speakers than there are, and so takes what it decides, and what others tell, for a minority's.
#[test]
fn of_two_owners_that_do_not_take_each_others_records_one_yields_as_soon_as_it_hears_the_other_one() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let owner = lan.owner(group(0));
    let mut others = [0, 1, 2].map(id).into_iter().filter(|id| *id != owner);
    let stale = others.next().unwrap();
    lan.input(stale, Input::Roster((0..9).map(id).collect()));
    lan.run(2 * SECOND);
    let (group, now) = (group(0), lan.now);
    let cluster = &mut lan.node(stale).cluster;
    let record = *cluster.record(group).unwrap();
    let taken = Record {
        owner: stale,
        epoch: record.epoch + 1,
        ..record
    };
    cluster.write(now, taken);
    lan.run(5 * SECOND);
    assert_eq!(
        lan.answerers(group).len(),
        2,
        "neither takes the other one's record"
    );
    for (id, by) in [(owner, stale), (stale, owner)] {
        let address = group;
        lan.input(id, Input::Answered { group, address, by });
    }
    lan.run(3 * SECOND);
    assert_eq!(lan.owner(group), owner.max(stale));
    lan.run(60 * SECOND);
    assert_eq!(lan.owner(group), owner.max(stale));
}
