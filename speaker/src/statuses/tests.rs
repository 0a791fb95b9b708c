use super::*;
use cortenlb_core::name::ServiceKey;
use kube::api::DynamicObject;

fn mk_statuses() -> Statuses {
    let me = Me {
        node: "n1".to_owned(),
        namespace: "metallb-system".to_owned(),
        pod: "speaker-1".to_owned(),
    };
    let mut statuses = Statuses::new(me);
    statuses.set_pod_uid(Some("pod-uid".to_owned()));
    statuses
}

fn web() -> ServiceKey {
    ServiceKey::new("default", "web")
}

fn mk_json(name: &str, node: &str, version: u64, status: Value) -> Value {
    json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "ServiceL2Status",
        "metadata": {
            "name": name,
            "namespace": "metallb-system",
            "uid": format!("uid-of-{name}"),
            "resourceVersion": version.to_string(),
            "labels": {
                "metallb.io/node": node,
                "metallb.io/service-name": "web",
                "metallb.io/service-namespace": "default",
            },
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "speaker-1", "uid": "pod-uid" }],
        },
        "spec": {},
        "status": status,
    })
}

fn mk_status(node: &str, interfaces: &[&str]) -> Value {
    let interfaces: Vec<_> = interfaces.iter().map(|name| json!({ "name": name })).collect();
    json!({ "node": node, "serviceName": "web", "serviceNamespace": "default", "interfaces": interfaces })
}

fn mk_object(name: &str, node: &str, version: u64, status: Value) -> ServiceL2Status {
    serde_json::from_value(mk_json(name, node, version, status)).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What the writes do, in words.
fn ops(writes: &[Write<ServiceKey>]) -> Vec<String> {
    let op = |write: &Write<ServiceKey>| match &write.op {
        Op::Create { .. } => "create".to_owned(),
        Op::Patch { subresource, .. } => {
            format!("patch {} {}", subresource.unwrap_or("object"), write.target)
        }
        Op::Delete { .. } => format!("delete {}", write.target),
        Op::Apply { .. } => format!("apply {}", write.target),
    };
    writes
        .iter()
        .map(op)
        .map(|op| op.replace(" ServiceL2Status metallb-system/", " "))
        .collect()
}

fn done(write: &Write<ServiceKey>, answer: Option<Value>) -> Outcome<ServiceKey> {
    let object = answer.map(|answer| Box::new(serde_json::from_value::<DynamicObject>(answer).unwrap()));
    Outcome {
        write: write.clone(),
        term: 0,
        result: Ok(object),
    }
}

#[test]
fn an_owner_creates_the_object_and_then_writes_its_status() {
    let mut statuses = mk_statuses();
    let writes = statuses.reconcile(&web(), Some(&set(&["eth1"])), None);
    let [
        Write {
            op: Op::Create { body },
            ..
        },
    ] = &writes[..]
    else {
        panic!("{writes:?}")
    };
    assert_eq!(
        body.read(),
        json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ServiceL2Status",
            "metadata": {
                "generateName": "l2-",
                "namespace": "metallb-system",
                "labels": {
                    "metallb.io/node": "n1",
                    "metallb.io/service-name": "web",
                    "metallb.io/service-namespace": "default",
                },
                "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "speaker-1", "uid": "pod-uid" }],
            },
            "spec": {},
        })
    );

    // The watch may be faster than the answer; until the answer is here nothing more is written.
    statuses.apply(Change::Apply(mk_object("l2-abc", "n1", 5, Value::Null)));
    assert_eq!(statuses.reconcile(&web(), Some(&set(&["eth1"])), None), []);
    assert_eq!(
        statuses.written(&done(&writes[0], Some(mk_json("l2-abc", "n1", 5, Value::Null)))),
        Some(web())
    );

    let writes = statuses.reconcile(&web(), Some(&set(&["eth1"])), None);
    assert_eq!(ops(&writes), ["patch status l2-abc"]);
    let Op::Patch { body, .. } = &writes[0].op else {
        panic!()
    };
    assert_eq!(body.read(), json!({ "status": mk_status("n1", &["eth1"]) }));

    // The watch lags behind the answer: still nothing more.
    let answer = mk_json("l2-abc", "n1", 6, mk_status("n1", &["eth1"]));
    assert_eq!(statuses.written(&done(&writes[0], Some(answer))), Some(web()));
    assert_eq!(
        statuses.apply(Change::Apply(mk_object("l2-abc", "n1", 5, Value::Null))),
        [].into()
    );
    assert_eq!(statuses.reconcile(&web(), Some(&set(&["eth1"])), None), []);
}

#[test]
fn all_interfaces_take_the_earlier_ones_away() {
    let mut statuses = mk_statuses();
    statuses.apply(Change::Reset(vec![mk_object(
        "l2-a",
        "n1",
        1,
        mk_status("n1", &["eth1"]),
    )]));
    let writes = statuses.reconcile(&web(), Some(&set(&[])), None);
    assert_eq!(ops(&writes), ["patch status l2-a"]);
    let Op::Patch { body, .. } = &writes[0].op else {
        panic!()
    };
    assert_eq!(body.read()["status"]["interfaces"], Value::Null);
}

#[test]
fn an_owner_deletes_every_other_object_of_the_service() {
    let mut statuses = mk_statuses();
    let mine = mk_status("n1", &[]);
    statuses.apply(Change::Reset(vec![
        mk_object("l2-a", "n2", 1, mk_status("n2", &[])),
        mk_object("l2-b", "n1", 1, mine.clone()),
        mk_object("l2-c", "n1", 1, mine),
        // The label says one thing, the immutable status another.
        mk_object("l2-0", "n1", 1, mk_status("n3", &[])),
    ]));
    let writes = statuses.reconcile(&web(), Some(&set(&[])), None);
    assert_eq!(ops(&writes), ["delete l2-0", "delete l2-a", "delete l2-c"]);
    let Op::Delete {
        preconditions: Some(preconditions),
    } = &writes[0].op
    else {
        panic!()
    };
    assert_eq!(preconditions.uid.as_deref(), Some("uid-of-l2-0"));

    // Each outcome counts; only after the last is there more to decide, and then there is nothing.
    for write in &writes {
        assert_eq!(statuses.reconcile(&web(), Some(&set(&[])), None), []);
        statuses.written(&done(write, None));
    }
    assert_eq!(statuses.reconcile(&web(), Some(&set(&[])), None), []);
}

#[test]
fn another_node_deletes_only_its_own() {
    let mut statuses = mk_statuses();
    statuses.apply(Change::Reset(vec![
        mk_object("l2-a", "n2", 1, mk_status("n2", &[])),
        mk_object("l2-b", "n1", 1, mk_status("n1", &[])),
    ]));
    let writes = statuses.reconcile(&web(), None, None);
    assert_eq!(ops(&writes), ["delete l2-b"]);
    statuses.written(&done(&writes[0], None));
    assert_eq!(statuses.reconcile(&web(), None, None), []);
}

#[test]
fn an_object_of_an_earlier_pod_gets_a_new_owner() {
    let mut statuses = mk_statuses();
    statuses.apply(Change::Reset(vec![mk_object(
        "l2-a",
        "n1",
        1,
        mk_status("n1", &[]),
    )]));
    assert!(statuses.is_claimed_by_me(&web()));
    assert_eq!(statuses.reconcile(&web(), Some(&set(&[])), None), []);

    assert_eq!(statuses.set_pod_uid(Some("new-uid".to_owned())), [web()].into());
    let writes = statuses.reconcile(&web(), Some(&set(&[])), None);
    assert_eq!(ops(&writes), ["patch object l2-a"]);
    let Op::Patch { body, .. } = &writes[0].op else {
        panic!()
    };
    assert_eq!(body.read()["metadata"]["ownerReferences"][0]["uid"], "new-uid");
}

#[test]
fn an_object_deleted_by_hand_is_made_again() {
    let mut statuses = mk_statuses();
    let object = mk_object("l2-a", "n1", 1, mk_status("n1", &[]));
    statuses.apply(Change::Reset(vec![object.clone()]));
    assert_eq!(statuses.apply(Change::Delete(object)), [web()].into());
    assert_eq!(
        ops(&statuses.reconcile(&web(), Some(&set(&[])), None)),
        ["create"]
    );
}

#[test]
fn of_two_owners_the_one_whose_object_was_deleted_leaves_it_at_that() {
    let mut statuses = mk_statuses();
    let mine = mk_object("l2-mine", "n1", 1, mk_status("n1", &[]));
    let other = mk_object("l2-other", "n2", 2, mk_status("n2", &[]));
    statuses.apply(Change::Apply(mine.clone()));
    assert_eq!(ops(&statuses.reconcile(&web(), Some(&set(&[])), None)), [""; 0]);
    statuses.apply(Change::Apply(other.clone()));
    statuses.apply(Change::Delete(mine));
    assert_eq!(ops(&statuses.reconcile(&web(), Some(&set(&[])), None)), [""; 0]);
    // The other one is no owner any more.
    statuses.apply(Change::Delete(other));
    assert_eq!(
        ops(&statuses.reconcile(&web(), Some(&set(&[])), None)),
        ["create"]
    );
}

#[test]
fn who_comes_to_own_a_service_again_says_so_whatever_was_before() {
    let mut statuses = mk_statuses();
    let mine = mk_object("l2-mine", "n1", 1, mk_status("n1", &[]));
    let other = mk_object("l2-other", "n2", 2, mk_status("n2", &[]));
    statuses.apply(Change::Apply(mine.clone()));
    statuses.reconcile(&web(), Some(&set(&[])), None);
    statuses.apply(Change::Apply(other));
    statuses.apply(Change::Delete(mine));
    statuses.reconcile(&web(), None, None);
    let writes = statuses.reconcile(&web(), Some(&set(&[])), None);
    assert_eq!(ops(&writes), ["delete l2-other", "create"]);
}

#[test]
fn a_patch_of_an_object_that_is_gone_leads_to_a_new_one() {
    let mut statuses = mk_statuses();
    statuses.apply(Change::Reset(vec![mk_object("l2-a", "n1", 1, Value::Null)]));
    let writes = statuses.reconcile(&web(), Some(&set(&[])), None);
    let refusal = Refusal::NotFound {
        target: writes[0].target.clone(),
    };
    let outcome = Outcome {
        write: writes[0].clone(),
        term: 0,
        result: Err(refusal),
    };
    assert_eq!(statuses.written(&outcome), Some(web()));
    assert_eq!(
        ops(&statuses.reconcile(&web(), Some(&set(&[])), None)),
        ["create"]
    );
}

#[test]
fn what_the_api_server_refuses_is_not_tried_again_at_once() {
    let mut statuses = mk_statuses();
    let writes = statuses.reconcile(&web(), Some(&set(&[])), None);
    let refusal = Refusal::AlreadyExists {
        target: writes[0].target.clone(),
    };
    let outcome = Outcome {
        write: writes[0].clone(),
        term: 0,
        result: Err(refusal),
    };
    assert_eq!(statuses.written(&outcome), None);
}

#[test]
fn a_reset_forgets_what_it_does_not_list() {
    let mut statuses = mk_statuses();
    statuses.apply(Change::Reset(vec![mk_object(
        "l2-a",
        "n1",
        1,
        mk_status("n1", &[]),
    )]));
    assert_eq!(statuses.apply(Change::Reset(vec![])), [web()].into());
    assert!(!statuses.is_claimed_by_me(&web()));
}

#[test]
fn an_object_without_labels_concerns_nobody() {
    let mut statuses = mk_statuses();
    let mut object = mk_object("l2-a", "n1", 1, mk_status("n1", &[]));
    object.metadata.labels = None;
    assert_eq!(statuses.apply(Change::Reset(vec![object])), [].into());
    assert_eq!(statuses.reconcile(&web(), None, None), []);
}
