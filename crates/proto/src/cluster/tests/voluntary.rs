//! Groups that go to nodes that have fewer, where that is asked for.

use super::*;

const GROUPS: u8 = 9;

/// Three nodes of which the first was away when nine groups were placed, and is back for ten seconds; all give groups to
/// those that have fewer, or none does.
fn mk_lan(rebalances: bool) -> Lan {
    let mut lan = Lan::new(3, 0);
    lan.rebalances = rebalances;
    for number in 0..3 {
        lan.start(number);
    }
    lan.run(10 * SECOND);
    lan.node(id(0)).is_on = false;
    lan.run(SECOND);
    for number in 0..GROUPS {
        lan.add(group(number));
    }
    lan.run(SECOND);
    lan.start(0);
    lan.run(10 * SECOND);
    assert_eq!(counts(&lan)[0], 0);
    lan
}

fn owners(lan: &Lan) -> Vec<NodeId> {
    (0..GROUPS).map(|at| lan.owner(group(at))).collect()
}

fn counts(lan: &Lan) -> [usize; 3] {
    let owners = owners(lan);
    [0, 1, 2].map(|number| owners.iter().filter(|owner| **owner == id(number)).count())
}

/// When each of the groups that moved did so, in seconds from now.
fn moves(lan: &mut Lan, seconds: u32) -> Vec<u32> {
    let mut moves = Vec::new();
    let mut before = owners(lan);
    for second in 1..=seconds {
        lan.run(SECOND);
        let after = owners(lan);
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before != after);
        moves.extend(moved.map(|_| second));
        before = after;
    }
    moves
}

#[test]
fn a_node_that_returns_gets_its_share_after_a_while_one_group_at_a_time() {
    let mut lan = mk_lan(true);
    let moves = moves(&mut lan, 300);
    assert_eq!(counts(&lan), [3, 3, 3]);
    assert_eq!(moves.len(), 3, "none more than there must be");
    assert!(moves[0] >= 49, "before it was well for 60 s: {moves:?}");
    assert!(moves.windows(2).all(|two| two[1] - two[0] >= 10), "{moves:?}");
    let released = lan.nodes.values().flat_map(|node| &node.released);
    assert_eq!(released.filter(|cause| **cause == Cause::Rebalanced).count(), 3);
}

#[test]
fn nothing_moves_where_it_is_not_asked_for() {
    let mut lan = mk_lan(false);
    assert!(moves(&mut lan, 300).is_empty());
}

#[test]
fn only_candidates_that_are_preferred_as_much_get_a_share() {
    for preferences in [
        vec![(id(1), 0), (id(2), 0)],
        vec![(id(0), 0), (id(1), 1), (id(2), 1)],
    ] {
        let mut lan = mk_lan(true);
        let candidates: Candidates = Arc::new(preferences.into_iter().collect());
        for node in lan.nodes.keys().copied().collect::<Vec<_>>() {
            for number in 0..GROUPS {
                let (group, candidates) = (group(number), Some(candidates.clone()));
                lan.input(node, Input::Group { group, candidates });
            }
        }
        assert!(moves(&mut lan, 200).is_empty());
    }
}

#[test]
fn who_has_one_group_more_keeps_it() {
    let mut lan = Lan::new(3, 0);
    lan.rebalances = true;
    for number in 0..3 {
        lan.start(number);
    }
    lan.run(10 * SECOND);
    lan.add(group(0));
    lan.run(SECOND);
    let owner = lan.owner(group(0));
    lan.run(200 * SECOND);
    assert_eq!(lan.owner(group(0)), owner);
}

#[test]
fn who_does_not_keep_what_it_is_given_is_not_given_it_again() {
    let mut lan = mk_lan(true);
    // As far as the first one knows it can have none of them.
    let others: Candidates = Arc::new([(id(1), 0), (id(2), 0)].into());
    for number in 0..GROUPS {
        let (group, candidates) = (group(number), Some(others.clone()));
        lan.input(id(0), Input::Group { group, candidates });
    }
    lan.run(170 * SECOND);
    assert_eq!(counts(&lan)[0], 0);
    let most = (0..GROUPS).map(|at| lan.nodes[&id(1)].cluster.record(group(at)).unwrap().epoch);
    assert!(most.max().unwrap() <= 3, "there and back, once");
}
