//! Records of groups that there are no longer.

use super::*;

/// Who has a record of a group.
fn know(lan: &Lan, group: IpAddr) -> Vec<NodeId> {
    let nodes = lan.nodes.iter();
    nodes
        .filter(|(_, node)| node.cluster.record(group).is_some())
        .map(|(id, _)| *id)
        .collect()
}

/// There is no such group any more, as a node hears.
fn goes(lan: &mut Lan, who: NodeId, group: IpAddr) {
    let candidates = None;
    lan.input(who, Input::Group { group, candidates });
}

#[test]
fn a_record_is_forgotten_by_all_three_minutes_after_the_last_one_has_heard_that_its_group_is_gone() {
    for late in 0..3 {
        let mut lan = Lan::new(3, 1);
        lan.run(10 * SECOND);
        let (group, late) = (group(0), id(late));
        for who in [0, 1, 2].map(id).into_iter().filter(|id| *id != late) {
            goes(&mut lan, who, group);
        }
        lan.run(240 * SECOND);
        lan.nodes.values_mut().for_each(|node| node.bytes = 0);
        lan.run(60 * SECOND);
        assert_eq!(know(&lan, group), [late], "nobody learns it again");
        let most = lan.nodes.values().map(|node| node.bytes / 60).max().unwrap();
        assert!(most < 3_000, "{most} bytes a second for what nobody takes");
        goes(&mut lan, late, group);
        lan.run(182 * SECOND);
        assert_eq!(know(&lan, group), []);
        lan.run(300 * SECOND);
        assert_eq!(know(&lan, group), []);
        lan.add(group);
        lan.run(SECOND);
        lan.owner(group);
    }
}

#[test]
fn a_record_is_forgotten_by_all_three_minutes_after_the_last_process_has_begun() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let group = group(0);
    for who in [0, 1, 2].map(id) {
        goes(&mut lan, who, group);
    }
    // Both have it when the first of all forget it, each for a time of its own.
    for number in [1, 2] {
        lan.run(85 * SECOND);
        lan.start(number);
        lan.run(SECOND);
        assert_eq!(know(&lan, group).len(), 3);
    }
    lan.run(182 * SECOND);
    assert_eq!(know(&lan, group), []);
    lan.run(300 * SECOND);
    assert_eq!(know(&lan, group), []);
}

#[test]
fn another_record_than_the_one_forgotten_is_news_at_once() {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    let group = group(0);
    let owner = lan.owner(group);
    let standbys = lan.nodes[&owner].cluster.record(group).unwrap().standbys;
    let [next, ignorant] = standbys.map(Option::unwrap);
    goes(&mut lan, ignorant, group);
    lan.run(190 * SECOND);
    assert!(!know(&lan, group).contains(&ignorant));
    lan.input(owner, Input::Drain(true));
    lan.run(2 * SECOND);
    assert!(know(&lan, group).contains(&ignorant));
    assert_eq!(lan.owner(group), next);
}
