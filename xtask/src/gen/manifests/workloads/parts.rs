//! What pods are made of: probes, rights, tolerations, variables.

use k8s_openapi::api::core::v1::{
    Capabilities, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector, Probe, SeccompProfile,
    SecurityContext, Toleration,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// MetalLB's port of `/healthz` and `/readyz`.
const HEALTH_PORT: i32 = 17472;

/// Asked once in `period` seconds.
pub(super) fn probe(path: &str, host: Option<&str>, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            host: host.map(str::to_owned),
            path: Some(path.to_owned()),
            port: IntOrString::Int(HEALTH_PORT),
            ..Default::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(1),
        failure_threshold: Some(3),
        ..Default::default()
    }
}

pub(super) fn confined() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        ..Default::default()
    }
}

/// None but these.
pub(super) fn capabilities(add: &[&str]) -> Capabilities {
    let add: Vec<String> = add.iter().map(|name| (*name).to_owned()).collect();
    Capabilities {
        drop: Some(vec!["ALL".to_owned()]),
        add: Some(add).filter(|add| !add.is_empty()),
    }
}

pub(super) fn runtime_default() -> SeccompProfile {
    SeccompProfile {
        type_: "RuntimeDefault".to_owned(),
        ..Default::default()
    }
}

/// Control-plane nodes are nodes too.
pub(super) fn control_plane() -> Vec<Toleration> {
    [
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/control-plane",
    ]
    .map(|key| tolerate(key, Some("NoSchedule"), None))
    .to_vec()
}

/// A speaker may start on a node that is not ready yet, and belongs to the add-ons that some distributions reserve
/// nodes for. The DaemonSet controller adds the rest.
pub(super) fn network_daemon() -> Vec<Toleration> {
    vec![
        tolerate("node.kubernetes.io/not-ready", Some("NoSchedule"), None),
        tolerate("CriticalAddonsOnly", None, None),
    ]
}

/// Half a minute on a dead node is enough: Kubernetes waits for five by default, and Services wait with it.
pub(super) fn leave_dead_nodes() -> Vec<Toleration> {
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .map(|key| tolerate(key, Some("NoExecute"), Some(30)))
        .to_vec()
}

fn tolerate(key: &str, effect: Option<&str>, seconds: Option<i64>) -> Toleration {
    Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: effect.map(str::to_owned),
        toleration_seconds: seconds,
        ..Default::default()
    }
}

pub(super) fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// How the processes use memory.
pub(super) fn heap() -> [EnvVar; 3] {
    [
        // glibc gives every thread a heap of its own; what was freed in one is of no use to another.
        value("MALLOC_ARENA_MAX", "1"),
        // The pages of a list are large for a moment: they are to be given back, and not to make the heap longer. Both
        // limits are glibc's own, which it raises with the first page unless they are set.
        value("MALLOC_MMAP_THRESHOLD_", "65536"),
        value("MALLOC_TRIM_THRESHOLD_", "131072"),
    ]
}

pub(super) fn value(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..Default::default()
    }
}
