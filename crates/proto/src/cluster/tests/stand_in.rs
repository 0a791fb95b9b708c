//! Speakers that are away where nobody may answer in their names.

use super::*;

/// Three nodes with nine groups, and the owner of the first one.
fn mk_lan() -> (Lan, NodeId) {
    let mut lan = Lan::new(3, 0);
    lan.stands_in = false;
    for number in 0..3 {
        lan.start(number);
    }
    for number in 0..9 {
        lan.add(group(number));
    }
    lan.run(10 * SECOND);
    let owner = lan.owner(group(0));
    (lan, owner)
}

fn owners(lan: &Lan) -> Vec<NodeId> {
    (0..9).map(|at| lan.owner(group(at))).collect()
}

#[test]
fn the_groups_of_a_speaker_that_says_that_it_ends_move_and_it_falls_silent() {
    let (mut lan, old) = mk_lan();
    let before = owners(&lan);
    lan.input(old, Input::Restarting);
    for _ in 0..100 {
        lan.run(MILLISECOND);
        assert!(
            (0..9).all(|at| !lan.answerers(group(at)).is_empty()),
            "without a gap"
        );
    }
    // Before its process is gone.
    let after = owners(&lan);
    assert!(!after.contains(&old));
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || *before == old);
    }
    assert!(lan.node(old).released.contains(&Cause::HandedOver));
    let number = (0..3).find(|number| id(*number) == old).unwrap();
    lan.node(old).is_on = false;
    lan.run(SECOND);
    lan.start(number);
    lan.run(5 * SECOND);
    assert_eq!(owners(&lan), after, "it gets nothing back");
}

#[test]
fn those_of_one_whose_node_still_answers_move_as_if_that_were_lost() {
    let (mut lan, old) = mk_lan();
    let before = owners(&lan);
    lan.node(old).is_on = false;
    lan.node(old).kernel_runs = true;
    lan.run(550 * MILLISECOND);
    assert!(
        lan.nodes
            .values()
            .all(|node| node.phases.iter().all(|told| told.2 != Phase::Dead))
    );
    for (before, after) in before.iter().zip(owners(&lan)) {
        assert!(after == *before || *before == old);
        assert_ne!(after, old);
    }
    // Its node was not lost.
    let causes: Vec<Cause> = others(&lan, old)
        .iter()
        .flat_map(|other| lan.nodes[other].told.iter().map(|(cause, _)| *cause))
        .filter(|cause| matches!(cause, Cause::OwnerAway(_) | Cause::OwnerDead(_)))
        .collect();
    let lost = before.iter().filter(|owner| **owner == old).count();
    assert_eq!(causes, vec![Cause::OwnerAway(old); lost]);
}

#[test]
fn one_that_was_stopped_for_a_moment_keeps_what_it_has() {
    let (mut lan, old) = mk_lan();
    let before = owners(&lan);
    // Its last heartbeat has just been heard: longer than others wait for the next one, and shorter than they ask for it.
    let heartbeat = lan.nodes[&old].cluster.life.next_heartbeat;
    lan.run(heartbeat - lan.now + 2 * MILLISECOND);
    lan.node(old).is_on = false;
    lan.run(350 * MILLISECOND);
    lan.node(old).is_on = true;
    lan.run(2 * SECOND);
    let was_stopped = |told: &(NodeId, Option<Phase>, Phase, Why)| told.3 == Why::Paused;
    assert!(lan.node(old).phases.iter().any(was_stopped));
    assert_eq!(owners(&lan), before);
}

/// All others hear its answer for the first group now.
fn answers(lan: &mut Lan, by: NodeId) {
    for other in others(lan, by) {
        let (group, address) = (group(0), group(0));
        lan.input(other, Input::Answered { group, address, by });
    }
}

fn others(lan: &Lan, than: NodeId) -> Vec<NodeId> {
    lan.nodes.keys().copied().filter(|id| *id != than).collect()
}

#[test]
fn one_that_has_answered_within_a_second_is_lost_at_once_only_if_it_says_itself_that_it_ends() {
    let (mut lan, old) = mk_lan();
    answers(&mut lan, old);
    lan.node(old).is_on = false;
    lan.node(old).kernel_runs = true;
    lan.run(900 * MILLISECOND);
    for other in others(&lan, old) {
        let cluster = &lan.nodes[&other].cluster;
        assert_eq!(cluster.members.phase(old), Some(Phase::Away));
        assert_eq!(cluster.record(group(0)).unwrap().owner, old);
    }
    lan.run(200 * MILLISECOND);
    assert_ne!(lan.owner(group(0)), old);

    let (mut lan, old) = mk_lan();
    answers(&mut lan, old);
    lan.input(old, Input::Restarting);
    lan.run(100 * MILLISECOND);
    assert_ne!(lan.owner(group(0)), old);
}
