use super::*;

/// Without an interface in the group's subnet.
fn elsewhere(number: u8) -> Ports {
    let mut ports = ports(number, true);
    ports.remove(&3);
    ports
}

fn on_link() -> Plan {
    let mut plan = plan();
    plan.groups.get_mut(&vip()).unwrap().on_link = true;
    plan
}

/// Nine such groups in one subnet.
fn nine_on_link() -> Plan {
    let mut plan = on_link();
    let group = plan.groups.remove(&vip()).unwrap();
    let groups = (0_u8..9).map(|number| {
        let lowest = IpAddr::from([172, 21, 5, 240 + number]);
        let addresses = [(lowest, Scope::All)].into();
        let group = Group {
            addresses,
            all: [lowest].into(),
            ..group.clone()
        };
        (lowest, group)
    });
    plan.groups = groups.collect();
    plan
}

/// For how many addresses each node answers.
fn shares(lan: &Lan) -> Vec<usize> {
    lan.tables.values().map(Table::len).collect()
}

#[test]
fn a_group_that_asks_for_nodes_in_its_subnet_is_answered_for_by_no_others() {
    let mut lan = Lan::with(&on_link(), elsewhere);
    assert_eq!(lan.answering(), []);
    let now = lan.now;
    lan.node(id(2)).set_ports(now, ports(2, true));
    lan.run(Duration::from_secs(2));
    assert_eq!(lan.answering(), [id(2)]);
    let now = lan.now;
    lan.node(id(2)).set_ports(now, ports(2, false));
    lan.run(Duration::from_secs(2));
    assert_eq!(
        lan.answering(),
        [id(2)],
        "without carrier it is in the subnet still"
    );
}

/// In the subnets of both addresses of a group of two.
fn ports_of_both(number: u8) -> Ports {
    let mut ports = ports(number, true);
    ports.insert(4, mk_attached(0x30 + number, true, &["fd00:5::/64"]));
    ports
}

#[test]
fn a_node_that_is_in_the_subnet_of_one_of_two_addresses_does_not_answer() {
    let other: IpAddr = "fd00:5::240".parse().unwrap();
    let mut plan = on_link();
    let group = plan.groups.get_mut(&vip()).unwrap();
    group.addresses.insert(other, Scope::All);
    group.all.insert(other);
    let only_other = |number| {
        let mut ports = ports_of_both(number);
        ports.remove(&3);
        ports
    };
    let second = |number| {
        if number == 2 {
            ports_of_both(number)
        } else {
            ports(number, true)
        }
    };
    let first = Lan::with(&plan, |number| ports(number, true));
    assert_eq!(first.answering(), []);
    assert_eq!(Lan::with(&plan, only_other).answering(), []);
    assert_eq!(Lan::with(&plan, second).answering(), [id(2)]);
}

#[test]
fn who_is_not_in_the_subnet_of_an_address_that_comes_later_gives_the_group_away() {
    let mut lan = Lan::with(&on_link(), |number| ports(number, true));
    let owner = lan.answering()[0];
    let next = id(number_of(owner) % 3 + 1);
    let mut plan = on_link();
    let other = "fd00:5::240".parse().unwrap();
    plan.groups.get_mut(&vip()).unwrap().all.insert(other);
    let now = lan.now;
    lan.node(next).set_ports(now, ports_of_both(number_of(next)));
    for node in lan.nodes.values_mut() {
        node.set_plan(now, plan.clone());
    }
    lan.run(Duration::from_secs(2));
    assert_eq!(lan.answering(), [next]);
}

#[test]
fn any_node_answers_for_another_group() {
    let lan = Lan::with(&plan(), elsewhere);
    assert_eq!(lan.answering().len(), 1);
}

#[test]
fn the_plan_may_begin_and_cease_to_ask_for_that() {
    let mut lan = Lan::with(&plan(), elsewhere);
    for (plan, answering) in [(on_link(), 0), (plan(), 1)] {
        let now = lan.now;
        for node in lan.nodes.values_mut() {
            node.set_plan(now, plan.clone());
        }
        lan.run(Duration::from_secs(8));
        assert_eq!(lan.answering().len(), answering);
    }
}

#[test]
fn speakers_that_begin_one_after_another_share_the_groups_that_ask_for_that() {
    let mut lan = Lan::empty();
    for number in 1..=3 {
        lan.start(number, &nine_on_link(), ports(number, true));
        // Long enough to find itself alone.
        lan.run(Duration::from_millis(1_500));
    }
    lan.run(Duration::from_secs(3));
    assert_eq!(shares(&lan), [3, 3, 3]);
}

#[test]
fn who_hears_of_such_groups_a_moment_later_gets_its_share() {
    let groups = BTreeMap::new();
    let mut lan = Lan::with(&Plan { groups, ..on_link() }, |number| ports(number, true));
    // The placer first: none tells of the prefix before it knows of a group there.
    let ids: Vec<NodeId> = lan.nodes.keys().copied().collect();
    for id in ids {
        let now = lan.now;
        lan.node(id).set_plan(now, nine_on_link());
        lan.run(50 * MILLISECOND);
    }
    lan.run(Duration::from_secs(2));
    assert_eq!(shares(&lan), [3, 3, 3]);
}
