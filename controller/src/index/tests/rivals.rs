use super::*;

/// Another controller writes the status.
fn overwrite(cluster: &mut Cluster, address: &str) {
    cluster.edit(
        "s",
        json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address }] } } }),
    );
}

#[test]
fn a_stale_event_gives_no_second_address_and_no_second_write() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    let before = cluster.services["s"].clone();
    cluster.tell("s");
    // Told again while the write is under way, and once more, late, after its answer.
    cluster.tell("s");
    assert_eq!(cluster.pending.len(), 1);
    cluster.settle();
    cluster.input(Input::Services(Change::Apply(mk_view(&before))));
    cluster.settle();
    assert_eq!(
        cluster.take_log(),
        ["patch s", "IPAllocated Assigned IP [\"10.0.0.0\"]"]
    );
}

#[test]
fn after_a_conflict_the_newer_form_is_awaited_and_gets_the_same_address() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    // Somebody changes the object before the write arrives; the watch has not told yet.
    let mut changed = cluster.services["s"].clone();
    merge(&mut changed, &json!({ "metadata": { "labels": { "a": "b" } } }));
    cluster.put_service(changed);
    cluster.settle();
    assert_eq!(cluster.take_log(), ["conflict s"]);
    assert!(cluster.pending.is_empty(), "a refused write is never repeated");
    cluster.apply(mk_service("other", 0));
    assert_eq!(
        cluster.shown("other"),
        "10.0.0.1 (p)",
        "the address is kept meanwhile"
    );
    cluster.take_log();
    cluster.tell("s");
    cluster.settle();
    assert_eq!(
        cluster.take_log(),
        ["patch s", "IPAllocated Assigned IP [\"10.0.0.0\"]"]
    );
}

#[test]
fn a_conflict_whose_newer_form_is_known_is_decided_again_at_once() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let mut changed = cluster.services["s"].clone();
    merge(&mut changed, &asking_for("10.0.0.9"));
    cluster.put_service(changed);
    cluster.tell("s");
    cluster.settle();
    assert_eq!(
        cluster.take_log(),
        ["conflict s", "patch s", "IPAllocated Assigned IP [\"10.0.0.9\"]"]
    );
}

/// Its answer is lost, and what is sent again meets 409. The watch may tell of it before or after that.
#[test]
fn what_a_write_brought_is_told_though_it_meets_its_own_landing() {
    for told_before in [true, false] {
        let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
        cluster.put_service(mk_service("s", 0));
        cluster.tell("s");
        let write = cluster.pending.pop_front().unwrap();
        let Op::Patch { body, .. } = &write.op else {
            panic!("{write:?}")
        };
        let mut landed = cluster.services["s"].clone();
        merge(&mut landed, &body.read());
        cluster.put_service(landed);
        if told_before {
            cluster.tell("s");
        }
        assert_eq!(cluster.take_log(), [""; 0]);
        cluster.answer(write);
        cluster.tell("s");
        assert_eq!(
            cluster.take_log(),
            ["conflict s", "IPAllocated Assigned IP [\"10.0.0.0\"]"],
            "{told_before}"
        );
        cluster.tell("s");
        cluster.pass(Duration::from_secs(1));
        assert_eq!(cluster.take_log(), [""; 0]);
    }
}

#[test]
fn who_writes_back_three_times_within_a_minute_is_left_alone() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.take_log();
    for _ in 0..2 {
        overwrite(&mut cluster, "172.21.5.11");
        assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
        cluster.pass(Duration::from_secs(5));
    }
    cluster.take_log();
    overwrite(&mut cluster, "172.21.5.11");
    assert_eq!(cluster.shown("s"), "172.21.5.11 (-)");
    assert!(
        cluster.assigned("s").starts_with("False OtherController: "),
        "{}",
        cluster.assigned("s")
    );
    let log = cluster.take_log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(
        log[1].starts_with("OtherController another controller writes [172.21.5.11]"),
        "{log:?}"
    );
    // No fight over the condition either.
    let rival = json!({ "conditions": null, "loadBalancer": { "ingress": [{ "ip": "172.21.5.12" }] } });
    cluster.edit("s", json!({ "status": rival }));
    assert!(cluster.take_log().is_empty());
    // The user's word counts again.
    cluster.edit("s", asking_for("10.0.0.7"));
    assert_eq!(cluster.shown("s"), "10.0.0.7 (p)");
}

#[test]
fn who_writes_back_seldom_is_corrected_each_time() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    for _ in 0..6 {
        overwrite(&mut cluster, "172.21.5.11");
        assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
        cluster.pass(Duration::from_secs(31));
    }
}

#[test]
fn what_somebody_adds_to_our_entry_is_taken_out_once() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.take_log();
    for added in [
        json!({ "ipMode": "Proxy" }),
        json!({ "hostname": "lb.example.com" }),
        json!({ "ports": [{ "port": 80, "protocol": "TCP" }] }),
    ] {
        let mut entry = json!({ "ip": "10.0.0.0", "ipMode": "VIP" });
        merge(&mut entry, &added);
        cluster.edit(
            "s",
            json!({ "status": { "loadBalancer": { "ingress": [entry] } } }),
        );
        let right = json!([{ "ip": "10.0.0.0", "ipMode": "VIP" }]);
        assert_eq!(
            cluster.services["s"]["status"]["loadBalancer"]["ingress"], right,
            "{added}"
        );
        assert_eq!(cluster.take_log(), ["patch s"], "{added}");
        cluster.pass(Duration::from_secs(61));
    }
    assert_eq!(cluster.take_log(), [""; 0]);
}

/// As a mutating webhook does: what we write never arrives as it was sent.
#[test]
fn who_changes_each_write_on_its_way_is_left_alone() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let mut writes = 0;
    while let Some(write) = cluster.pending.pop_front() {
        let Op::Patch { body, .. } = &write.op else {
            panic!("{write:?}")
        };
        let mut service = cluster.services["s"].clone();
        merge(&mut service, &body.read());
        let entries = service["status"]["loadBalancer"]["ingress"].as_array_mut();
        for entry in entries.into_iter().flatten() {
            entry["ipMode"] = "Proxy".into();
        }
        cluster.put_service(service);
        writes += 1;
        assert!(writes < 10, "it is written again and again");
        let object = serde_json::from_value(cluster.services["s"].clone()).unwrap();
        cluster.answered(write, Ok(Some(Box::new(object))));
        cluster.tell("s");
    }
    assert_eq!(writes, 4);
    assert!(
        cluster.assigned("s").starts_with("False OtherController: "),
        "{}",
        cluster.assigned("s")
    );
}

#[test]
fn a_write_that_is_refused_for_good_is_repeated_seldom_or_when_the_object_changes() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let write = cluster.pending.pop_front().unwrap();
    let source = Box::new(kube::Error::LinesCodecMaxLineLengthExceeded);
    let refusal = Refusal::Rejected {
        target: write.target.clone(),
        source,
    };
    cluster.answered(write, Err(refusal));
    cluster.tell("s");
    assert!(cluster.pending.is_empty());
    assert_eq!(cluster.take_log(), ["failed"]);
    cluster.edit("s", json!({ "metadata": { "labels": { "a": "b" } } }));
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

#[test]
fn a_right_that_comes_late_is_noticed_without_any_change() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let write = cluster.pending.pop_front().unwrap();
    let refusal = Refusal::Rejected {
        target: write.target.clone(),
        source: Box::new(kube::Error::LinesCodecMaxLineLengthExceeded),
    };
    cluster.answered(write, Err(refusal));
    cluster.pass(Duration::from_secs(5));
    assert_eq!(cluster.shown("s"), " (-)");
    cluster.pass(Duration::from_secs(5));
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}
