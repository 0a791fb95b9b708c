//! What users create, and how it is read.

use std::net::IpAddr;

use serde_json::Value;

mod builders;

pub(crate) use builders::{ASKED, asking_for, mk_pool, mk_service};
pub(crate) use cortenlb_kit::fake::merge;

/// The collection of Services.
pub(crate) const SERVICES: &str = "/api/v1/namespaces/ns/services/";
/// The collection of pools.
pub(crate) const POOLS: &str = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/";
/// The Lease of the controllers.
pub(crate) const LEASE: &str =
    "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/metallb-controller";

pub(crate) fn service_path(name: &str) -> String {
    format!("{SERVICES}{name}")
}

pub(crate) fn pool_path(name: &str) -> String {
    format!("{POOLS}{name}")
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
