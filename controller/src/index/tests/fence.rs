//! A leader that follows another one waits until its watch has shown what that one gave, and after an expired Lease stamps
//! first, so that no late write lands.

use super::*;

const RELEASED: Lead = Lead {
    epoch: 7,
    predecessor: Predecessor::Released,
};

const EXPIRED: Lead = Lead {
    epoch: 7,
    predecessor: Predecessor::Expired,
};

impl Cluster {
    /// Answers all writes, without the watch telling of it.
    fn answer_silently(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(write) = self.pending.pop_front() {
            let (Key::Service(key) | Key::Stamp(key)) = write.key.clone() else {
                panic!("{write:?}")
            };
            let service = self.services.get_mut(key.name()).unwrap();
            let (Op::Patch { body, .. } | Op::Apply { body, .. } | Op::Create { body }) = &write.op else {
                panic!("{write:?}")
            };
            merge(service, &body.read());
            self.version += 1;
            service["metadata"]["resourceVersion"] = self.version.to_string().into();
            let result = Ok(Some(Box::new(serde_json::from_value(service.clone()).unwrap())));
            self.answered(write, result);
            names.push(key.name().to_owned());
        }
        names
    }

    fn epoch(&self, name: &str) -> &Value {
        &self.services[name]["metadata"]["annotations"]["cortenlb.io/epoch"]
    }
}

#[test]
fn who_has_no_address_is_stamped_before_anybody_gets_one() {
    let services = [
        mk_service("a", 5),
        mk_service("b", 4),
        mk_holder("held", 9, "10.0.0.0", "p"),
    ];
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &services);
    cluster.input(Input::Lead(Some(EXPIRED)));
    assert_eq!(cluster.answer_silently(), ["a", "b"]);
    assert_eq!(cluster.epoch("a"), "7.2", "the term, and the version before");
    assert!(cluster.epoch("held").is_null());
    // The answers are no proof: the watch may not have shown what was written before them.
    assert!(!cluster.index.is_deciding());
    cluster.tell("b");
    assert!(!cluster.index.is_deciding());
    cluster.tell("a");
    assert!(cluster.index.is_deciding());
    cluster.settle();
    assert_eq!(cluster.shown("a"), "10.0.0.1 (p)");
    assert_eq!(cluster.shown("b"), "10.0.0.2 (p)");
}

#[test]
fn a_late_write_from_before_the_stamp_is_refused() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/32"])], &[]);
    cluster.put_service(mk_service("late", 5));
    cluster.tell("late");
    let late = cluster.pending.pop_front().unwrap();
    // Another process leads, which never heard of that write.
    cluster.index = Index::new(mk_settings());
    cluster.put_service(mk_service("early", 9));
    cluster.list();
    cluster.input(Input::Lead(Some(EXPIRED)));
    cluster.settle();
    assert_eq!(cluster.shown("early"), "10.0.0.0 (p)");
    cluster.take_log();
    cluster.answer(late);
    assert_eq!(cluster.take_log(), ["conflict late"]);
    assert_eq!(cluster.shown("late"), " (-)");
}

#[test]
fn who_asks_for_another_address_than_it_has_is_stamped_too() {
    let mut wants = mk_holder("wants", 9, "10.0.0.5", "p");
    merge(&mut wants, &asking_for("10.0.0.6"));
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[wants]);
    cluster.input(Input::Lead(Some(EXPIRED)));
    assert_eq!(cluster.answer_silently(), ["wants"]);
    cluster.tell("wants");
    cluster.settle();
    assert_eq!(cluster.shown("wants"), "10.0.0.6 (p)");
}

#[test]
fn where_all_are_served_one_stamp_tells_how_far_the_watch_has_come() {
    let services = [
        mk_holder("s", 9, "10.0.0.0", "p"),
        mk_holder("t", 5, "10.0.0.1", "p"),
    ];
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &services);
    cluster.index = Index::new(mk_settings());
    cluster.list();
    cluster.input(Input::Lead(Some(EXPIRED)));
    assert_eq!(cluster.answer_silently(), ["s"]);
    assert!(!cluster.index.is_deciding());
    cluster.tell("s");
    assert!(cluster.index.is_deciding());
}

#[test]
fn who_appears_while_stamps_are_under_way_is_stamped_as_well() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("a", 5)]);
    cluster.input(Input::Lead(Some(EXPIRED)));
    cluster.put_service(mk_service("b", 9));
    cluster.tell("b");
    cluster.delete("a");
    assert!(cluster.index.is_deciding() && !cluster.epoch("b").is_null());
    assert_eq!(cluster.shown("b"), "10.0.0.0 (p)");
}

/// What the leader before gave last may not have been seen.
#[test]
fn after_a_release_the_watch_must_have_shown_what_is_listed() {
    let services = [mk_service("waits", 9), mk_service("served", 5)];
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/32"])], &services);
    cluster.put_service(mk_holder("served", 5, "10.0.0.0", "p"));
    cluster.input(Input::Lead(Some(RELEASED)));
    assert!(!cluster.index.is_deciding());
    cluster.answer_question();
    assert!(!cluster.index.is_deciding());
    cluster.tell("served");
    assert!(cluster.index.is_deciding());
    cluster.settle();
    assert!(cluster.epoch("waits").is_null() && cluster.epoch("served").is_null());
    assert_eq!(cluster.shown("served"), "10.0.0.0 (p)");
    assert_eq!(cluster.shown("waits"), " (-)");
}

#[test]
fn nothing_is_asked_where_nobody_led_and_nothing_is_stamped_where_no_service_is() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("a", 5)]);
    cluster.input(Input::Lead(Some(LEAD)));
    assert!(cluster.index.is_deciding());
    cluster.settle();
    assert!(cluster.epoch("a").is_null());
    for lead in [RELEASED, EXPIRED] {
        let mut empty = Cluster::following(&[], &[]);
        empty.input(Input::Lead(Some(lead)));
        assert!(!empty.index.is_deciding());
        empty.answer_question();
        assert!(empty.index.is_deciding());
    }
}

/// Nothing is to be seen, which may be since the watch hangs.
#[test]
fn who_sees_no_service_lists_them_and_waits_for_what_the_watch_has_not_shown() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &[]);
    for service in [
        mk_holder("held", 5, "10.0.0.0", "p"),
        mk_service("waits", 4),
        json!({ "metadata": { "name": "other", "namespace": "ns" }, "spec": { "type": "ClusterIP" } }),
    ] {
        cluster.put_service(service);
    }
    cluster.input(Input::Lead(Some(EXPIRED)));
    assert!(!cluster.index.is_deciding());
    cluster.answer_question();
    assert!(!cluster.index.is_deciding());
    cluster.tell("held");
    assert!(!cluster.index.is_deciding());
    cluster.tell("waits");
    assert_eq!(cluster.answer_silently(), ["waits"]);
    assert!(
        !cluster.index.is_deciding(),
        "a late write could still land on the one that waits"
    );
    cluster.tell("waits");
    assert!(cluster.index.is_deciding() && cluster.question.is_none());
    cluster.settle();
    assert_eq!(cluster.shown("waits"), "10.0.0.1 (p)");
    assert!(cluster.epoch("held").is_null());
}

/// The watch says so, and with it that it has come beyond what was listed.
#[test]
fn what_was_listed_and_is_deleted_is_not_waited_for() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &[mk_service("a", 5)]);
    cluster.put_service(mk_service("b", 4));
    cluster.input(Input::Lead(Some(RELEASED)));
    cluster.answer_question();
    assert!(!cluster.index.is_deciding());
    let mut gone = cluster.services.remove("b").unwrap();
    gone["metadata"]["resourceVersion"] = (cluster.version + 1).to_string().into();
    cluster.input(Input::Services(Change::Delete(mk_view(&gone))));
    assert!(cluster.index.is_deciding());
}

#[test]
fn what_was_listed_and_is_gone_before_the_watch_shows_it_is_listed_again() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &[]);
    cluster.put_service(mk_service("a", 5));
    cluster.input(Input::Lead(Some(EXPIRED)));
    cluster.answer_question();
    cluster.services.clear();
    cluster.pass(Duration::from_secs(4));
    assert!(!cluster.index.is_deciding());
    cluster.pass(Duration::from_secs(1));
    assert!(cluster.index.is_deciding());
}

#[test]
fn a_list_that_fails_is_tried_again_and_a_late_answer_counts_for_nothing() {
    let mut cluster = Cluster::following(&[], &[]);
    cluster.input(Input::Lead(Some(EXPIRED)));
    let question = cluster.question.take().unwrap();
    cluster.input(Input::Newest {
        question,
        newest: None,
    });
    assert!(!cluster.index.is_deciding() && cluster.question.is_none());
    cluster.now.boot = cluster.now.boot + Duration::from_millis(500);
    cluster.index.handle_timeout(cluster.now);
    cluster.collect();
    cluster.input(Input::Newest {
        question,
        newest: Some(0),
    });
    assert!(!cluster.index.is_deciding());
    cluster.answer_question();
    assert!(cluster.index.is_deciding());
}

/// A Service that the API server does not have shows that the watch is behind, and what else it has not shown is unknown.
#[test]
fn a_stamp_that_finds_no_service_is_no_proof() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &[mk_service("gone", 5)]);
    cluster.services.clear();
    cluster.put_service(mk_holder("unseen", 5, "10.0.0.0", "p"));
    cluster.input(Input::Lead(Some(EXPIRED)));
    let stamp = cluster.pending.pop_front().unwrap();
    cluster.answer(stamp);
    assert!(!cluster.index.is_deciding());
    cluster.settle();
    assert!(!cluster.index.is_deciding());
    cluster.tell("unseen");
    assert!(cluster.index.is_deciding());
}

#[test]
fn the_end_of_the_only_stamped_service_is_no_proof() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &[mk_service("a", 5)]);
    cluster.put_service(mk_holder("unseen", 5, "10.0.0.0", "p"));
    cluster.input(Input::Lead(Some(EXPIRED)));
    cluster.pending.clear();
    let gone = cluster.services.remove("a").unwrap();
    cluster.input(Input::Services(Change::Delete(mk_view(&gone))));
    assert!(!cluster.index.is_deciding());
    cluster.answer_question();
    assert!(!cluster.index.is_deciding());
    cluster.tell("unseen");
    assert!(cluster.index.is_deciding());
}

/// What refuses a stamp refuses a late write too, so that nothing is waited for but that all is known.
#[test]
fn a_service_whose_stamp_is_refused_holds_nobody_up() {
    let services = [mk_service("refused", 5)];
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &services);
    cluster.input(Input::Lead(Some(EXPIRED)));
    let write = cluster.pending.pop_front().unwrap();
    let refusal = Refusal::Rejected {
        target: write.target.clone(),
        source: Box::new(kube::Error::LinesCodecMaxLineLengthExceeded),
    };
    cluster.answered(write, Err(refusal));
    assert!(!cluster.index.is_deciding() && cluster.pending.is_empty());
    cluster.answer_question();
    assert!(cluster.index.is_deciding());
}

/// It holds an address and is seen for the first time, or anew, while others are stamped: a late write can move it.
#[test]
fn who_is_found_to_be_exposed_while_stamps_are_under_way_is_stamped_as_well() {
    let services = [mk_service("a", 5), mk_holder("held", 9, "10.0.0.5", "p")];
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &services);
    cluster.input(Input::Lead(Some(EXPIRED)));
    let mut asks = cluster.services["held"].clone();
    merge(&mut asks, &asking_for("10.0.0.6"));
    cluster.put_service(asks);
    cluster.tell("held");
    assert_eq!(cluster.answer_silently(), ["a"]);
    cluster.tell("a");
    assert!(!cluster.index.is_deciding());
    assert_eq!(cluster.answer_silently(), ["held"]);
    cluster.tell("held");
    assert!(cluster.index.is_deciding());
}

/// Whoever writes the object anew without the annotation hides a stamp that has landed: the watch may never show it.
#[test]
fn a_stamp_that_was_overwritten_before_it_was_seen_is_made_again() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("a", 5)]);
    cluster.input(Input::Lead(Some(EXPIRED)));
    assert_eq!(cluster.answer_silently(), ["a"]);
    cluster.put_service(mk_service("a", 5));
    cluster.tell("a");
    assert!(!cluster.index.is_deciding());
    cluster.settle();
    assert!(cluster.index.is_deciding());
    assert_eq!(cluster.shown("a"), "10.0.0.0 (p)");
}

/// A stamp that is there already changes nothing, and the watch tells of nothing.
#[test]
fn a_stamp_that_somebody_wrote_before_is_no_stamp() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    let version = cluster.version + 1;
    let mut forged = mk_service("a", 5);
    forged["metadata"]["annotations"] = json!({ "cortenlb.io/epoch": format!("7.{version}") });
    cluster.put_service(forged);
    cluster.list();
    cluster.input(Input::Lead(Some(EXPIRED)));
    // As the API server answers a patch that changes nothing.
    let write = cluster.pending.pop_front().unwrap();
    let object = serde_json::from_value(cluster.services["a"].clone()).unwrap();
    let result = Ok(Some(Box::new(object)));
    cluster.answered(write, result);
    assert!(!cluster.index.is_deciding());
    cluster.settle();
    assert!(cluster.index.is_deciding());
    assert_eq!(cluster.shown("a"), "10.0.0.0 (p)");
}

#[test]
fn the_answer_to_a_stamp_does_not_bring_a_deleted_service_back() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/32"])], &[mk_service("a", 5)]);
    cluster.input(Input::Lead(Some(EXPIRED)));
    let write = cluster.pending.pop_front().unwrap();
    let object = serde_json::from_value(cluster.services["a"].clone()).unwrap();
    cluster.delete("a");
    let result = Ok(Some(Box::new(object)));
    cluster.answered(write, result);
    cluster.settle();
    cluster.apply(mk_service("b", 1));
    assert_eq!(cluster.shown("b"), "10.0.0.0 (p)");
}

/// A pod of MetalLB's controller.
fn mk_metallb(phase: &str) -> k8s_openapi::api::core::v1::Pod {
    serde_json::from_value(json!({
        "metadata": {
            "name": "controller-x", "namespace": "metallb-system",
            "labels": { "app": "metallb", "component": "controller" },
        },
        "status": { "phase": phase },
    }))
    .unwrap()
}

#[test]
fn nothing_is_given_while_metallbs_controller_runs() {
    let pools = [mk_pool("p", &["10.0.0.0/24"])];
    let services = [mk_service("waits", 5), mk_holder("held", 9, "10.0.0.5", "p")];
    let mut cluster = Cluster::following(&pools, &services);
    cluster.input(Input::Rivals(Change::Reset(vec![mk_metallb("Running")]).into()));
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    assert!(!cluster.index.is_deciding());
    assert_eq!(cluster.shown("waits"), " (-)");
    assert_eq!(
        cluster.assigned("waits"),
        "False MetalLBRunning: no address is given while MetalLB's controller runs (pod controller-x): it goes when \
         its Deployment is replaced or deleted"
    );
    assert_eq!(
        cluster.take_log(),
        [
            "MetalLBRunning CortenLB gives no addresses while this controller of MetalLB runs",
            "patch waits"
        ]
    );
    // Its last write may be under way when it has gone: what it could land on is stamped.
    cluster.input(Input::Rivals(Change::Delete(mk_metallb("Running")).into()));
    cluster.settle();
    assert!(!cluster.epoch("waits").is_null(), "waits");
    assert!(cluster.epoch("held").is_null(), "held");
    assert_eq!(cluster.shown("waits"), "10.0.0.0 (p)");
    assert_eq!(cluster.shown("held"), "10.0.0.5 (p)");
}

#[test]
fn metallb_that_comes_back_stops_everything_and_one_that_has_ended_nothing() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.input(Input::Rivals(Change::Apply(mk_metallb("Succeeded")).into()));
    assert!(cluster.index.is_deciding());
    cluster.input(Input::Rivals(Change::Apply(mk_metallb("Running")).into()));
    assert!(!cluster.index.is_deciding());
    cluster.apply(mk_service("s", 5));
    assert_eq!(cluster.shown("s"), " (-)");
    cluster.input(Input::Rivals(Change::Reset(Vec::new()).into()));
    cluster.settle();
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

/// The term goes on meanwhile, and so do the writes that were sent in it.
#[test]
fn what_is_under_way_when_metallb_comes_is_answered_as_usual() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.settle();
    cluster.put_service(mk_service("s", 5));
    cluster.tell("s");
    let before = cluster.pending.len();
    cluster.take_log();
    cluster.input(Input::Rivals(Change::Apply(mk_metallb("Running")).into()));
    cluster.tell("s");
    assert_eq!(cluster.pending.len(), before, "no second write beside the first");
    cluster.settle();
    assert_eq!(
        cluster.take_log(),
        [
            "MetalLBRunning CortenLB gives no addresses while this controller of MetalLB runs",
            "patch s",
            "IPAllocated Assigned IP [\"10.0.0.0\"]"
        ]
    );
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    assert!(!cluster.index.is_deciding());
}

/// That it answers for addresses is of no consequence for who gets which.
#[test]
fn a_speaker_of_metallb_is_told_once_and_addresses_are_given() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    let speaker = |ready: &str| -> k8s_openapi::api::core::v1::Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "speaker-x", "namespace": "metallb-system",
                "labels": { "app": "metallb", "component": "speaker" },
            },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }] },
        }))
        .unwrap()
    };
    cluster.take_log();
    for ready in ["False", "True", "True"] {
        cluster.input(Input::Rivals(Change::Apply(speaker(ready)).into()));
    }
    assert_eq!(
        cluster.take_log(),
        ["MetalLBRunning CortenLB announces no addresses while this speaker of MetalLB runs"]
    );
    assert!(cluster.index.is_deciding());
    cluster.apply(mk_service("s", 5));
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}
