use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::*;

/// None of them has an address by the change.
const NONE: [Duration; 0] = [];

fn mk_service(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"] },
        "status": status,
    })
}

fn mk_view(name: &str, status: &Value) -> View {
    let service: Service = serde_json::from_value(mk_service(name, status)).unwrap();
    View::of(&service, None)
}

fn served() -> Value {
    json!({ "loadBalancer": { "ingress": [{ "ip": "172.21.5.240" }] } })
}

fn refused() -> Value {
    json!({ "conditions": [{
        "type": "cortenlb.io/AddressAssigned",
        "status": "False",
        "reason": "NoAddress",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] })
}

fn at(milliseconds: u64) -> Instant {
    Instant(milliseconds * 1_000_000)
}

#[test]
fn an_address_takes_from_the_first_sight_to_the_sight_of_it() {
    let mut pending = Pending::default();
    let seen = Change::Apply(mk_view("web", &json!({})));
    assert_eq!(pending.services(at(0), &seen), NONE);
    // Told again, it has waited all the same.
    assert_eq!(pending.services(at(10), &seen), NONE);
    assert_eq!(pending.len(), 1);
    let served = Change::Apply(mk_view("web", &served()));
    assert_eq!(pending.services(at(20), &served), [Duration::from_millis(20)]);
    assert!(pending.is_empty());
    // Once.
    assert_eq!(pending.services(at(30), &served), NONE);
}

#[test]
fn after_a_watch_break_the_list_tells_who_has_an_address_by_now() {
    let mut pending = Pending::default();
    let views = |a: &Value, b: &Value| vec![mk_view("a", a), mk_view("b", b)];
    let none = json!({});
    pending.services(at(0), &Change::Reset(views(&none, &none)));
    let allocated = pending.services(at(5), &Change::Reset(views(&served(), &none)));
    assert_eq!(allocated, [Duration::from_millis(5)]);
    assert_eq!(pending.len(), 1);
}

#[test]
fn who_was_told_why_is_counted_and_not_measured() {
    let mut pending = Pending::default();
    pending.services(at(0), &Change::Apply(mk_view("web", &json!({}))));
    pending.services(at(1), &Change::Apply(mk_view("web", &refused())));
    assert_eq!(pending.len(), 1);
    assert_eq!(
        pending.services(at(9), &Change::Apply(mk_view("web", &served()))),
        NONE
    );
    assert!(pending.is_empty());
}

#[test]
fn who_goes_or_wants_no_address_any_more_waits_no_more_and_is_not_measured() {
    let mut pending = Pending::default();
    let none = json!({});
    let views = ["a", "b", "c", "d"].map(|name| mk_view(name, &none));
    pending.services(at(0), &Change::Reset(views.to_vec()));
    assert_eq!(pending.len(), 4);
    let mut inside = mk_service("b", &none);
    inside["spec"]["type"] = "ClusterIP".into();
    let inside: Service = serde_json::from_value(inside).unwrap();
    for change in [
        Change::Delete(mk_view("a", &none)),
        Change::Apply(View::of(&inside, None)),
        Change::Reset(vec![mk_view("d", &none)]),
    ] {
        assert_eq!(pending.services(at(1), &change), NONE);
    }
    assert_eq!(pending.len(), 1);
}
