use super::*;
use crate::plan::Nics;

fn plan(nics: Nics) -> Plan {
    Plan {
        name: "lab".parse().unwrap(),
        nodes: 2,
        nics,
        access: 3,
        audited: Vec::new(),
    }
}

fn script(plan: &Plan, namespace: &str) -> Script {
    let mut scripts = scripts(plan).into_iter();
    scripts
        .find(|script| script.namespace.as_deref() == Some(namespace))
        .unwrap()
}

#[test]
fn a_node_has_both_families_a_gateway_and_a_way_to_the_other_nodes_pods() {
    let n1 = script(&plan(Nics::One), "lab-n1");
    assert_eq!(
        n1.commands,
        "link set lo up\n\
         link set eth0 up\n\
         addr add 172.21.5.11/24 dev eth0\n\
         addr add fd00:5::11/64 dev eth0 nodad\n\
         route add default via 172.21.5.1\n\
         route add default via fd00:5::1\n\
         route add 10.244.2.0/24 via 172.21.5.12\n\
         route add fd00:244:0:2::/64 via fd00:5::12\n"
    );
    assert!(n1.settings.contains("ipv4/ip_forward 1\n"));
}

#[test]
fn with_two_cards_pods_are_reached_over_the_management_segment() {
    let n1 = script(&plan(Nics::Two), "lab-n1");
    assert!(n1.commands.contains("addr add 172.21.6.11/24 dev eth1\n"));
    assert!(n1.commands.contains("route add 10.244.2.0/24 via 172.21.6.12\n"));
    assert!(n1.commands.contains("route add default via 172.21.5.1\n"));
    let cp = script(&plan(Nics::Two), "lab-cp");
    assert!(cp.commands.contains("addr add 172.21.6.10/24 dev eth1\n"));
    assert!(!cp.commands.contains("eth0"));
}

#[test]
fn nothing_leads_out_of_a_lab() {
    let cp = script(&plan(Nics::One), "lab-cp");
    assert!(cp.commands.contains("addr add 10.213.3.2/30 dev uplink\n"));
    assert!(!cp.commands.contains("default"));
    assert!(!cp.settings.contains("forward"));
    assert!(
        !script(&plan(Nics::One), "lab-router")
            .commands
            .contains("default")
    );
}

#[test]
fn every_cable_ends_on_a_bridge() {
    for nics in [Nics::One, Nics::Two] {
        let plan = plan(nics);
        let all = scripts(&plan);
        let cables = all.iter().filter(|script| script.namespace.is_none());
        let ports: Vec<String> = cables
            .flat_map(|script| script.commands.lines())
            .filter(|line| line.contains("netns lab-lan"))
            .map(|line| line.split(' ').nth(2).unwrap().to_owned())
            .collect();
        let bridges = script(&plan, "lab-lan").commands;
        assert_eq!(ports.len(), bridges.matches(" master ").count());
        for port in ports {
            assert!(bridges.contains(&format!("link set {port} master br")), "{port}");
        }
    }
}
