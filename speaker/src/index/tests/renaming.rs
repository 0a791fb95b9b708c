//! A Service that gets a lower address than it had: IPv4 beside IPv6, say.

use super::*;

const V6: &str = "fd00::240";

/// This node announces the Service with its IPv6 address.
fn mk_v6() -> Index {
    let mut index = mk_cluster();
    after(&mut index, Change::Apply(mk_service("web", &[V6])));
    index
}

/// What comes of a Service with these addresses before the speakers have said who owns what.
fn change(index: &mut Index, addresses: &[&str]) -> Vec<Effect> {
    index.handle(Change::Apply(mk_service("web", addresses)).into());
    index.settle()
}

fn former(effects: &[Effect], lowest: &str) -> Option<IpAddr> {
    let plan = effects.iter().find_map(|effect| match effect {
        Effect::Plan(plan) => Some(plan),
        _ => None,
    });
    plan.unwrap().groups[&lowest.parse().unwrap()].former
}

#[test]
fn the_plan_says_under_which_name_it_was_known_and_nothing_is_withdrawn() {
    let mut index = mk_v6();
    let effects = change(&mut index, &[VIP, V6]);
    assert_eq!(former(&effects, VIP), V6.parse().ok());
    assert_eq!(
        told(effects),
        [
            "table [172.21.5.240, fd00::240]",
            "announced default/web 172.21.5.240",
            ASSIGNED,
        ]
    );
    let effects = change(&mut index, &[V6]);
    assert_eq!(former(&effects, V6), VIP.parse().ok());
    assert_eq!(
        told(effects),
        [
            "table [fd00::240]",
            "withdrawn default/web 172.21.5.240 loadBalancerIPChanged",
            ASSIGNED,
        ]
    );
}

#[test]
fn a_name_that_another_group_has_already_is_no_new_one() {
    let mut index = mk_cluster();
    after(&mut index, Change::Apply(mk_slice("other", true)));
    after(&mut index, Change::Apply(mk_service("other", &["172.21.5.241"])));
    index.handle(Input::Owned(BTreeSet::from(["172.21.5.241".parse().unwrap()])));
    index.settle();
    index.handle(Change::Apply(mk_service("other", &[VIP, "172.21.5.241"])).into());
    let effects = told(index.settle());
    assert!(
        effects.contains(&"withdrawn default/other 172.21.5.241 notOwner".to_owned()),
        "another node has that group: {effects:?}"
    );
}
