use super::*;

#[test]
fn a_restart_moves_nothing_and_writes_nothing() {
    let services: Vec<Value> = (0..4)
        .map(|number| mk_service(&format!("s{number}"), number))
        .collect();
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &services);
    cluster.delete("s3");
    let before: Vec<String> = ["s0", "s1", "s2"].map(|name| cluster.shown(name)).to_vec();
    cluster.take_log();
    cluster.restart();
    assert!(cluster.take_log().is_empty());
    let after: Vec<String> = ["s0", "s1", "s2"].map(|name| cluster.shown(name)).to_vec();
    assert_eq!(before, after);
}

#[test]
fn what_is_held_is_adopted_before_anything_is_given() {
    // The one that waits is older, and would get the first address.
    let services = [mk_service("waits", 9), mk_holder("holds", 0, "10.0.0.0", "")];
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &services);
    assert_eq!(cluster.shown("holds"), "10.0.0.0 (p)");
    assert_eq!(cluster.shown("waits"), "10.0.0.1 (p)");
    let mut log = cluster.take_log();
    log.sort();
    assert_eq!(
        log,
        [
            "IPAllocated Assigned IP [\"10.0.0.1\"]",
            "patch holds",
            "patch waits"
        ]
    );
}

#[test]
fn nothing_is_decided_before_everything_is_listed() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.index = Index::new(mk_settings());
    cluster.input(Input::Lead(Some(LEAD)));
    let pools = cluster
        .pools
        .values()
        .map(|pool| serde_json::from_value(pool.clone()).unwrap())
        .collect();
    cluster.input(Input::Pools(Change::Reset(pools)));
    cluster.tell("s");
    cluster.input(Input::Namespaces(Change::Reset(vec![])));
    cluster.input(Input::Reservations(Change::Reset(vec![])));
    cluster.input(Input::Rivals(Change::Reset(vec![]).into()));
    assert!(cluster.pending.is_empty() && !cluster.index.is_deciding());
    let service = mk_view(&cluster.services["s"]);
    cluster.input(Input::Services(Change::Reset(vec![service])));
    cluster.settle();
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

#[test]
fn of_two_holders_the_worse_claim_moves_with_an_event() {
    let services = [
        mk_holder("older", 9, "10.0.0.5", ""),
        mk_holder("annotated", 5, "10.0.0.5", "p"),
        mk_holder("explicit", 0, "10.0.0.6", ""),
        mk_holder("other", 9, "10.0.0.6", "p"),
    ];
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &services);
    cluster.edit("explicit", asking_for("10.0.0.6"));
    cluster.take_log();
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    assert_eq!(cluster.shown("annotated"), "10.0.0.5 (p)");
    assert_eq!(cluster.shown("explicit"), "10.0.0.6 (p)");
    assert_eq!(cluster.shown("older"), "10.0.0.0 (p)");
    assert_eq!(cluster.shown("other"), "10.0.0.1 (p)");
    let log = cluster.take_log();
    let expected = "ClearAssignment current IP for \"ns/older\" not allowed by config, will attempt for new IP \
                    assignment: can't change sharing key for \"ns/older\", address also in use by ns/annotated";
    assert!(log.contains(&expected.to_owned()), "{log:?}");
    assert_eq!(
        log.iter().filter(|line| line.starts_with("IPAllocated")).count(),
        2
    );
}

#[test]
fn a_foreign_address_stays_until_a_pool_can_serve() {
    let mut cluster = Cluster::with(&[], &[mk_holder("s", 0, "172.21.5.11", "")]);
    assert_eq!(cluster.shown("s"), "172.21.5.11 (-)");
    assert_eq!(
        cluster.take_log(),
        [
            "patch s",
            "AllocationFailed Failed to allocate IP for \"ns/s\": no available IPs: there is no valid IPAddressPool for this service",
        ]
    );
    cluster.apply_pool(mk_pool("p", &["172.21.5.240-172.21.5.250"]));
    assert_eq!(cluster.shown("s"), "172.21.5.240 (p)");
    assert_eq!(
        cluster.take_log(),
        [
            "patch s",
            "ClearAssignment current IP for \"ns/s\" not allowed by config, will attempt for new IP assignment: \
             [\"172.21.5.11\"] is not allowed in config",
            "IPAllocated Assigned IP [\"172.21.5.240\"]",
        ]
    );
}

#[test]
fn a_pool_that_comes_later_takes_nothing_from_those_who_show_its_addresses() {
    let services = [mk_service("waits", 9), mk_holder("shows", 0, "10.0.0.0", "")];
    let mut cluster = Cluster::with(&[], &services);
    cluster.take_log();
    cluster.apply_pool(mk_pool("p", &["10.0.0.0/24"]));
    assert_eq!(cluster.shown("shows"), "10.0.0.0 (p)");
    assert_eq!(cluster.shown("waits"), "10.0.0.1 (p)");
    assert!(
        !cluster
            .take_log()
            .iter()
            .any(|line| line.starts_with("ClearAssignment"))
    );
}

#[test]
fn an_annotation_makes_an_address_ours_without_any_pool() {
    let mut deprecated = mk_holder("old", 0, "10.0.0.6", "");
    deprecated["metadata"]["annotations"] = json!({ "metallb.universe.tf/ip-allocated-from-pool": "p" });
    let services = [mk_holder("s", 0, "10.0.0.5", "p"), deprecated];
    let mut cluster = Cluster::with(&[], &services);
    assert_eq!(
        (cluster.shown("s").as_str(), cluster.shown("old").as_str()),
        ("10.0.0.5 (p)", "10.0.0.6 (p)")
    );
    assert!(
        cluster.services["old"]["metadata"]["annotations"]
            .get("metallb.universe.tf/ip-allocated-from-pool")
            .is_none()
    );
    assert!(
        cluster.assigned("s").starts_with("True PoolGone: keeps 10.0.0.5"),
        "{}",
        cluster.assigned("s")
    );
    // The pool comes back: nothing moves.
    cluster.take_log();
    cluster.apply_pool(mk_pool("p", &["10.0.0.0/24"]));
    assert_eq!(cluster.assigned("s"), "True Assigned: 10.0.0.5 from pool \"p\"");
    assert_eq!(cluster.take_log(), ["patch old", "patch s"]);
    cluster.apply(mk_service("new", 0));
    assert_eq!(cluster.shown("new"), "10.0.0.0 (p)");
}

/// While the controller runs, whoever writes a status gets no address by it that the pools would not give.
#[test]
fn a_status_that_somebody_writes_opens_no_pool() {
    let mut pinned = mk_pool("pinned", &["10.0.0.0/24"]);
    pinned["spec"]["serviceAllocation"] = json!({ "namespaces": ["prod"] });
    let mut careful = mk_pool("careful", &["10.0.1.0/24"]);
    careful["spec"]["avoidBuggyIPs"] = true.into();
    careful["spec"]["autoAssign"] = false.into();
    let mut cluster = Cluster::with(&[pinned, careful], &[mk_service("s", 5)]);
    let status = |address: &str| json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address }] } } });
    for annotation in [Value::Null, "pinned".into()] {
        for address in ["10.0.0.7", "10.0.1.0"] {
            let mut edit = status(address);
            edit["metadata"] = json!({ "annotations": { "metallb.io/ip-allocated-from-pool": annotation } });
            cluster.edit("s", edit);
            assert_eq!(cluster.shown("s"), " (-)", "{address} {annotation}");
            assert!(
                cluster.assigned("s").starts_with("False NoAddressAvailable"),
                "{}",
                cluster.assigned("s")
            );
        }
    }
    // Nor before the status is put right, when a pool changes.
    let mut service = cluster.services["s"].clone();
    merge(&mut service, &status("10.0.0.7"));
    cluster.put_service(service);
    cluster.tell("s");
    cluster.apply_pool(mk_pool("other", &["10.0.9.9/32"]));
    assert_eq!(cluster.shown("s"), "10.0.9.9 (other)");
    // What the pools would give may be had.
    cluster.delete("s");
    cluster.apply(mk_service("s", 5));
    cluster.delete("s");
    cluster.apply(mk_holder("s", 5, "10.0.1.7", ""));
    assert_eq!(cluster.shown("s"), "10.0.1.7 (careful)");
}

/// Its class changes, and changes back before the address is taken out of its status; its pool is for others by now.
#[test]
fn what_a_service_had_it_may_have_again() {
    let mut pool = mk_pool("p", &["10.0.0.0/24"]);
    let mut cluster = Cluster::with(std::slice::from_ref(&pool), &[mk_holder("s", 5, "10.0.0.7", "p")]);
    pool["spec"]["serviceAllocation"] = json!({ "namespaces": ["prod"] });
    cluster.apply_pool(pool);
    for class in [json!("other"), Value::Null] {
        let mut service = cluster.services["s"].clone();
        merge(&mut service, &json!({ "spec": { "loadBalancerClass": class } }));
        cluster.put_service(service);
        cluster.tell("s");
    }
    cluster.settle();
    assert_eq!(cluster.shown("s"), "10.0.0.7 (p)");
    // A start leaves everything as it is, whoever wrote it.
    cluster.restart();
    assert_eq!(cluster.shown("s"), "10.0.0.7 (p)");
}

/// The addresses may be another controller's by now, and stay. Without our condition the annotation may be MetalLB's.
#[test]
fn what_left_for_another_class_while_nobody_looked_loses_what_we_said_and_nothing_else() {
    let pools = [mk_pool("p", &["10.0.0.0/24"])];
    let services = [mk_service("s", 5), mk_holder("t", 4, "10.0.0.7", "p")];
    let mut cluster = Cluster::with(&pools, &services);
    let class = json!({ "spec": { "loadBalancerClass": "example.org/other" } });
    for name in ["s", "t"] {
        let mut service = cluster.services[name].clone();
        merge(&mut service, &class);
        if name == "t" {
            service["status"]["conditions"] = Value::Null;
        }
        cluster.put_service(service);
    }
    let said = cluster.services["s"]["status"]["conditions"].clone();
    let theirs = json!({ "type": "example.org/Ready", "status": "True", "reason": "Ready", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z" });
    cluster.services.get_mut("s").unwrap()["status"]["conditions"] = json!([theirs, said[0]]);
    cluster.take_log();
    cluster.restart();
    assert_eq!(cluster.take_log(), ["patch s"]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (-)");
    assert_eq!(cluster.services["s"]["status"]["conditions"], json!([theirs]));
    assert_eq!(cluster.shown("t"), "10.0.0.7 (p)");
    // Who says it again is another CortenLB, for that class.
    cluster.edit("s", json!({ "status": { "conditions": [said[0]] } }));
    assert_eq!(cluster.take_log(), [""; 0]);
}
