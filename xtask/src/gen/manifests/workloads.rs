//! The Deployment of the controller and the DaemonSet of the speaker.

mod parts;
mod volumes;

use std::collections::BTreeMap;

use cortenlb_crds::names::COMPONENT;
use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, Deployment, DeploymentSpec, RollingUpdateDaemonSet,
};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
    SecurityContext, TopologySpreadConstraint,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use self::parts::{
    capabilities, confined, control_plane, field, heap, leave_dead_nodes, network_daemon, probe,
    runtime_default, value,
};
use self::volumes::KEY_DIRECTORY;
use super::{Component, Naming};

/// MetalLB's port of `/metrics`.
const METRICS_PORT: i32 = 9120;
/// MetalLB's port at which the speakers hear one another, on the nodes' network.
const SPEAKERS_PORT: i32 = 7946;

/// The user "nobody".
const NOBODY: i64 = 65534;

/// One leads and one is ready to: it takes over within a moment of a rollout, and within seconds of a crash.
const REPLICAS: i32 = 2;

/// The controllers, on different nodes where there are several.
pub(super) fn controller(naming: Naming, image: &str) -> Deployment {
    let component = Component::Controller;
    let env = [
        field("METALLB_POD_NAME", "metadata.name"),
        field("METALLB_NAMESPACE", "metadata.namespace"),
        field("CORTENLB_POD_UID", "metadata.uid"),
        value("METALLB_ML_LABELS", &label_selector(naming, Component::Speaker)),
        value("METALLB_ML_SECRET_NAME", &naming.speakers_key()),
        value("METALLB_DEPLOYMENT", &naming.object(component.name())),
    ];
    let container = Container {
        env: Some([env.as_slice(), &heap()].concat()),
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
            label_selector: Some(selector(naming, component)),
            // Those of an earlier rollout do not count.
            match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
            ..Default::default()
        }]),
        ..pod(naming, component)
    };
    Deployment {
        metadata: labelled(naming, component),
        spec: Some(DeploymentSpec {
            replicas: Some(REPLICAS),
            revision_history_limit: Some(3),
            selector: selector(naming, component),
            template: template(naming, component, spec),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A drain takes one controller at a time.
pub(super) fn disruption_budget(naming: Naming) -> PodDisruptionBudget {
    let component = Component::Controller;
    PodDisruptionBudget {
        metadata: labelled(naming, component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selector(naming, component)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// One on every node, on the node's network.
pub(super) fn speaker(naming: Naming, image: &str) -> DaemonSet {
    let component = Component::Speaker;
    let env = [
        field("METALLB_NODE_NAME", "spec.nodeName"),
        field("METALLB_POD_NAME", "metadata.name"),
        field("METALLB_HOST", "status.hostIP"),
        field("METALLB_NAMESPACE", "metadata.namespace"),
        field("METALLB_ML_BIND_ADDR", "status.podIP"),
        value("METALLB_ML_BIND_PORT", &SPEAKERS_PORT.to_string()),
        value("METALLB_ML_LABELS", &label_selector(naming, component)),
        value("METALLB_ML_SECRET_NAME", &naming.speakers_key()),
        value("METALLB_ML_SECRET_KEY_PATH", KEY_DIRECTORY),
    ];
    let container = Container {
        env: Some([env.as_slice(), &heap()].concat()),
        // A capability only counts for uid 0, since the image sets none on its files.
        security_context: Some(SecurityContext {
            capabilities: Some(capabilities(&["NET_RAW"])),
            run_as_user: Some(0),
            run_as_group: Some(0),
            ..confined()
        }),
        volume_mounts: Some(volumes::mounts()),
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
        volumes: Some(volumes::volumes(naming)),
        ..pod(naming, component)
    };
    DaemonSet {
        metadata: labelled(naming, component),
        spec: Some(DaemonSetSpec {
            selector: selector(naming, component),
            template: template(naming, component, spec),
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    // The next node's speaker may be the one that stands in for this one's.
                    max_unavailable: Some(IntOrString::Int(1)),
                    ..Default::default()
                }),
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What is listened on. The API server adds the host's ports to those of a pod on the node's network.
fn ports(component: Component) -> Vec<ContainerPort> {
    let port = |name: &str, number, protocol: Option<&str>| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: protocol.map(str::to_owned),
        ..Default::default()
    };
    // MetalLB's name, which scrape configurations select.
    let metrics = port("metricshttps", METRICS_PORT, None);
    match component {
        Component::Controller => vec![metrics],
        Component::Speaker => vec![
            metrics,
            // Nobody listens on TCP. But `kubectl apply` knows ports by their number alone: over MetalLB's manifest,
            // which has both, one without the first entry loses both.
            port("memberlist-tcp", SPEAKERS_PORT, None),
            port("memberlist-udp", SPEAKERS_PORT, Some("UDP")),
        ],
    }
}

/// What both containers have. No CPU limit: throttling would delay answers on the wire.
fn container(component: Component, image: &str, probe_host: Option<&str>) -> Container {
    let request = |amount: &str| Quantity(amount.to_owned());
    let cpu = match component {
        Component::Controller => "20m",
        // It needs as little, and the share that it gets on a node without idle time follows from this: as kube-proxy's.
        Component::Speaker => "100m",
    };
    Container {
        name: component.name().to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec![format!("/{}", component.name())]),
        args: Some(vec![
            format!("--port={METRICS_PORT}"),
            "--log-level=info".to_owned(),
        ]),
        ports: Some(ports(component)),
        resources: Some(ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".to_owned(), request(cpu)),
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

fn pod(naming: Naming, component: Component) -> PodSpec {
    PodSpec {
        node_selector: Some(BTreeMap::from([(
            "kubernetes.io/os".to_owned(),
            "linux".to_owned(),
        )])),
        service_account_name: Some(naming.account(component)),
        ..Default::default()
    }
}

/// MetalLB's labels, by which pods are selected, and one of ours, by which they are told apart from MetalLB's.
fn template(naming: Naming, component: Component, spec: PodSpec) -> PodTemplateSpec {
    let mut labels = naming.selector(component);
    labels.insert(COMPONENT.to_owned(), component.name().to_owned());
    let annotations = [
        ("prometheus.io/port", METRICS_PORT.to_string()),
        ("prometheus.io/scheme", "https".to_owned()),
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

fn selector(naming: Naming, component: Component) -> LabelSelector {
    LabelSelector {
        match_labels: Some(naming.selector(component)),
        ..Default::default()
    }
}

/// The same as a text.
fn label_selector(naming: Naming, component: Component) -> String {
    let labels = naming.selector(component);
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    labels.join(",")
}

fn labelled(naming: Naming, component: Component) -> ObjectMeta {
    let mut metadata = naming.namespaced(component.name());
    metadata
        .labels
        .get_or_insert_default()
        .extend(naming.selector(component));
    metadata
}
