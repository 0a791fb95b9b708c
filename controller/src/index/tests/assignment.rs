use super::*;

#[test]
fn one_patch_carries_address_annotation_and_condition() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let Some(write) = cluster.pending.front() else {
        panic!("nothing is written")
    };
    assert_eq!(write.target.to_string(), "Service ns/s");
    assert_eq!(
        write.op,
        Op::Patch {
            subresource: Some("status"),
            body: json!({
                "metadata": {
                    "resourceVersion": cluster.version.to_string(),
                    "annotations": { "metallb.io/ip-allocated-from-pool": "p" },
                },
                "status": {
                    "loadBalancer": { "ingress": [{ "ip": "10.0.0.0" }] },
                    "conditions": [{
                        "type": "cortenlb.io/AddressAssigned",
                        "status": "True",
                        "reason": "Assigned",
                        "message": "10.0.0.0 from pool \"p\"",
                        "lastTransitionTime": "1970-01-01T00:00:00Z",
                    }],
                },
            })
            .into(),
        }
    );
    // The Event follows when the write has landed, and the echo of the watch changes nothing.
    assert!(cluster.take_log().is_empty());
    cluster.settle();
    assert_eq!(
        cluster.take_log(),
        ["patch s", "IPAllocated Assigned IP [\"10.0.0.0\"]"]
    );
    cluster.tell("s");
    cluster.settle();
    assert!(cluster.take_log().is_empty());
}

#[test]
fn the_twelfth_waits_and_gets_the_first_address_set_free() {
    let pool = mk_pool("p", &["172.21.5.240-172.21.5.250"]);
    let services: Vec<Value> = (0..12)
        .map(|number| mk_service(&format!("s{number:02}"), 12 - number))
        .collect();
    let mut cluster = Cluster::with(&[pool], &services);
    let shown: Vec<String> = (0..11)
        .map(|number| cluster.shown(&format!("s{number:02}")))
        .collect();
    let expected: Vec<String> = (240..251).map(|last| format!("172.21.5.{last} (p)")).collect();
    assert_eq!(shown, expected);
    assert_eq!(cluster.shown("s11"), " (-)");
    assert_eq!(
        cluster.assigned("s11"),
        "False NoAddressAvailable: no available IPs: pool \"p\" has no free IPv4 address"
    );
    assert!(cluster.take_log().contains(
        &"AllocationFailed Failed to allocate IP for \"ns/s11\": no available IPs: pool \"p\" has no free IPv4 address"
            .to_owned()
    ));
    cluster.delete("s04");
    assert_eq!(
        cluster.take_log(),
        ["patch s11", "IPAllocated Assigned IP [\"172.21.5.244\"]"]
    );
    assert_eq!(cluster.shown("s11"), "172.21.5.244 (p)");
    assert_eq!(
        cluster.assigned("s11"),
        "True Assigned: 172.21.5.244 from pool \"p\""
    );
}

#[test]
fn an_address_asked_for_is_given_or_the_event_says_why_not() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    let mut asked = mk_service("a", 0);
    merge(&mut asked, &asking_for("10.0.0.77"));
    cluster.apply(asked);
    assert_eq!(cluster.shown("a"), "10.0.0.77 (p)");
    cluster.take_log();
    let mut taken = mk_service("b", 0);
    taken["spec"]["loadBalancerIP"] = "10.0.0.77".into();
    cluster.apply(taken);
    assert_eq!(
        cluster.take_log(),
        [
            "patch b",
            "AllocationFailed Failed to allocate IP for \"ns/b\": can't change sharing key for \"ns/b\", address \
             also in use by ns/a",
        ]
    );
    let mut outside = mk_service("c", 0);
    merge(&mut outside, &asking_for("10.9.9.9"));
    cluster.apply(outside);
    assert_eq!(
        cluster.take_log(),
        [
            "patch c",
            "AllocationFailed Failed to allocate IP for \"ns/c\": [\"10.9.9.9\"] is not allowed in config: no valid \
             IPAddressPool contains it",
        ]
    );
    // What is in the way goes.
    cluster.delete("a");
    assert_eq!(
        cluster.take_log(),
        ["patch b", "IPAllocated Assigned IP [\"10.0.0.77\"]"]
    );
}

#[test]
fn a_wish_that_cannot_be_met_keeps_the_address() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.take_log();
    cluster.edit("s", asking_for("10.9.9.9"));
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    assert_eq!(
        cluster.assigned("s"),
        "True AddressNotInPools: keeps 10.0.0.0, since what it asks for cannot be had: [\"10.9.9.9\"] is not allowed \
         in config: no valid IPAddressPool contains it"
    );
    assert_eq!(cluster.take_log().len(), 2);
    cluster.edit("s", asking_for("nonsense"));
    assert_eq!(
        cluster.take_log(),
        [
            "patch s",
            "LoadBalancerFailed invalid requested loadbalancer IPs: invalid metallb.io/loadBalancerIPs: \"nonsense\"",
        ]
    );
    cluster.edit("s", asking_for("10.0.0.9"));
    assert_eq!(
        cluster.take_log(),
        ["patch s", "IPAllocated Assigned IP [\"10.0.0.9\"]"]
    );
    assert_eq!(cluster.shown("s"), "10.0.0.9 (p)");
}

#[test]
fn the_second_family_is_an_additional_address() {
    let mut cluster = Cluster::with(
        &[mk_pool("p", &["10.0.0.0/24", "fd00::/120"])],
        &[mk_service("s", 0)],
    );
    cluster.take_log();
    let dual = json!({ "clusterIPs": ["10.96.0.1", "fd96::1"], "ipFamilyPolicy": "PreferDualStack" });
    cluster.edit("s", json!({ "spec": dual }));
    assert_eq!(
        cluster.take_log(),
        ["patch s", "IPAllocated Assigned additional IP \"fd00::\""]
    );
    assert_eq!(cluster.shown("s"), "10.0.0.0 fd00:: (p)");
    let starved = json!({ "clusterIPs": ["10.96.0.1"], "ipFamilyPolicy": "RequireDualStack" });
    cluster.edit("s", json!({ "spec": starved }));
    assert_eq!(cluster.shown("s"), "10.0.0.0 fd00:: (p)");
    assert_eq!(
        cluster.take_log(),
        [
            "patch s",
            "not enough clusterips Service requires dual stack but not enough clusterips [10.96.0.1]",
        ]
    );
}

#[test]
fn what_is_no_load_balancer_any_more_gives_its_address_back() {
    let services = [mk_service("a", 1), mk_service("b", 0)];
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/32"])], &services);
    cluster.take_log();
    cluster.edit("a", json!({ "spec": { "type": "ClusterIP" } }));
    let mut log = cluster.take_log();
    log.sort();
    assert_eq!(
        log,
        ["IPAllocated Assigned IP [\"10.0.0.0\"]", "patch a", "patch b"]
    );
    assert_eq!(
        (cluster.shown("a").as_str(), cluster.shown("b").as_str()),
        (" (-)", "10.0.0.0 (p)")
    );
    assert_eq!(cluster.assigned("a"), "");
    // One of another class is somebody else's from the start.
    let mut other = mk_service("c", 0);
    other["spec"]["loadBalancerClass"] = "x".into();
    cluster.apply(other);
    assert!(cluster.take_log().is_empty());
}

#[test]
fn a_service_deleted_and_created_anew_is_another_one() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.take_log();
    // The watch was interrupted and tells only the new one.
    let mut again = mk_service("s", 0);
    again["metadata"]["uid"] = "another".into();
    cluster.apply(again);
    assert_eq!(
        cluster.take_log(),
        ["patch s", "IPAllocated Assigned IP [\"10.0.0.0\"]"]
    );
}

#[test]
fn a_deprecated_annotation_is_told_when_something_changes() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    let mut service = mk_service("s", 0);
    service["metadata"]["annotations"] = json!({ "metallb.universe.tf/loadBalancerIPs": "10.0.0.3" });
    cluster.apply(service);
    assert_eq!(
        cluster.take_log(),
        [
            "patch s",
            "deprecatedAnnotation Service uses deprecated annotation metallb.universe.tf/loadBalancerIPs",
            "IPAllocated Assigned IP [\"10.0.0.3\"]",
        ]
    );
}
