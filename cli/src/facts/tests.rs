use super::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The namespace of the configuration.
pub(crate) const SYSTEM: &str = "metallb-system";

/// When the lists were made.
pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";

impl Facts {
    /// No object at all.
    pub(crate) fn none(now: Timestamp, system: &str) -> Self {
        Self {
            now,
            system: system.to_owned(),
            services: Vec::new(),
            slices: Vec::new(),
            namespaces: Vec::new(),
            nodes: Vec::new(),
            pods: Vec::new(),
            pools: Vec::new(),
            advertisements: Vec::new(),
            reservations: Vec::new(),
            announcers: Vec::new(),
            states: Vec::new(),
        }
    }
}

pub(crate) fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Three nodes with our speaker, a controller, a namespace `shop`, an eleven-address pool that everything announces.
pub(crate) fn mk_facts() -> Facts {
    let nodes = ["n1", "n2", "n3"];
    let speakers = nodes.iter().map(|node| mk_pod("speaker", node, true));
    Facts {
        namespaces: vec![from(json!({ "metadata": { "name": "shop" } }))],
        nodes: (1..=3).map(mk_node).collect(),
        pods: speakers.chain([mk_pod("controller", "n1", true)]).collect(),
        pools: vec![mk_pool("default", &["172.21.5.240-172.21.5.250"])],
        advertisements: vec![mk_advertisement("all", json!({}))],
        ..Facts::none(NOW.parse().unwrap(), SYSTEM)
    }
}

/// Node `n1`, `n2`, … with address 172.21.5.11, …
pub(crate) fn mk_node(number: u8) -> Node {
    from(json!({
        "metadata": { "name": format!("n{number}") },
        "spec": { "podCIDRs": [format!("10.244.{number}.0/24")] },
        "status": { "addresses": [{ "type": "InternalIP", "address": format!("172.21.5.{}", 10 + number) }] },
    }))
}

/// A pod of ours.
pub(crate) fn mk_pod(component: &str, node: &str, ready: bool) -> Pod {
    from(json!({
        "metadata": {
            "name": format!("{component}-{node}"),
            "namespace": SYSTEM,
            "labels": { "app": "metallb", "component": component, "cortenlb.io/component": component },
        },
        "spec": {
            "nodeName": node,
            "containers": [{ "name": component, "args": ["--port=9120"] }],
        },
        "status": { "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] },
    }))
}

pub(crate) fn mk_pool(name: &str, addresses: &[&str]) -> IPAddressPool {
    mk_pool_with(name, json!({ "addresses": addresses }))
}

pub(crate) fn mk_pool_with(name: &str, spec: Value) -> IPAddressPool {
    from(json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": name, "namespace": SYSTEM, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": spec,
    }))
}

pub(crate) fn mk_advertisement(name: &str, spec: Value) -> L2Advertisement {
    from(json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": { "name": name, "namespace": SYSTEM },
        "spec": spec,
    }))
}

/// A Service of type LoadBalancer in namespace `shop`, created at second `created` of its day, changed by `change`.
pub(crate) fn mk_service(name: &str, created: u8, change: impl FnOnce(&mut Value)) -> Service {
    let mut object = json!({
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": format!("2026-02-01T00:00:{created:02}Z"),
            "annotations": {},
            "labels": {},
        },
        "spec": {
            "type": "LoadBalancer",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{ "port": 80 }],
        },
    });
    change(&mut object);
    from(object)
}

/// One that has this address from this pool.
pub(crate) fn mk_served(name: &str, created: u8, address: &str, pool: &str) -> Service {
    mk_service(name, created, |object| has(object, address, pool))
}

/// Gives a Service under construction an address.
pub(crate) fn has(object: &mut Value, address: &str, pool: &str) {
    object["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"] = pool.into();
    object["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": address }] } });
}

/// A ready endpoint of a Service of `shop` on a node.
pub(crate) fn mk_slice(service: &str, node: &str) -> EndpointSlice {
    from(json!({
        "addressType": "IPv4",
        "metadata": {
            "name": format!("{service}-{node}"),
            "namespace": "shop",
            "labels": { "kubernetes.io/service-name": service },
        },
        "endpoints": [{ "addresses": ["10.244.1.2"], "nodeName": node, "conditions": { "ready": true } }],
    }))
}

/// The record of a speaker on `node` that it announces a Service of `shop` since 11:59.
pub(crate) fn mk_announcer(service: &str, node: &str) -> ServiceL2Status {
    from(json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "ServiceL2Status",
        "metadata": { "name": format!("l2-{service}"), "namespace": SYSTEM, "creationTimestamp": "2026-03-01T11:55:00Z" },
        "spec": {},
        "status": { "node": node, "serviceName": service, "serviceNamespace": "shop" },
    }))
}

#[test]
fn flags_are_read_however_they_are_written() {
    let container: Container = from(json!({
        "name": "x",
        "command": ["/controller"],
        "args": ["--lb-class=a=b", "--port", "9120", "--switch", "--last"],
    }));
    let flag = |name| flag(&container, name);
    assert_eq!(flag("lb-class").as_deref(), Some("a=b"));
    assert_eq!(flag("port").as_deref(), Some("9120"));
    assert_eq!(flag("switch").as_deref(), Some(""));
    assert_eq!(flag("last").as_deref(), Some(""));
    assert_eq!(flag("lb"), None);
}

#[test]
fn the_controllers_flags_decide_which_services_are_ours_and_what_pools_take_away() {
    let mut facts = mk_facts();
    assert_eq!(facts.settings(), Settings::default());
    let spec = facts.pods[3].spec.as_mut().unwrap();
    spec.containers[0].args = Some(vec![
        "--lb-class=lb.example/fast".to_owned(),
        "--reassign-on-pool-change".to_owned(),
    ]);
    let settings = facts.settings();
    assert_eq!(settings.class.as_deref(), Some("lb.example/fast"));
    assert!(settings.rules.reassign_on_pool_change);
}
