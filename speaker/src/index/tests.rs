//! [`mk_cluster`] is one node, n1, that can announce Service `default/web`; n2 has no speaker.

use super::*;
use cortenlb_crds::{IPAddressPool, ServiceL2Status};
use cortenlb_kit::write::{Op, Outcome};
use cortenlb_proto::cluster::NodeId;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

mod renaming;
mod takeover;

pub(super) const VIP: &str = "172.21.5.240";

fn mk<T: serde::de::DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

pub(super) fn mk_service(name: &str, addresses: &[&str]) -> Service {
    let ingress: Vec<_> = addresses.iter().map(|ip| json!({ "ip": ip })).collect();
    mk(json!({
        "metadata": {
            "namespace": "default", "name": name, "uid": format!("uid-of-{name}"),
            "annotations": { "metallb.io/ip-allocated-from-pool": "pool" },
        },
        "spec": { "type": "LoadBalancer" },
        "status": { "loadBalancer": { "ingress": ingress } },
    }))
}

fn mk_slice(service: &str, ready: bool) -> EndpointSlice {
    mk(json!({
        "metadata": {
            "namespace": "default", "name": format!("{service}-1"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.1.1.1"], "nodeName": "n2", "conditions": { "ready": ready } }],
    }))
}

fn mk_node(name: &str) -> Node {
    mk(json!({ "metadata": { "name": name } }))
}

fn mk_speaker(node: &str, ready: bool) -> Pod {
    mk(json!({
        "metadata": { "namespace": "metallb-system", "name": format!("speaker-{node}"), "uid": format!("pod-{node}") },
        "spec": { "nodeName": node, "containers": [] },
        "status": { "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] },
    }))
}

fn mk_pool() -> IPAddressPool {
    mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": { "namespace": "metallb-system", "name": "pool" },
        "spec": { "addresses": ["172.21.5.240-172.21.5.250"] },
    }))
}

fn mk_advertisement(spec: Value) -> L2Advertisement {
    mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
        "metadata": { "namespace": "metallb-system", "name": "ad" }, "spec": spec,
    }))
}

fn service(key: &Key) -> &ServiceKey {
    match key {
        Key::Service(service) => service,
        Key::State => panic!("no Service"),
    }
}

fn mk_status(node: &str) -> ServiceL2Status {
    mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
        "metadata": {
            "namespace": "metallb-system", "name": "l2-old", "uid": "u", "resourceVersion": "1",
            "labels": {
                "metallb.io/node": node,
                "metallb.io/service-name": "web",
                "metallb.io/service-namespace": "default",
            },
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "speaker-n1", "uid": "pod-n1" }],
        },
        "spec": {},
        "status": { "node": node, "serviceName": "web", "serviceNamespace": "default" },
    }))
}

/// As the watch reads them.
impl From<Change<Service>> for Input {
    fn from(change: Change<Service>) -> Self {
        change.map(|service| View::of(&service, None)).into()
    }
}

impl From<Change<EndpointSlice>> for Input {
    fn from(change: Change<EndpointSlice>) -> Self {
        change.map(|slice| translate::slice(&slice)).into()
    }
}

fn links(names: &[&str]) -> Input {
    Input::Links(names.iter().map(|name| (*name).to_owned()).collect())
}

/// The first list of every watch.
pub(super) fn first_lists() -> Vec<Input> {
    vec![
        Change::Reset(vec![mk_service("web", &[VIP])]).into(),
        Change::Reset(vec![mk_slice("web", true)]).into(),
        Change::Reset(vec![mk_node("n1"), mk_node("n2")]).into(),
        Change::Reset(vec![mk_speaker("n1", true)]).into(),
        Change::Reset(Vec::<Foreign>::new()).into(),
        Change::Reset(vec![mk_pool()]).into(),
        Change::Reset(vec![mk_advertisement(json!({}))]).into(),
        Change::Reset(Vec::<ServiceL2Status>::new()).into(),
        links(&["eth0"]),
    ]
}

pub(super) fn mk_index() -> Index {
    let me = Me {
        node: "n1".to_owned(),
        namespace: "metallb-system".to_owned(),
        pod: "speaker-n1".to_owned(),
    };
    Index::new(me, Liveness::Readiness)
}

/// The index after the first lists, its effects taken.
pub(super) fn mk_cluster() -> Index {
    let mut index = mk_index();
    first_lists().into_iter().for_each(|input| index.handle(input));
    settle(&mut index);
    index
}

pub(super) fn after(index: &mut Index, input: impl Into<Input>) -> Vec<String> {
    index.handle(input.into());
    told(settle(index))
}

/// Whether n1 is the one that can announce it.
fn is_own(group: &crate::l2::Group) -> bool {
    group.candidates.contains_key(&NodeId::of("n1"))
}

/// What comes of the inputs, when this node owns whatever it can announce.
fn settle(index: &mut Index) -> Vec<Effect> {
    let mut effects = index.settle();
    let plan = effects.iter().find_map(|effect| match effect {
        Effect::Plan(plan) => Some(plan.clone()),
        _ => None,
    });
    if let Some(plan) = plan {
        let own = plan.groups.iter().filter(|(_, group)| is_own(group));
        index.handle(Input::Owned(own.map(|(lowest, _)| *lowest).collect()));
        effects.extend(index.settle());
    }
    effects
}

/// The effects in words, all of them: so that a test says "and nothing else".
fn told(effects: Vec<Effect>) -> Vec<String> {
    let tell = |effect| match effect {
        Effect::Plan(plan) => {
            let own = plan.groups.values().filter(|group| is_own(group));
            let addresses = own.flat_map(|group| group.addresses.iter());
            let entries = addresses.map(|(address, scope)| match scope {
                Interfaces::All => format!("{address}"),
                Interfaces::Listed(names) => format!("{address} on {names:?}"),
            });
            format!("table [{}]", entries.collect::<Vec<_>>().join(", "))
        }
        Effect::Announced { service, address } => format!("announced {service} {address}"),
        Effect::Withdrawn {
            service,
            address,
            reason,
        } => format!("withdrawn {service} {address} {reason}"),
        Effect::Note(note) => {
            assert_eq!(
                note.involved.uid,
                note.involved.name.map(|name| format!("uid-of-{name}"))
            );
            format!("{:?} {}: {}", note.severity, note.reason, note.message)
        }
        Effect::Write(write) => match write.op {
            Op::Create { .. } => format!("create for {}", service(&write.key)),
            Op::Patch { subresource, .. } => {
                format!(
                    "patch {} for {}",
                    subresource.unwrap_or("object"),
                    service(&write.key)
                )
            }
            Op::Delete { .. } => format!("delete for {}", service(&write.key)),
            Op::Apply { .. } => format!("apply for {}", service(&write.key)),
        },
    };
    effects.into_iter().map(tell).collect()
}

const ASSIGNED: &str = "Normal nodeAssigned: announcing from node \"n1\" with protocol \"layer2\"";

#[test]
fn nothing_is_announced_before_everything_is_known() {
    for last in 0..first_lists().len() {
        let mut index = mk_index();
        let mut inputs = first_lists();
        let late = inputs.remove(last);
        for input in inputs {
            assert_eq!(after(&mut index, input), [""; 0]);
            assert!(!index.is_ready());
        }
        assert_eq!(
            after(&mut index, late),
            [
                "table [172.21.5.240]",
                "announced default/web 172.21.5.240",
                ASSIGNED,
                "create for default/web",
            ]
        );
        assert!(index.is_ready());
    }
}

#[test]
fn the_same_news_again_does_nothing() {
    let mut index = mk_cluster();
    for input in first_lists() {
        assert_eq!(after(&mut index, input), [""; 0]);
    }
}

#[test]
fn a_restart_that_changes_nothing_tells_nobody() {
    let mut index = mk_index();
    first_lists().into_iter().for_each(|input| index.handle(input));
    index.handle(Change::Reset(vec![mk_status("n1")]).into());
    assert_eq!(
        told(settle(&mut index)),
        ["table [172.21.5.240]", "announced default/web 172.21.5.240"]
    );
}

#[test]
fn a_takeover_is_told_and_recorded() {
    let mut index = mk_index();
    first_lists().into_iter().for_each(|input| index.handle(input));
    index.handle(Change::Reset(vec![mk_status("n2")]).into());
    assert_eq!(
        told(settle(&mut index)),
        [
            "table [172.21.5.240]",
            "announced default/web 172.21.5.240",
            ASSIGNED,
            "delete for default/web",
            "create for default/web",
        ]
    );
}

#[test]
fn a_service_without_endpoints_is_withdrawn_and_comes_back() {
    let mut index = mk_cluster();
    assert_eq!(
        after(&mut index, Change::Apply(mk_slice("web", false))),
        ["table []", "withdrawn default/web 172.21.5.240 NoEndpoints"]
    );
    assert_eq!(
        after(&mut index, Change::Apply(mk_slice("web", true))),
        [
            "table [172.21.5.240]",
            "announced default/web 172.21.5.240",
            ASSIGNED
        ]
    );
}

#[test]
fn a_deleted_service_is_withdrawn() {
    let mut index = mk_cluster();
    assert_eq!(
        after(&mut index, Change::Delete(mk_service("web", &[VIP]))),
        ["table []", "withdrawn default/web 172.21.5.240 serviceDeleted"]
    );
    assert!(index.uids.is_empty());
}

/// Of n1 and n2 the placement gives 172.21.5.241 to n1.
#[test]
fn a_service_goes_to_the_other_node_when_this_speaker_is_no_longer_ready() {
    let mut index = mk_cluster();
    index.handle(Change::Apply(mk_service("web", &["172.21.5.241"])).into());
    settle(&mut index);
    assert_eq!(after(&mut index, Change::Apply(mk_speaker("n2", true))), [""; 0]);
    assert_eq!(
        after(&mut index, Change::Apply(mk_speaker("n1", false))),
        ["table []", "withdrawn default/web 172.21.5.241 notOwner"]
    );
}

#[test]
fn changed_addresses_are_told_once() {
    let mut index = mk_cluster();
    assert_eq!(
        after(
            &mut index,
            Change::Apply(mk_service("web", &["172.21.5.241", "fd00:5::241"]))
        ),
        [
            "table [172.21.5.241, fd00:5::241]",
            "withdrawn default/web 172.21.5.240 loadBalancerIPChanged",
            "announced default/web 172.21.5.241",
            "announced default/web fd00:5::241",
            ASSIGNED,
        ]
    );
    // Their order is not news.
    assert_eq!(
        after(
            &mut index,
            Change::Apply(mk_service("web", &["fd00:5::241", "172.21.5.241"]))
        ),
        [""; 0]
    );
}

#[test]
fn listed_interfaces_that_do_not_exist_announce_nothing_until_one_appears() {
    let mut index = mk_cluster();
    let ad = |names: &[&str]| Change::Apply(mk_advertisement(json!({ "interfaces": names })));
    assert_eq!(
        after(&mut index, ad(&["eth0", "eth7"])),
        ["table [172.21.5.240 on {\"eth0\", \"eth7\"}]"]
    );
    assert_eq!(
        after(&mut index, ad(&["eth7"])),
        [
            "table []",
            "withdrawn default/web 172.21.5.240 noInterface",
            "Warning announceFailed: the interfaces specified by LB IP \"172.21.5.240\" doesn't exist in assigned \
             node \"n1\" with protocol \"layer2\"",
        ]
    );
    assert_eq!(after(&mut index, links(&["eth0", "eth6"])), [""; 0]);
    assert_eq!(
        after(&mut index, links(&["eth0", "eth7"])),
        [
            "table [172.21.5.240 on {\"eth7\"}]",
            "announced default/web 172.21.5.240",
            ASSIGNED
        ]
    );
}

#[test]
fn services_that_share_an_address_fill_one_entry() {
    let mut index = mk_cluster();
    index.handle(Change::Apply(mk_slice("dns", true)).into());
    assert_eq!(
        after(&mut index, Change::Apply(mk_service("dns", &[VIP]))),
        [
            "announced default/dns 172.21.5.240",
            ASSIGNED,
            "create for default/dns"
        ]
    );
    assert_eq!(
        after(&mut index, Change::Delete(mk_service("web", &[VIP]))),
        ["withdrawn default/web 172.21.5.240 serviceDeleted"]
    );
}

#[test]
fn an_outcome_leads_to_the_next_write() {
    let mut index = mk_index();
    first_lists().into_iter().for_each(|input| index.handle(input));
    let Some(Effect::Write(create)) = settle(&mut index).pop() else {
        panic!()
    };
    let mut created = mk_status("n1");
    created.status = None;
    let object = serde_json::from_value(serde_json::to_value(created).unwrap()).unwrap();
    let outcome = Outcome {
        write: create,
        term: 0,
        result: Ok(Some(Box::new(object))),
    };
    assert_eq!(
        after(&mut index, Input::Written(outcome)),
        ["patch status for default/web"]
    );
}

#[test]
fn an_advertisement_that_cannot_be_used_is_ignored_alone() {
    let mut index = mk_cluster();
    let bad = json!({ "nodeSelectors": [{ "matchExpressions": [{ "key": "k", "operator": "Is" }] }] });
    assert_eq!(
        after(&mut index, Change::Apply(mk_advertisement(bad.clone()))),
        ["table []", "withdrawn default/web 172.21.5.240 NoAdvertisement"]
    );
    assert!(index.any_ignored());
    after(&mut index, Change::Apply(mk_advertisement(json!({}))));
    assert!(!index.any_ignored());
    after(&mut index, Change::Apply(mk_advertisement(bad.clone())));
    after(&mut index, Change::Delete(mk_advertisement(bad)));
    assert!(!index.any_ignored());
}
