use super::*;

fn at(second: i64) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
}

/// The object after a step, as the API server merges it.
fn applied(before: Option<ConfigurationState>, step: Step) -> ConfigurationState {
    let body = step.body;
    let mut object = before.map_or_else(|| json!({}), |before| serde_json::to_value(before).unwrap());
    for field in ["apiVersion", "kind", "status"] {
        if !body[field].is_null() {
            object[field] = body[field].clone();
        }
    }
    for (field, value) in body["metadata"].as_object().unwrap() {
        object["metadata"][field] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

/// Takes every step; returns the object and the number of steps.
fn settle(
    report: &mut Report,
    mut object: Option<ConfigurationState>,
    now: i64,
) -> (ConfigurationState, usize) {
    let mut steps = 0;
    while let Some(step) = report.poll(&at(now)) {
        object = Some(applied(object, step));
        report.answered(object.clone());
        steps += 1;
    }
    (object.unwrap(), steps)
}

#[test]
fn the_object_is_metallbs() {
    let mut report = Report::of_speaker("metallb-system", "n1");
    report.set_owner(Some(Pod {
        name: "speaker-x".to_owned(),
        uid: "uid".to_owned(),
    }));
    assert_eq!(report.poll(&at(0)), None, "nothing was judged");
    report.judge(Vec::new());
    assert_eq!(report.poll(&at(0)), None, "nothing was listed");
    report.see(None);
    let (object, steps) = settle(&mut report, None, 7);
    assert_eq!(steps, 2);
    assert_eq!(
        serde_json::to_value(&object).unwrap(),
        json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ConfigurationState",
            "metadata": {
                "name": "speaker-n1", "namespace": "metallb-system",
                "labels": { "metallb.io/component-type": "speaker", "metallb.io/node-name": "n1" },
                "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "speaker-x", "uid": "uid" }],
            },
            "status": {
                "result": "Valid",
                "conditions": [{
                    "type": "configReconcilerValid", "status": "True", "reason": "Reconciled", "message": "",
                    "lastTransitionTime": "1970-01-01T00:00:07Z",
                }],
            },
        })
    );
}

#[test]
fn each_object_at_fault_has_a_line() {
    let mut report = Report::of_controller("ns");
    report.see(None);
    report.judge(vec![
        "parsing address pool a: pool has no prefixes defined".to_owned(),
        "parsing address pool b: invalid CIDR".to_owned(),
    ]);
    let (object, _) = settle(&mut report, None, 7);
    let status = object.status.clone().unwrap();
    assert_eq!(status.result, Some(ConfigurationResult::Invalid));
    assert_eq!(
        status.error_summary,
        "configuration error: parsing address pool a: pool has no prefixes defined\n\
         configuration error: parsing address pool b: invalid CIDR"
    );
    let [condition] = &status.conditions[..] else {
        panic!("one condition");
    };
    assert_eq!(
        (
            condition.type_.as_str(),
            condition.reason.as_str(),
            &condition.message
        ),
        ("poolReconcilerValid", "ConfigurationError", &status.error_summary)
    );
    // Nothing happens: nothing is written. Another text is no transition.
    assert_eq!(report.poll(&at(99)), None);
    report.judge(vec![
        "parsing address pool a: pool has no prefixes defined".to_owned(),
    ]);
    let (object, steps) = settle(&mut report, Some(object), 99);
    assert_eq!(steps, 1);
    assert_eq!(object.status.unwrap().conditions[0].last_transition_time, at(7));
}

#[test]
fn an_object_that_is_deleted_or_edited_is_put_right() {
    let mut report = Report::of_controller("ns");
    report.judge(Vec::new());
    report.see(None);
    let (object, _) = settle(&mut report, None, 0);
    report.see(None);
    assert_eq!(settle(&mut report, None, 0).1, 2);
    let mut edited = object.clone();
    edited.status = None;
    report.see(Some(edited.clone()));
    assert_eq!(settle(&mut report, Some(edited), 0).1, 1);
    let mut unlabelled = object;
    unlabelled.metadata.labels = None;
    report.see(Some(unlabelled.clone()));
    assert_eq!(settle(&mut report, Some(unlabelled), 0).1, 1);
}

#[test]
fn what_is_refused_is_not_tried_again_until_something_changes() {
    let mut report = Report::of_controller("ns");
    report.judge(Vec::new());
    report.see(None);
    assert!(report.poll(&at(0)).is_some());
    report.answered(None);
    report.judge(Vec::new());
    assert_eq!(report.poll(&at(0)), None);
    report.judge(vec!["x".to_owned()]);
    assert!(report.poll(&at(0)).is_some());
}

#[test]
fn a_thousand_bad_objects_fit_into_one_condition() {
    let errors: Vec<String> = (0..1000)
        .map(|number| format!("parsing address pool {number}: {}", "x".repeat(90)))
        .collect();
    let message = message(&errors);
    assert!(
        message.len() <= MESSAGE && message.ends_with(" more"),
        "{}",
        message.len()
    );
    assert!(super::message(&["x".repeat(100_000)]).len() <= MESSAGE);
}
