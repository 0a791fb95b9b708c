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
