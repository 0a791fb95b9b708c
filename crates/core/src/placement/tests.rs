use super::*;
use proptest::prelude::*;

fn nodes(names: &[&str]) -> BTreeSet<NodeName> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([172, 21, 5, last])
}

/// The contract between versions: these rows never change.
#[test]
fn weights_are_fixed() {
    let owners: Vec<_> = (240..=250)
        .map(|last| owner(address(last), &nodes(&["n1", "n2", "n3"])).unwrap().clone())
        .collect();
    assert_eq!(
        owners,
        ["n3", "n1", "n2", "n1", "n1", "n2", "n1", "n2", "n1", "n3", "n3"]
    );
    assert_eq!(weight(address(240), "n1"), 0x95ef3af50f8fa583);
    assert_eq!(weight("fd00:5::240".parse().unwrap(), "n1"), 0xc2eef4a12439a0bd);
}

#[test]
fn nobody_owns_without_candidates() {
    assert_eq!(owner(address(1), &nodes(&[])), None);
    assert_eq!(owner(address(1), &nodes(&["only"])), Some(&"only".to_owned()));
}

#[test]
fn groups_spread_evenly() {
    for count in 2..=9 {
        let nodes: BTreeSet<NodeName> = (1..=count).map(|node| format!("worker-{node}")).collect();
        let mut held = vec![0; count];
        for group in 0..2000u32 {
            let owner = owner(IpAddr::V4((0x0a00_0000 + group).into()), &nodes).unwrap();
            held[nodes.iter().position(|node| node == owner).unwrap()] += 1;
        }
        let fair = 2000 / count;
        for held in held {
            assert!(
                held > fair * 7 / 10 && held < fair * 13 / 10,
                "{held} of {fair} with {count} nodes"
            );
        }
    }
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

proptest! {
    /// Only the groups of a lost node move; read backwards: a joining node takes groups, and moves no other.
    #[test]
    fn only_the_lost_nodes_groups_move(
        groups in prop::collection::vec(any_address(), 1..50),
        before in prop::collection::btree_set("[a-z][a-z0-9]{0,8}", 1..12),
        lost in any::<prop::sample::Index>(),
    ) {
        let lost = lost.get(&before.iter().cloned().collect::<Vec<_>>()).clone();
        let mut after = before.clone();
        after.remove(&lost);
        for group in groups {
            let old = owner(group, &before).unwrap();
            prop_assert!(before.contains(old));
            if *old != lost {
                prop_assert_eq!(owner(group, &after), Some(old));
            }
        }
    }
}
