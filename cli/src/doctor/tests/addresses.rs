//! Addresses that cannot be used, are not given, or are not announced.

use k8s_openapi::api::core::v1::Pod;

use super::*;
use crate::facts::Running;

#[test]
fn clb004_a_pool_has_addresses_of_nodes() {
    let with = |range: &'static str| found(|facts, _| facts.pools.push(mk_pool("more", &[range])));
    assert_eq!(
        with("172.21.5.12-172.21.5.20"),
        ["CLB004 Error: IPAddressPool more has addresses of nodes: 172.21.5.12 (n2), 172.21.5.13 (n3)"]
    );
    let none: [&str; 0] = [];
    assert_eq!(with("172.21.5.14-172.21.5.20"), none);
}

#[test]
fn clb005_a_pool_overlaps_the_network_of_pods() {
    let with = |range: &'static str| found(|facts, _| facts.pools.push(mk_pool("more", &[range])));
    assert_eq!(
        with("10.244.2.128/25"),
        ["CLB005 Error: IPAddressPool more overlaps the network of pods: 10.244.2.0/24 (n2)"]
    );
    let none: [&str; 0] = [];
    assert_eq!(with("10.245.0.0/24"), none);
}

#[test]
fn clb005_a_pool_overlaps_addresses_of_pods_of_a_plug_in_with_its_own_allocator() {
    let pod = |name: &str, host: bool, addresses: &[&str]| {
        let addresses: Vec<Value> = addresses.iter().map(|ip| json!({ "ip": ip })).collect();
        from(json!({
            "metadata": { "name": name, "namespace": "shop" },
            "spec": { "containers": [], "hostNetwork": host },
            "status": { "podIPs": addresses },
        }))
    };
    let with = |range: &'static str| {
        found(|facts, around| {
            for node in &mut facts.nodes[1..] {
                node.spec = None;
            }
            facts.pools.push(mk_pool("more", &[range]));
            let pods: [Pod; 3] = [
                pod("known", false, &["10.244.1.7"]),
                pod("a", false, &["192.168.7.4", "fd00::4"]),
                pod("speaker", true, &["172.21.6.12"]),
            ];
            around.running = pods.iter().filter_map(Running::of).collect();
        })
    };
    assert_eq!(
        with("192.168.0.0/16"),
        ["CLB005 Error: IPAddressPool more overlaps the network of pods: 192.168.7.4 (shop/a)"]
    );
    assert_eq!(
        with("fd00::/64"),
        ["CLB005 Error: IPAddressPool more overlaps the network of pods: fd00::4 (shop/a)"]
    );
    assert_eq!(
        with("10.244.0.0/16"),
        ["CLB005 Error: IPAddressPool more overlaps the network of pods: 10.244.1.0/24 (n1)"],
        "the pods of a network that is named are not named"
    );
    let none: [&str; 0] = [];
    assert_eq!(with("172.21.6.0/24"), none, "a pod on its node's network");
    assert_eq!(with("192.168.8.0/24"), none);
}

#[test]
fn clb006_a_pool_without_advertisement() {
    let told = found(|facts, _| {
        facts.pools.push(mk_pool("quiet", &["172.21.6.0/24"]));
        facts.advertisements = vec![mk_advertisement("one", json!({ "ipAddressPools": ["default"] }))];
    });
    assert_eq!(
        told,
        ["CLB006 Error: no L2Advertisement selects IPAddressPool quiet"]
    );
    let none: [&str; 0] = [];
    let by_label = found(|facts, _| {
        let mut pool = mk_pool("quiet", &["172.21.6.0/24"]);
        pool.metadata.labels = Some([("net".to_owned(), "a".to_owned())].into());
        facts.pools.push(pool);
        facts.advertisements = vec![
            mk_advertisement("one", json!({ "ipAddressPools": ["default"] })),
            mk_advertisement(
                "two",
                json!({ "ipAddressPoolSelectors": [{ "matchLabels": { "net": "a" } }] }),
            ),
        ];
    });
    assert_eq!(by_label, none);
    let served = found(|facts, _| facts.advertisements.clear());
    assert_eq!(
        served,
        ["CLB006 Error: no L2Advertisement selects IPAddressPool default"],
        "its Services are not told of once more"
    );
}

#[test]
fn clb013_an_address_that_somebody_else_has() {
    let with = |status: &'static str| {
        found(|facts, _| {
            facts.services = vec![mk_service("web", 1, |object| {
                has(object, "172.21.5.240", "default");
                object["status"]["conditions"] = json!([{
                    "type": "cortenlb.io/AddressConflict", "status": status, "reason": "InUseOnSegment",
                    "message": "172.21.5.240 is in use", "lastTransitionTime": "2026-03-01T10:00:00Z",
                }]);
            })];
        })
    };
    assert_eq!(
        with("True"),
        ["CLB013 Error: Service shop/web: 172.21.5.240 is in use"]
    );
    let none: [&str; 0] = [];
    assert_eq!(with("False"), none);
}

#[test]
fn clb013_an_address_that_a_station_claimed_within_the_last_hour() {
    let event = |uid: &str, component: &str, time: &str, message: &str| {
        from(json!({
            "metadata": { "name": "x" },
            "involvedObject": { "kind": "Service", "namespace": "shop", "name": "web", "uid": uid },
            "reason": "AddressClaimed",
            "reportingComponent": component,
            "lastTimestamp": time,
            "message": message,
        }))
    };
    let ours = |time: &str, message: &str| event("web", "metallb-speaker", time, message);
    let told = found(|_, around| {
        around.claims = vec![
            ours("2026-03-01T11:20:00Z", "02:00:5e:00:53:01 says that it has it"),
            ours("2026-03-01T11:55:00Z", "02:00:5e:00:53:02 says that it has it"),
            ours("2026-03-01T11:50:00Z", "02:00:5e:00:53:03 says that it has it"),
            event(
                "gone",
                "metallb-speaker",
                "2026-03-01T11:58:00Z",
                "of one that had the name before",
            ),
        ];
    });
    assert_eq!(
        told,
        ["CLB013 Error: Service shop/web: 02:00:5e:00:53:02 says that it has it (5m ago)"]
    );
    let none: [&str; 0] = [];
    let old = found(|_, around| around.claims = vec![ours("2026-03-01T10:59:59Z", "x")]);
    assert_eq!(old, none);
    let other = found(|_, around| around.claims = vec![event("web", "other", "2026-03-01T11:55:00Z", "x")]);
    assert_eq!(other, none, "it is no speaker of ours");
}

#[test]
fn what_the_speakers_tell_of_claims_is_found_by_its_reason() {
    let speakers = include_str!("../../../../speaker/src/index/conflict.rs");
    assert!(speakers.contains(&format!("\"{}\"", crate::facts::CLAIMED)));
}

#[test]
fn clb016_services_without_an_address() {
    let told = found(|facts, _| {
        facts.pools = vec![mk_pool("default", &["172.21.5.240/32"])];
        facts
            .services
            .extend([mk_service("a", 2, |_| {}), mk_service("b", 3, |_| {})]);
    });
    assert_eq!(
        told,
        ["CLB016 Error: no address (NoAddressAvailable): Service shop/a, shop/b"]
    );
}

#[test]
fn clb017_services_that_nobody_announces() {
    assert_eq!(
        found(|facts, _| facts.slices.clear()),
        ["CLB017 Warning: nobody announces (NoEndpoints): Service shop/web"]
    );
    let told = found(|facts, _| {
        for node in &mut facts.nodes {
            let label = "node.kubernetes.io/exclude-from-external-load-balancers".to_owned();
            node.metadata.labels = Some([(label, String::new())].into());
        }
    });
    assert_eq!(
        told,
        ["CLB017 Error: nobody announces (AllNodesExcluded): Service shop/web"]
    );
    let since = |time: &'static str| {
        found(|facts, _| {
            facts.announcers.clear();
            facts.services = vec![mk_service("web", 1, |object| {
                has(object, "172.21.5.240", "default");
                object["status"]["conditions"] = json!([{
                    "type": "cortenlb.io/Announced", "status": "False", "reason": "WaitingForSpeaker", "message": "x",
                    "lastTransitionTime": time,
                }]);
            })];
        })
    };
    assert_eq!(
        since("2026-03-01T11:59:00Z"),
        ["CLB017 Error: nobody announces (WaitingForSpeaker): Service shop/web"]
    );
    let none: [&str; 0] = [];
    assert_eq!(since("2026-03-01T11:59:50Z"), none, "a speaker may be about to");
}
