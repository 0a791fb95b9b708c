use super::*;
use crate::folder::Root;
use crate::plan::Nics;

fn plan(nics: Nics) -> (Plan, LabFolder) {
    let plan = Plan {
        name: "lab".parse().unwrap(),
        nodes: 3,
        nics,
        access: 0,
        audited: Vec::new(),
    };
    let folder = Root::at("/labs".into()).lab(&plan.name);
    (plan, folder)
}

#[test]
fn a_kubelet_has_addresses_of_both_families_on_the_clusters_segment() {
    for (nics, expected) in [
        (Nics::One, "--node-ip=172.21.5.12,fd00:5::12"),
        (Nics::Two, "--node-ip=172.21.6.12,fd00:6::12"),
    ] {
        let (plan, folder) = plan(nics);
        assert!(kubelet(&plan, &folder, Host::Node(2)).contains(&expected.to_owned()));
    }
}

#[test]
fn the_control_planes_proxy_goes_by_a_nodes_name() {
    let (_, folder) = plan(Nics::One);
    assert!(proxy(&folder, Host::ControlPlane).contains(&"--hostname-override=n1".to_owned()));
    assert!(proxy(&folder, Host::Node(3)).contains(&"--hostname-override=n3".to_owned()));
}

#[test]
fn every_file_of_a_node_lies_in_its_own_folder() {
    let (_, folder) = plan(Nics::One);
    let node = Host::Node(2);
    let files = [
        containerd_file(&folder, node),
        cni_file(&folder, node),
        kubelet_file(&folder, node),
    ];
    for file in files {
        assert!(file.contains("/labs/labs/lab/n2/"));
        assert!(!file.contains("/labs/labs/lab/n1/"));
    }
}

#[test]
fn pods_get_an_address_of_each_family() {
    let (_, folder) = plan(Nics::One);
    let config: serde_json::Value = serde_json::from_str(&cni_file(&folder, Host::Node(2))).unwrap();
    let ranges = &config["plugins"][0]["ipam"]["ranges"];
    assert_eq!(ranges[0][0]["subnet"], "10.244.2.0/24");
    assert_eq!(ranges[1][0]["subnet"], "fd00:244:0:2::/64");
}

#[test]
fn the_dns_binds_the_address_that_its_endpoint_names() {
    let (plan, folder) = plan(Nics::Two);
    assert!(corefile(&plan, &folder).contains("bind 172.21.6.10\n"));
}

#[test]
fn the_api_server_writes_down_what_audited_users_ask_for() {
    let (mut plan, folder) = plan(Nics::One);
    let flags = |plan: &Plan| {
        let words = apiserver(plan, &folder);
        words
            .into_iter()
            .filter(|word| word.starts_with("--audit-"))
            .count()
    };
    assert_eq!(flags(&plan), 0);
    plan.audited = vec!["system:serviceaccount:a:b".to_owned()];
    assert_eq!(flags(&plan), 3);
    assert!(apiserver(&plan, &folder).contains(&"--audit-log-maxsize=1000000".to_owned()));
    let policy: serde_json::Value = serde_json::from_str(&audit_policy(&plan)).unwrap();
    assert_eq!(policy["rules"][0]["users"][0], "system:serviceaccount:a:b");
    assert_eq!(policy["rules"][1]["level"], "None");
}
