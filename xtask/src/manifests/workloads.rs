//! The controller's Deployment and the speaker's DaemonSet.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use serde_json::{Value, json};

use super::{APP, NAMESPACE, checked};

/// The port of `/healthz`, `/readyz` and `/metrics`.
const HEALTH_PORT: u16 = 17472;

/// One replica; a second one would wait for the Lease.
pub(super) fn controller(image: &str) -> Value {
    let pod = json!({
        "serviceAccountName": "controller",
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "terminationGracePeriodSeconds": 5,
        "tolerations": tolerations(),
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 65534,
            "runAsGroup": 65534,
            "fsGroup": 65534,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [{
            "name": "controller",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/controller"],
            "args": ["--log-level=info"],
            "env": [
                from_field("METALLB_POD_NAME", "metadata.name"),
                from_field("METALLB_NAMESPACE", "metadata.namespace"),
            ],
            "ports": [{ "name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP" }],
            "resources": { "requests": { "cpu": "50m", "memory": "32Mi" } },
            "livenessProbe": probe("/healthz", None, 10),
            "readinessProbe": probe("/readyz", None, 1),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "readOnlyRootFilesystem": true,
            },
        }],
    });
    checked::<Deployment>(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata("controller"),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "selector": { "matchLabels": selector("controller") },
            "template": { "metadata": { "labels": pod_labels("controller") }, "spec": pod },
        },
    }))
}

/// One on every node, on the node's own network; without a CPU limit, since a throttled speaker answers late.
pub(super) fn speaker(image: &str) -> Value {
    let pod = json!({
        "serviceAccountName": "speaker",
        "priorityClassName": "system-node-critical",
        "hostNetwork": true,
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "terminationGracePeriodSeconds": 2,
        "tolerations": tolerations(),
        "securityContext": { "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{
            "name": "speaker",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/speaker"],
            "args": ["--log-level=info"],
            "env": [
                from_field("METALLB_NODE_NAME", "spec.nodeName"),
                from_field("METALLB_POD_NAME", "metadata.name"),
                from_field("METALLB_NAMESPACE", "metadata.namespace"),
                from_field("METALLB_HOST", "status.hostIP"),
            ],
            "resources": { "requests": { "cpu": "50m", "memory": "32Mi" } },
            "livenessProbe": probe("/healthz", Some("127.0.0.1"), 10),
            "readinessProbe": probe("/readyz", Some("127.0.0.1"), 1),
            "securityContext": {
                "runAsUser": 0,
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"], "add": ["NET_RAW"] },
                "readOnlyRootFilesystem": true,
            },
            "volumeMounts": [{ "name": "metallb-excludel2", "mountPath": "/etc/metallb", "readOnly": true }],
        }],
        "volumes": [{
            "name": "metallb-excludel2",
            "configMap": { "name": "metallb-excludel2", "defaultMode": 256, "optional": true },
        }],
    });
    checked::<DaemonSet>(json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata("speaker"),
        "spec": {
            "selector": { "matchLabels": selector("speaker") },
            "template": { "metadata": { "labels": pod_labels("speaker") }, "spec": pod },
        },
    }))
}

fn metadata(component: &str) -> Value {
    json!({ "name": component, "namespace": NAMESPACE, "labels": selector(component) })
}

fn selector(component: &str) -> Value {
    json!({ "app": APP, "component": component })
}

/// The labels that MetalLB's pods have, and ours, by which the two can be told apart.
fn pod_labels(component: &str) -> Value {
    json!({ "app": APP, "component": component, "app.kubernetes.io/part-of": "cortenlb" })
}

/// Control planes need addresses too, and in small clusters there is nothing else.
fn tolerations() -> Value {
    let of = |key: &str| json!({ "key": key, "operator": "Exists", "effect": "NoSchedule" });
    json!([of("node-role.kubernetes.io/master"), of("node-role.kubernetes.io/control-plane")])
}

fn from_field(name: &str, path: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } })
}

fn probe(path: &str, host: Option<&str>, period: u8) -> Value {
    let mut get = json!({ "path": path, "port": HEALTH_PORT });
    if let Some(host) = host {
        get["host"] = host.into();
    }
    json!({ "httpGet": get, "periodSeconds": period, "timeoutSeconds": 1, "failureThreshold": 3 })
}
