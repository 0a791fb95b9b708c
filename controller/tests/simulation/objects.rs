//! What users create, and how it is read.

use std::net::IpAddr;

use serde_json::{Value, json};

/// The collection of Services.
pub(crate) const SERVICES: &str = "/api/v1/namespaces/ns/services/";
/// The collection of pools.
pub(crate) const POOLS: &str = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/";
/// The Lease of the controllers.
pub(crate) const LEASE: &str =
    "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/metallb-controller";

/// The annotation that asks for addresses.
pub(crate) const ASKED: &str = "metallb.io/loadBalancerIPs";

pub(crate) fn service_path(name: &str) -> String {
    format!("{SERVICES}{name}")
}

pub(crate) fn pool_path(name: &str) -> String {
    format!("{POOLS}{name}")
}

/// A Service of type LoadBalancer; `created` in seconds orders by age.
pub(crate) fn mk_service(created: u32) -> Value {
    let (minutes, seconds) = (created / 60, created % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "creationTimestamp": format!("2026-01-01T{hours:02}:{minutes:02}:{seconds:02}Z") },
        "spec": { "type": "LoadBalancer", "clusterIPs": ["10.96.0.1"], "ports": [{ "port": 80 }] },
    })
}

pub(crate) fn mk_pool(addresses: &[&str]) -> Value {
    json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {},
        "spec": { "addresses": addresses },
    })
}

/// The wish for an address, as a patch.
pub(crate) fn asking_for(address: impl Into<Value>) -> Value {
    json!({ "metadata": { "annotations": { ASKED: address.into() } } })
}

pub(crate) fn is_load_balancer(service: &Value) -> bool {
    service["spec"]["type"] == "LoadBalancer"
}

/// The addresses in a Service's status.
pub(crate) fn shown(service: &Value) -> Vec<IpAddr> {
    let entries = service.pointer("/status/loadBalancer/ingress");
    let entries = entries.and_then(Value::as_array).into_iter().flatten();
    entries
        .filter_map(|entry| entry["ip"].as_str()?.parse().ok())
        .collect()
}

/// An annotation of an object.
pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// RFC 7386, section 2.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let object = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
