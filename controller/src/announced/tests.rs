//! [`mk_cluster`] is two nodes that can announce Service `default/web`, of which the placement gives n1 its address.

use super::*;
use k8s_openapi::api::core::v1;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

macro_rules! from_watch {
    ($($kind:ty => $variant:ident),*) => {
        $(impl From<Change<$kind>> for Input {
            fn from(change: Change<$kind>) -> Self {
                Self::$variant(change.into())
            }
        })*
    };
}

from_watch! {
    Node => Nodes, L2Advertisement => Advertisements, Pod => Speakers
}

impl From<Change<EndpointSlice>> for Input {
    fn from(change: Change<EndpointSlice>) -> Self {
        Self::Slices(Box::new(change.map(|slice| translate::slice(&slice))))
    }
}

impl From<Change<ServiceL2Status>> for Input {
    fn from(change: Change<ServiceL2Status>) -> Self {
        Self::Statuses(change.map(|status| Announcer::of(&status)))
    }
}

const VIP: &str = "172.21.5.241";

fn mk<T: serde::de::DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn web() -> ServiceKey {
    ServiceKey::new("default", "web")
}

fn mk_service(addresses: &[&str]) -> View {
    let ingress: Vec<_> = addresses.iter().map(|ip| json!({ "ip": ip })).collect();
    let service: v1::Service = mk(json!({
        "metadata": {
            "namespace": "default", "name": "web",
            "annotations": { "metallb.io/ip-allocated-from-pool": "pool" },
        },
        "spec": { "type": "LoadBalancer" },
        "status": { "loadBalancer": { "ingress": ingress } },
    }));
    View::of(&service, None)
}

fn mk_slice(ready: bool) -> EndpointSlice {
    mk(json!({
        "metadata": {
            "namespace": "default", "name": "web-1", "labels": { "kubernetes.io/service-name": "web" },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.1.1.1"], "nodeName": "n2", "conditions": { "ready": ready } }],
    }))
}

fn mk_node(name: &str, excluded: bool) -> Node {
    let label = "node.kubernetes.io/exclude-from-external-load-balancers";
    let labels = if excluded { json!({ label: "" }) } else { json!({}) };
    mk(json!({ "metadata": { "name": name, "labels": labels } }))
}

fn mk_speaker(node: &str, ready: &str) -> Pod {
    mk(json!({
        "metadata": { "namespace": "metallb-system", "name": format!("speaker-{node}") },
        "spec": { "nodeName": node, "containers": [] },
        "status": { "conditions": [{ "type": "Ready", "status": ready }] },
    }))
}

fn mk_advertisement(spec: Value) -> L2Advertisement {
    mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
        "metadata": { "namespace": "metallb-system", "name": "ad" }, "spec": spec,
    }))
}

fn mk_status(name: &str, node: &str) -> ServiceL2Status {
    mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
        "metadata": { "namespace": "metallb-system", "name": name },
        "spec": {},
        "status": { "node": node, "serviceName": "web", "serviceNamespace": "default" },
    }))
}

fn first_lists() -> Vec<Input> {
    vec![
        Change::Reset(vec![mk_slice(true)]).into(),
        Change::Reset(vec![mk_node("n1", false), mk_node("n2", false)]).into(),
        Change::Reset(vec![mk_advertisement(json!({}))]).into(),
        Change::Reset(vec![mk_speaker("n1", "True"), mk_speaker("n2", "True")]).into(),
        Change::Reset(Vec::<ServiceL2Status>::new()).into(),
    ]
}

/// The index after the first lists, its conditions taken.
fn mk_cluster() -> Announced {
    let mut announced = Announced::default();
    announced.services(&Change::Reset(vec![mk_service(&[VIP])]));
    announced.pools(&Change::Reset(vec![]));
    announced.rivals(&Change::Reset(vec![]));
    first_lists().iter().for_each(|input| announced.handle(input));
    announced.settle();
    announced
}

/// The condition of `web` as `status reason`, or `-` if it is to have none; nothing if nothing is news.
fn told(announced: &mut Announced) -> Vec<String> {
    let tell = |(key, condition): (ServiceKey, Option<Arc<Verdict>>)| {
        assert_eq!(key, web());
        condition.map_or_else(
            || "-".to_owned(),
            |condition| format!("{} {}", condition.status, condition.reason),
        )
    };
    announced.settle().into_iter().map(tell).collect()
}

fn after(announced: &mut Announced, input: impl Into<Input>) -> Vec<String> {
    announced.handle(&input.into());
    told(announced)
}

#[test]
fn nothing_is_said_before_every_watch_was_listed() {
    let mut announced = Announced::default();
    announced.services(&Change::Reset(vec![mk_service(&[VIP])]));
    assert_eq!(told(&mut announced), [""; 0]);
    announced.pools(&Change::Reset(vec![]));
    assert_eq!(told(&mut announced), [""; 0]);
    announced.rivals(&Change::Reset(vec![]));
    let mut inputs = first_lists();
    let last = inputs.pop().unwrap();
    for input in inputs {
        assert_eq!(after(&mut announced, input), [""; 0]);
    }
    assert_eq!(after(&mut announced, last), ["false WaitingForSpeaker"]);
    assert_eq!(
        announced.said[&web()].message,
        "one of these nodes is to announce the address, and none has said so yet: n1, n2 (if this lasts, see the \
         Service's events and the logs of the speakers there)"
    );
}

#[test]
fn the_owners_record_makes_it_true() {
    let mut announced = mk_cluster();
    assert_eq!(
        after(&mut announced, Change::Apply(mk_status("l2-a", "n9"))),
        [""; 0],
        "there is no such node"
    );
    assert_eq!(
        after(&mut announced, Change::Apply(mk_status("l2-b", "n1"))),
        ["true Announced"]
    );
    assert_eq!(
        announced.said[&web()].message,
        "announcing from node \"n1\" with protocol \"layer2\""
    );
    assert_eq!(
        after(&mut announced, Change::Delete(mk_status("l2-a", "n9"))),
        [""; 0]
    );
    assert_eq!(
        after(&mut announced, Change::Delete(mk_status("l2-b", "n1"))),
        ["false WaitingForSpeaker"]
    );
}

#[test]
fn a_record_without_status_says_nothing() {
    let mut announced = mk_cluster();
    let mut created = mk_status("l2-a", "n1");
    created.status = None;
    assert_eq!(after(&mut announced, Change::Apply(created)), [""; 0]);
}

#[test]
fn two_records_of_one_node_count_until_both_are_gone() {
    let mut announced = mk_cluster();
    let both = vec![mk_status("l2-a", "n1"), mk_status("l2-b", "n1")];
    assert_eq!(
        after(&mut announced, Change::Reset(both.clone())),
        ["true Announced"]
    );
    assert_eq!(after(&mut announced, Change::Reset(both)), [""; 0]);
    assert_eq!(
        after(&mut announced, Change::Delete(mk_status("l2-a", "n1"))),
        [""; 0]
    );
    assert_eq!(
        after(&mut announced, Change::Reset(Vec::<ServiceL2Status>::new())),
        ["false WaitingForSpeaker"]
    );
}

#[test]
fn a_failover_is_confirmed_by_the_new_owner() {
    let mut announced = mk_cluster();
    after(&mut announced, Change::Apply(mk_status("l2-a", "n1")));
    assert_eq!(
        after(&mut announced, Change::Apply(mk_speaker("n1", "False"))),
        [""; 0],
        "others answer in its name, or will say that they have it"
    );
    assert_eq!(
        after(&mut announced, Change::Apply(mk_status("l2-b", "n2"))),
        ["true Announced"]
    );
}

#[test]
fn each_reason_arrives_and_goes() {
    let excluded = |yes| Change::Reset(vec![mk_node("n1", yes), mk_node("n2", yes)]);
    let speakers = |ready| Change::Reset(vec![mk_speaker("n1", ready), mk_speaker("n2", ready)]);
    let rows: [(Input, Input, &str); 4] = [
        (
            Change::Apply(mk_slice(false)).into(),
            Change::Apply(mk_slice(true)).into(),
            "false NoEndpoints",
        ),
        (
            Change::Apply(mk_advertisement(json!({ "ipAddressPools": ["other"] }))).into(),
            Change::Apply(mk_advertisement(json!({}))).into(),
            "false NoAdvertisement",
        ),
        (
            excluded(true).into(),
            excluded(false).into(),
            "false AllNodesExcluded",
        ),
        (
            speakers("False").into(),
            speakers("True").into(),
            "false NoEligibleNode",
        ),
    ];
    let mut announced = mk_cluster();
    after(&mut announced, Change::Apply(mk_status("l2-a", "n1")));
    for (cause, cure, reason) in rows {
        assert_eq!(after(&mut announced, cause), [reason]);
        assert_eq!(after(&mut announced, cure), ["true Announced"]);
    }
}

#[test]
fn a_service_without_address_has_no_condition() {
    let mut announced = mk_cluster();
    announced.services(&Change::Apply(mk_service(&[])));
    assert_eq!(told(&mut announced), ["-"]);
    announced.services(&Change::Apply(mk_service(&[VIP])));
    assert_eq!(told(&mut announced), ["false WaitingForSpeaker"]);
    announced.services(&Change::Delete(mk_service(&[VIP])));
    assert_eq!(told(&mut announced), ["-"]);
    assert_eq!(told(&mut announced), [""; 0]);
}

#[test]
fn the_same_news_again_says_nothing() {
    let mut announced = mk_cluster();
    for input in first_lists() {
        assert_eq!(after(&mut announced, input), [""; 0]);
    }
}

#[test]
fn while_a_speaker_of_metallb_is_ready_that_is_the_reason() {
    let mut announced = mk_cluster();
    let mk_foreign = |ready: &str| -> Pod {
        mk(json!({
            "metadata": { "name": "metallb-a", "labels": { "app": "metallb", "component": "speaker" } },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }))
    };
    announced.rivals(&Change::Apply(mk_foreign("True")));
    assert_eq!(told(&mut announced), ["false MetalLBRunning"]);
    announced.rivals(&Change::Apply(mk_foreign("False")));
    assert_eq!(told(&mut announced), ["false WaitingForSpeaker"]);
}
