use std::time::Duration;

use kube::api::ObjectMeta;

use super::*;

fn mk_seen(name: &str, version: u64, addresses: &[&str]) -> Seen {
    let assigned = if addresses.is_empty() {
        ("False", "NoAddressAvailable")
    } else {
        ("True", "Assigned")
    };
    Seen {
        uid: format!("uid-{name}"),
        name: name.to_owned(),
        version,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        assigned: Some((assigned.0.to_owned(), assigned.1.to_owned())),
        ..Seen::default()
    }
}

fn mk_model(all: &[Seen]) -> Model {
    let mut model = Model::default();
    model.handle(Instant::now(), Change::Snapshot(all.to_vec()));
    model
}

fn apply(model: &mut Model, seen: Seen) -> usize {
    model.handle(Instant::now(), Change::Apply(seen));
    model.violations().len()
}

#[test]
fn two_holders_are_one_violation_while_they_last() {
    let mut model = mk_model(&[mk_seen("a", 1, &["192.0.2.1"]), mk_seen("b", 2, &[])]);
    assert_eq!(apply(&mut model, mk_seen("b", 3, &["192.0.2.1"])), 1);
    assert_eq!(
        model.violations()[0].to_string(),
        "192.0.2.1 is held by Service a (version 1) and by Service b (version 3)"
    );
    assert_eq!(apply(&mut model, mk_seen("c", 4, &["192.0.2.2"])), 1);
    model.allow("uid-b", License::Change);
    assert_eq!(apply(&mut model, mk_seen("b", 5, &[])), 1);
    assert_eq!(apply(&mut model, mk_seen("b", 6, &["192.0.2.1"])), 2);
}

#[test]
fn one_sharing_key_allows_two_holders_and_two_keys_do_not() {
    let shared = |name, version, key: &str| Seen {
        sharing: Some(key.to_owned()),
        ..mk_seen(name, version, &["192.0.2.1"])
    };
    let mut model = mk_model(&[shared("a", 1, "k")]);
    assert_eq!(apply(&mut model, shared("b", 2, "k")), 0);
    assert_eq!(apply(&mut model, shared("c", 3, "other")), 2);
}

#[test]
fn one_sharing_key_allows_no_port_twice_and_no_two_backends_under_the_local_policy() {
    let shared = |name, version, port: i32, app: Option<&str>| Seen {
        sharing: Some("k".to_owned()),
        ports: [("TCP".to_owned(), port)].into(),
        local: app.map(|app| [("app".to_owned(), app.to_owned())].into()),
        ..mk_seen(name, version, &["192.0.2.1"])
    };
    for (other, violations) in [
        (shared("b", 2, 81, Some("a")), 0),
        (shared("b", 2, 80, Some("a")), 1),
        (shared("b", 2, 81, Some("b")), 1),
        (shared("b", 2, 81, None), 1),
    ] {
        let mut model = mk_model(&[shared("a", 1, 80, Some("a"))]);
        assert_eq!(apply(&mut model, other), violations);
    }
}

#[test]
fn services_of_all_namespaces_are_told_apart() {
    let of = |namespace: &str| {
        let metadata = ObjectMeta {
            name: Some("web".to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        };
        Seen::of(&Service {
            metadata,
            ..Service::default()
        })
    };
    assert_eq!(of(NAMESPACE).name, "web");
    assert_eq!(of("shop").name, "shop/web");
}

#[test]
fn an_address_that_changes_or_goes_needs_a_license() {
    let before = mk_seen("a", 1, &["192.0.2.1"]);
    for after in [mk_seen("a", 2, &["192.0.2.2"]), mk_seen("a", 2, &[])] {
        let mut model = mk_model(std::slice::from_ref(&before));
        assert_eq!(apply(&mut model, after.clone()), 1);
        let mut model = mk_model(std::slice::from_ref(&before));
        model.allow("uid-a", License::Change);
        assert_eq!(apply(&mut model, after), 0);
    }
    let mut model = mk_model(std::slice::from_ref(&before));
    assert_eq!(
        apply(&mut model, mk_seen("a", 2, &["192.0.2.1", "2001:db8::1"])),
        0
    );
}

#[test]
fn a_license_ends_with_its_version_however_late_the_watch_is() {
    let mut model = mk_model(&[mk_seen("a", 1, &["192.0.2.1"])]);
    model.allow("uid-a", License::Change);
    model.end_license("uid-a", 3);
    assert_eq!(apply(&mut model, mk_seen("a", 2, &[])), 0);
    assert_eq!(apply(&mut model, mk_seen("a", 3, &["192.0.2.2"])), 0);
    assert_eq!(apply(&mut model, mk_seen("a", 4, &["192.0.2.1"])), 1);
}

#[test]
fn a_service_that_goes_unasked_has_lost_its_address_by_watch_and_by_list() {
    let before = mk_seen("a", 1, &["192.0.2.1"]);
    for change in [
        Change::Delete(mk_seen("a", 2, &["192.0.2.1"])),
        Change::Snapshot(vec![]),
    ] {
        let mut model = mk_model(std::slice::from_ref(&before));
        model.handle(Instant::now(), change.clone());
        assert!(matches!(
            model.violations(),
            [Violation::Lost { after: None, .. }]
        ));
        let mut model = mk_model(std::slice::from_ref(&before));
        model.allow("uid-a", License::Change);
        model.handle(Instant::now(), change);
        assert_eq!(model.violations(), []);
    }
}

#[test]
fn a_service_made_anew_is_another_one() {
    let mut model = mk_model(&[mk_seen("a", 1, &["192.0.2.1"])]);
    model.allow("uid-a", License::Change);
    let again = Seen {
        uid: "uid-again".to_owned(),
        ..mk_seen("a", 3, &["192.0.2.1"])
    };
    model.handle(Instant::now(), Change::Snapshot(vec![again.clone()]));
    assert_eq!(model.violations(), []);
    assert_eq!(model.gaps(), 1);
    model.handle(Instant::now(), Change::Delete(again));
    assert_eq!(model.violations().len(), 1);
}

#[test]
fn who_tampers_with_a_status_doubles_no_address() {
    let mut model = mk_model(&[mk_seen("a", 1, &["192.0.2.1"]), mk_seen("b", 2, &["192.0.2.2"])]);
    model.allow("uid-b", License::Tamper);
    assert_eq!(apply(&mut model, mk_seen("b", 3, &["192.0.2.1"])), 0);
    assert_eq!(apply(&mut model, mk_seen("b", 4, &["192.0.2.2"])), 0);
    model.end_license("uid-b", 4);
    assert_eq!(apply(&mut model, mk_seen("a", 5, &["192.0.2.1", "192.0.2.2"])), 1);
}

#[test]
fn an_older_form_is_no_news() {
    let mut model = mk_model(&[mk_seen("a", 5, &["192.0.2.1"])]);
    assert_eq!(apply(&mut model, mk_seen("a", 4, &[])), 0);
    assert_eq!(model.seen("a").unwrap().version, 5);
}

#[test]
fn the_last_service_that_became_right_tells_the_time() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut model = mk_model(&[mk_seen("a", 1, &["192.0.2.1"]), mk_seen("b", 2, &[])]);
    model.expect(at(0), "a", Right::Address);
    model.expect(at(0), "b", Right::At("192.0.2.2".parse().unwrap()));
    model.expect(at(0), "c", Right::Answered);
    let wrong = model.all_right().unwrap_err();
    assert!(wrong.starts_with("2 Services are not right: b "), "{wrong}");
    model.handle(at(1), Change::Apply(mk_seen("b", 3, &["192.0.2.2"])));
    model.handle(at(2), Change::Apply(mk_seen("c", 4, &[])));
    model.handle(at(3), Change::Apply(mk_seen("c", 5, &[])));
    assert_eq!(model.all_right(), Ok(Some(at(2))));
    assert!(model.is_right_after("c", 4) && !model.is_right_after("c", 5));
    model.forget("c");
    assert_eq!(model.all_right(), Ok(Some(at(1))));
}
