use super::*;
use cortenlb_crds::ServiceL2Status;
use serde_json::{Value, json};

const FOUND: &str = "172.21.5.240=02:00:5e:00:53:01";

fn mk_object(name: &str, contested: &str, announces: bool) -> Announcer {
    let status = json!({ "node": "n1", "serviceName": "web", "serviceNamespace": "default" });
    let object: ServiceL2Status = serde_json::from_value(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
        "metadata": {
            "name": name,
            "labels": { "metallb.io/service-name": "web", "metallb.io/service-namespace": "default" },
            "annotations": { "cortenlb.io/address-conflict": contested },
        },
        "spec": {},
        "status": if announces { status } else { Value::Null },
    }))
    .unwrap();
    Announcer::of(&object)
}

fn mk_listed(objects: Vec<Announcer>) -> Conflicts {
    let mut conflicts = Conflicts::default();
    assert_eq!(conflicts.settle(), None);
    conflicts.statuses(&Change::Reset(objects));
    conflicts
}

fn shown(conflicts: &mut Conflicts) -> Option<Vec<String>> {
    let known = conflicts.settle()?;
    let texts = known.into_iter().map(|(key, found)| format!("{key} {found:?}"));
    Some(texts.collect())
}

fn found() -> Option<Vec<String>> {
    Some(vec![
        r#"default/web {172.21.5.240: "02:00:5e:00:53:01"}"#.to_owned(),
    ])
}

#[test]
fn nothing_is_said_before_all_is_listed_and_then_even_that_there_is_nothing() {
    let mut conflicts = Conflicts::default();
    conflicts.statuses(&Change::Apply(mk_object("a", FOUND, false)));
    assert_eq!(shown(&mut conflicts), None);
    assert_eq!(shown(&mut mk_listed(vec![])), Some(vec![]));
    assert_eq!(shown(&mut mk_listed(vec![mk_object("a", FOUND, false)])), found());
}

#[test]
fn what_a_speaker_says_is_true_until_one_says_otherwise() {
    let mut conflicts = mk_listed(vec![mk_object("a", FOUND, false)]);
    assert_eq!(shown(&mut conflicts), found());
    conflicts.statuses(&Change::Apply(mk_object("a", FOUND, false)));
    // The pod is gone, and another node has an object of old.
    conflicts.statuses(&Change::Delete(mk_object("a", FOUND, false)));
    conflicts.statuses(&Change::Apply(mk_object("b", "", false)));
    assert_eq!(shown(&mut conflicts), None);
    conflicts.statuses(&Change::Apply(mk_object("b", "", true)));
    assert_eq!(shown(&mut conflicts), Some(vec![]));
    conflicts.statuses(&Change::Apply(mk_object("a", FOUND, true)));
    assert_eq!(shown(&mut conflicts), found());
    conflicts.statuses(&Change::Apply(mk_object("a", "", false)));
    assert_eq!(shown(&mut conflicts), Some(vec![]));
}

#[test]
fn it_goes_with_the_service() {
    let service = |name: &str| {
        let object = json!({ "metadata": { "namespace": "default", "name": name } });
        View::of(&serde_json::from_value(object).unwrap(), None)
    };
    let gone = [
        Change::Delete(service("web")),
        Change::Reset(vec![service("other")]),
    ];
    for change in gone {
        let mut conflicts = mk_listed(vec![mk_object("a", FOUND, false)]);
        conflicts.services(&Change::Apply(service("web")));
        conflicts.services(&Change::Reset(vec![service("web")]));
        assert_eq!(shown(&mut conflicts), found());
        conflicts.services(&change);
        assert_eq!(shown(&mut conflicts), Some(vec![]));
    }
}
