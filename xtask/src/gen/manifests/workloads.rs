//! The Deployment of the controller and the DaemonSet of the speaker.

use std::collections::BTreeMap;

use cortenlb_crds::names::COMPONENT;
use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, Deployment, DeploymentSpec,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
    SeccompProfile, SecurityContext, Toleration, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use super::{Component, metadata};

/// The ports of MetalLB: `/metrics`, and `/healthz` with `/readyz`.
const METRICS_PORT: i32 = 9120;
const HEALTH_PORT: i32 = 17472;

/// The user "nobody".
const NOBODY: i64 = 65534;

/// One leads and one is ready to: it takes over within a moment of a rollout, and within seconds of a crash.
const REPLICAS: i32 = 2;

/// The controllers, on different nodes where there are several.
pub(super) fn controller(image: &str) -> Deployment {
    let component = Component::Controller;
    let container = Container {
        env: Some(vec![
            field("METALLB_POD_NAME", "metadata.name"),
            field("METALLB_NAMESPACE", "metadata.namespace"),
            field("CORTENLB_POD_UID", "metadata.uid"),
            // glibc gives every thread a heap of its own; what was freed in one is of no use to another.
            EnvVar {
                name: "MALLOC_ARENA_MAX".to_owned(),
                value: Some("1".to_owned()),
                ..EnvVar::default()
            },
        ]),
        security_context: Some(SecurityContext {
            capabilities: Some(capabilities(&[])),
            ..confined()
        }),
        ..container(component, image, None)
    };
    let spec = PodSpec {
        containers: vec![container],
        priority_class_name: Some("system-cluster-critical".to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NOBODY),
            run_as_group: Some(NOBODY),
            fs_group: Some(NOBODY),
            seccomp_profile: Some(runtime_default()),
            ..Default::default()
        }),
        // Time to give the Lease back, so that the next one need not wait for it to expire.
        termination_grace_period_seconds: Some(5),
        tolerations: Some([control_plane(), leave_dead_nodes()].concat()),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            // A cluster of one node has both.
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(selector(component)),
            // Those of an earlier rollout do not count.
            match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
            ..Default::default()
        }]),
        ..pod(component)
    };
    Deployment {
        metadata: labelled(component),
        spec: Some(DeploymentSpec {
            replicas: Some(REPLICAS),
            revision_history_limit: Some(3),
            selector: selector(component),
            template: template(component, spec),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A drain takes one controller at a time.
pub(super) fn disruption_budget() -> PodDisruptionBudget {
    let component = Component::Controller;
    PodDisruptionBudget {
        metadata: labelled(component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selector(component)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// One on every node, on the node's network.
pub(super) fn speaker(image: &str) -> DaemonSet {
    let component = Component::Speaker;
    let container = Container {
        env: Some(vec![
            field("METALLB_NODE_NAME", "spec.nodeName"),
            field("METALLB_POD_NAME", "metadata.name"),
            field("METALLB_HOST", "status.hostIP"),
            field("METALLB_NAMESPACE", "metadata.namespace"),
        ]),
        // A capability only counts for uid 0, since the image sets none on its files.
        security_context: Some(SecurityContext {
            capabilities: Some(capabilities(&["NET_RAW"])),
            run_as_user: Some(0),
            run_as_group: Some(0),
            ..confined()
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "metallb-excludel2".to_owned(),
            mount_path: "/etc/metallb".to_owned(),
            read_only: Some(true),
            ..Default::default()
        }]),
        ..container(component, image, Some("127.0.0.1"))
    };
    let spec = PodSpec {
        containers: vec![container],
        host_network: Some(true),
        priority_class_name: Some("system-node-critical".to_owned()),
        security_context: Some(PodSecurityContext {
            seccomp_profile: Some(runtime_default()),
            ..Default::default()
        }),
        termination_grace_period_seconds: Some(2),
        tolerations: Some([control_plane(), network_daemon()].concat()),
        volumes: Some(vec![Volume {
            name: "metallb-excludel2".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: "metallb-excludel2".to_owned(),
                optional: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        }]),
        ..pod(component)
    };
    DaemonSet {
        metadata: labelled(component),
        spec: Some(DaemonSetSpec {
            selector: selector(component),
            template: template(component, spec),
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What both containers have. No CPU limit: throttling would delay answers on the wire.
fn container(component: Component, image: &str, probe_host: Option<&str>) -> Container {
    let request = |amount: &str| Quantity(amount.to_owned());
    Container {
        name: component.name().to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec![format!("/{}", component.name())]),
        args: Some(vec![
            format!("--port={METRICS_PORT}"),
            "--log-level=info".to_owned(),
        ]),
        ports: Some(vec![ContainerPort {
            // MetalLB's name, which scrape configurations select; what is served here is plain HTTP.
            name: Some("metricshttps".to_owned()),
            container_port: METRICS_PORT,
            ..Default::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".to_owned(), request("20m")),
                ("memory".to_owned(), request("32Mi")),
            ])),
            ..Default::default()
        }),
        // Readiness says who may announce, so it is asked often; liveness is for a process that hangs.
        readiness_probe: Some(probe("/readyz", probe_host, 1)),
        liveness_probe: Some(probe("/healthz", probe_host, 10)),
        ..Default::default()
    }
}

fn probe(path: &str, host: Option<&str>, period: i32) -> Probe {
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

fn confined() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        ..Default::default()
    }
}

/// None but these.
fn capabilities(add: &[&str]) -> Capabilities {
    let add: Vec<String> = add.iter().map(|name| (*name).to_owned()).collect();
    Capabilities {
        drop: Some(vec!["ALL".to_owned()]),
        add: Some(add).filter(|add| !add.is_empty()),
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile {
        type_: "RuntimeDefault".to_owned(),
        ..Default::default()
    }
}

/// Control-plane nodes are nodes too.
fn control_plane() -> Vec<Toleration> {
    [
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/control-plane",
    ]
    .map(|key| tolerate(key, Some("NoSchedule"), None))
    .to_vec()
}

/// A speaker may start on a node that is not ready yet, and belongs to the add-ons that some distributions reserve
/// nodes for. The DaemonSet controller adds the rest.
fn network_daemon() -> Vec<Toleration> {
    vec![
        tolerate("node.kubernetes.io/not-ready", Some("NoSchedule"), None),
        tolerate("CriticalAddonsOnly", None, None),
    ]
}

/// Half a minute on a dead node is enough: Kubernetes waits for five by default, and Services wait with it.
fn leave_dead_nodes() -> Vec<Toleration> {
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

fn field(name: &str, path: &str) -> EnvVar {
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

fn pod(component: Component) -> PodSpec {
    PodSpec {
        node_selector: Some(BTreeMap::from([(
            "kubernetes.io/os".to_owned(),
            "linux".to_owned(),
        )])),
        service_account_name: Some(component.name().to_owned()),
        ..Default::default()
    }
}

/// MetalLB's labels, by which pods are selected, and one of ours, by which they are told apart from MetalLB's.
fn template(component: Component, spec: PodSpec) -> PodTemplateSpec {
    let mut labels = labels(component);
    labels.insert(COMPONENT.to_owned(), component.name().to_owned());
    let annotations = [
        ("prometheus.io/port", METRICS_PORT.to_string()),
        ("prometheus.io/scrape", "true".to_owned()),
    ];
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
            ..Default::default()
        }),
        spec: Some(spec),
    }
}

fn selector(component: Component) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels(component)),
        ..Default::default()
    }
}

fn labelled(component: Component) -> ObjectMeta {
    ObjectMeta {
        labels: Some(labels(component)),
        ..metadata(component.name())
    }
}

fn labels(component: Component) -> BTreeMap<String, String> {
    [("app", "metallb"), ("component", component.name())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}
