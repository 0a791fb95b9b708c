use super::*;

fn plan(name: &str, nodes: u8, nics: Nics) -> Plan {
    Plan {
        name: name.parse().unwrap(),
        nodes,
        nics,
        access: 7,
        audited: Vec::new(),
    }
}

#[test]
fn names_of_labs_are_parts_of_namespace_names() {
    for good in ["lab", "e2e3", "a-b", "abcdefghijklmnopqrst"] {
        assert!(good.parse::<LabName>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "Lab",
        "3lab",
        "-lab",
        "a/b",
        "a b",
        "../x",
        "abcdefghijklmnopqrstu",
    ] {
        assert_eq!(bad.parse::<LabName>(), Err(NameError::Lab(bad.to_owned())));
    }
}

#[test]
fn hosts_have_the_documented_addresses() {
    let addresses = |host: Host| {
        (
            host.ipv4(Segment::Vip).to_string(),
            host.ipv6(Segment::Vip).to_string(),
        )
    };
    let expected = |v4: &str, v6: &str| (v4.to_owned(), v6.to_owned());
    assert_eq!(addresses(Host::Router), expected("172.21.5.1", "fd00:5::1"));
    assert_eq!(
        addresses(Host::ControlPlane),
        expected("172.21.5.10", "fd00:5::10")
    );
    assert_eq!(addresses(Host::Node(1)), expected("172.21.5.11", "fd00:5::11"));
    assert_eq!(addresses(Host::Node(5)), expected("172.21.5.15", "fd00:5::15"));
    assert_eq!(addresses(Host::Client), expected("172.21.5.100", "fd00:5::100"));
    assert_eq!(
        Host::Node(2).mac(Segment::Management).to_string(),
        "02:21:06:00:00:0c"
    );
    assert_eq!(pod_ranges(Host::Node(3)), ["10.244.3.0/24", "fd00:244:0:3::/64"]);
}

#[test]
fn a_second_card_carries_the_cluster_and_leaves_clients_on_the_first() {
    let one = plan("lab", 3, Nics::One);
    assert_eq!(one.segments_of(Host::ControlPlane), [Segment::Vip]);
    assert_eq!(one.cluster_addresses(Host::Node(1))[0].to_string(), "172.21.5.11");
    let two = plan("lab", 3, Nics::Two);
    assert_eq!(two.segments_of(Host::ControlPlane), [Segment::Management]);
    assert_eq!(two.segments_of(Host::Client), [Segment::Vip]);
    assert_eq!(
        two.segments_of(Host::Node(1)),
        [Segment::Vip, Segment::Management]
    );
    assert_eq!(
        two.cluster_addresses(Host::Node(1)).map(|a| a.to_string()),
        ["172.21.6.11", "fd00:6::11"]
    );
}

#[test]
fn unknown_hosts_are_refused_with_what_there_is() {
    let plan = plan("lab", 2, Nics::One);
    assert_eq!(plan.host("n2"), Ok(Host::Node(2)));
    assert_eq!(
        plan.node("client"),
        Err(NameError::Node {
            node: "client".to_owned(),
            nodes: 2
        })
    );
    let error = plan.host("n3").unwrap_err().to_string();
    assert_eq!(
        error,
        "`n3` is not a host of this lab; its hosts are n1, n2, cp, client, router"
    );
}

#[test]
fn interface_names_fit_the_kernel() {
    let plan = Plan {
        access: u8::MAX,
        ..plan("abcdefghijklmnopqrst", 5, Nics::Two)
    };
    for host in plan.hosts() {
        for segment in plan.segments_of(host) {
            assert!(host.port(segment).len() <= 15);
        }
    }
    assert!(plan.access_interface().len() <= 15);
}

#[test]
fn a_smaller_lab_leaves_no_namespace_of_a_larger_one_unnamed() {
    let all = Plan::all_namespaces(&"x".parse().unwrap());
    assert_eq!(
        all,
        [
            "x-n1", "x-n2", "x-n3", "x-n4", "x-n5", "x-cp", "x-client", "x-router", "x-lan"
        ]
    );
}
