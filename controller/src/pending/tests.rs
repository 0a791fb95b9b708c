use cortenlb_kit::write::{Op, Priority, Refusal, Target, Write};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::*;

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

/// The answer to a write of the status of Service `name`.
fn mk_outcome(name: &str, status: &Value) -> Outcome<Key> {
    let object = serde_json::from_value(mk_service(name, status)).unwrap();
    Outcome {
        write: Write {
            key: Key::Service(ServiceKey::new("default", name)),
            priority: Priority::High,
            supersede: true,
            target: Target::of::<Service>(Some("default"), name),
            op: Op::Patch {
                subresource: Some("status"),
                body: json!({}).into(),
            },
        },
        term: 0,
        result: Ok(Some(Box::new(object))),
    }
}

fn at(milliseconds: u64) -> Instant {
    Instant(milliseconds * 1_000_000)
}

#[test]
fn an_address_takes_from_the_first_sight_to_the_answer() {
    let mut pending = Pending::default();
    let seen = Change::Apply(mk_view("web", &json!({})));
    pending.services(at(0), &seen);
    // Told again, it has waited all the same.
    pending.services(at(10), &seen);
    assert_eq!(pending.len(), 1);
    let refused = Outcome {
        result: Err(Refusal::Conflict {
            target: Target::of::<Service>(Some("default"), "web"),
        }),
        ..mk_outcome("web", &json!({}))
    };
    assert_eq!(pending.written(at(15), &refused), None);
    assert_eq!(pending.written(at(16), &mk_outcome("web", &json!({}))), None);
    assert_eq!(
        pending.written(at(20), &mk_outcome("web", &served())),
        Some(Duration::from_millis(20))
    );
    assert!(pending.is_empty());
    assert_eq!(pending.written(at(30), &mk_outcome("web", &served())), None);
}

#[test]
fn who_was_told_why_is_counted_and_not_measured() {
    let mut pending = Pending::default();
    pending.services(at(0), &Change::Apply(mk_view("web", &json!({}))));
    pending.services(at(1), &Change::Apply(mk_view("web", &refused())));
    assert_eq!(pending.len(), 1);
    assert_eq!(pending.written(at(9), &mk_outcome("web", &served())), None);
    assert!(pending.is_empty());
}

#[test]
fn who_goes_or_is_served_by_somebody_else_waits_no_more() {
    let mut pending = Pending::default();
    let none = json!({});
    let views = ["a", "b", "c", "d"].map(|name| mk_view(name, &none));
    pending.services(at(0), &Change::Reset(views.to_vec()));
    assert_eq!(pending.len(), 4);
    pending.services(at(1), &Change::Delete(mk_view("a", &none)));
    pending.services(at(2), &Change::Apply(mk_view("b", &served())));
    assert_eq!(pending.len(), 2);
    pending.services(at(3), &Change::Reset(vec![mk_view("d", &none)]));
    assert_eq!(pending.len(), 1);
}
