//! Builders of the objects that scenarios create: JSON as a user would write it, typed on the way in.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

/// The namespace in which scenarios work.
pub const NAMESPACE: &str = "e2e";

/// The label that selects the backend pods.
pub const APP: &str = "backend";

/// The port on which a backend listens.
pub const BACKEND_PORT: u16 = 8080;

/// A Service of type LoadBalancer in [`NAMESPACE`] with port 80 in front of the backends, changed step by step.
#[derive(Clone, Debug)]
pub struct MkService(Value);

/// Starts a Service `name`; see [`MkService`].
pub fn mk_service(name: &str) -> MkService {
    MkService(json!({
        "metadata": { "name": name, "namespace": NAMESPACE, "annotations": {}, "labels": {} },
        "spec": {
            "type": "LoadBalancer",
            "selector": { "app": APP },
            "ports": [{ "name": "http", "port": 80, "targetPort": BACKEND_PORT }],
        },
    }))
}

impl MkService {
    /// Sets one annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["annotations"][key] = value.into();
        self
    }

    /// Sets one label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][key] = value.into();
        self
    }

    /// Sets one field of `spec`.
    pub fn spec(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0["spec"][field] = value.into();
        self
    }

    /// The typed object.
    pub fn build(self) -> Service {
        serde_json::from_value(self.0).expect("the builder writes fields of core/v1 Service")
    }
}

/// One backend on every node, so that `externalTrafficPolicy: Local` can be tested on each.
pub fn mk_backends(image: &str) -> DaemonSet {
    serde_json::from_value(json!({
        "metadata": { "name": APP, "namespace": NAMESPACE },
        "spec": {
            "selector": { "matchLabels": { "app": APP } },
            "template": {
                "metadata": { "labels": { "app": APP } },
                "spec": backend_pod(image),
            },
        },
    }))
    .expect("a DaemonSet of apps/v1")
}

/// The pod specification of a backend.
pub fn backend_pod(image: &str) -> Value {
    json!({
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": APP,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "env": [
                { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                { "name": "NODE_NAME", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } },
            ],
            "ports": [{ "containerPort": BACKEND_PORT }],
            "readinessProbe": {
                "httpGet": { "path": "/readyz", "port": BACKEND_PORT },
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
        }],
    })
}
