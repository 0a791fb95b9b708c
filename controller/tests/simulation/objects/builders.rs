//! What users create; also for the tests of the index.

use serde_json::{Value, json};

/// The annotation that asks for addresses.
pub(crate) const ASKED: &str = "metallb.io/loadBalancerIPs";

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
