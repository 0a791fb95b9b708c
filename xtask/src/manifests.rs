//! What is installed beside the kinds: namespace, rights, configuration and workloads, from typed values.
//!
//! Names, labels and selectors are those of MetalLB's plain manifests, so that `kubectl apply` over a running MetalLB
//! replaces its workloads in place.

mod rbac;
mod workloads;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The namespace of everything that has one.
pub(crate) const NAMESPACE: &str = "metallb-system";

/// The label that all objects share.
const APP: &str = "metallb";

/// The objects, in the order in which they can be created; `image` is the reference of both workloads.
pub(crate) fn objects(image: &str) -> Vec<Value> {
    let mut objects = vec![namespace(), excluded_interfaces()];
    objects.extend(rbac::objects());
    objects.extend([workloads::controller(image), workloads::speaker(image)]);
    objects
}

/// The namespace; the speaker's host network and NET_RAW need the privileged pod security level.
fn namespace() -> Value {
    checked::<Namespace>(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {
                "pod-security.kubernetes.io/audit": "privileged",
                "pod-security.kubernetes.io/enforce": "privileged",
                "pod-security.kubernetes.io/warn": "privileged",
            },
        },
    }))
}

/// The interfaces on which nothing is announced, as MetalLB ships them.
fn excluded_interfaces() -> Value {
    const PATTERNS: [&str; 14] = [
        "^docker.*",
        "^cbr.*",
        "^dummy.*",
        "^virbr.*",
        "^lxcbr.*",
        "^veth.*",
        "^lo$",
        "^cali.*",
        "^tunl.*",
        "^flannel.*",
        "^kube-ipvs.*",
        "^cni.*",
        "^nodelocaldns.*",
        "^lxc.*",
    ];
    let list = serde_json::to_string(&PATTERNS).expect("a list of strings serialises");
    checked::<ConfigMap>(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "metallb-excludel2", "namespace": NAMESPACE },
        "data": { "excludel2.yaml": format!("announcedInterfacesToExclude: {list}\n") },
    }))
}

/// Holds `object` against the type: a field that the type does not know would be lost, and is a mistake here.
fn checked<T: DeserializeOwned + Serialize>(object: Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).expect("the manifest has the shape of its kind");
    let back = serde_json::to_value(&typed).expect("Kubernetes types serialise");
    assert_eq!(back, object, "a field of the manifest is unknown to its kind");
    object
}

#[cfg(test)]
mod tests;
