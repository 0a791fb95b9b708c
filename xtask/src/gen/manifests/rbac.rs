//! Who may do what: the one Secret that the speakers share, one write on Services, and everything else that is written in
//! our namespace alone. Roles have MetalLB's names, so that its own, which allow more, are replaced.
//!
//! A verb is here because a line of the two components needs it: a watch lists and watches, and gets nothing; the Lease
//! alone is read by its name too. Its watch, and the Secret's, select by `metadata.name`, which the API server takes for
//! the name that a rule can be limited to.

use cortenlb_crds::names::{GROUP, LEASE, OUR_GROUP, SYSTEM_NAMESPACE};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde_json::Value;

use super::{Component, SPEAKERS_KEY, cluster_metadata, json, metadata};

/// What a watch needs.
const WATCH: &[&str] = &["list", "watch"];

/// Roles and their bindings.
pub(super) fn documents() -> Vec<Value> {
    let mut documents = Vec::new();
    for component in Component::ALL {
        let name = format!("{SYSTEM_NAMESPACE}:{}", component.name());
        documents.push(json(&cluster_role(&name, in_cluster(component))));
        documents.push(json(&cluster_role_binding(&name, component)));
        documents.push(json(&role(component.name(), in_namespace(component))));
        documents.push(json(&role_binding(component.name(), &[component])));
    }
    documents.push(json(&role("pod-lister", configuration())));
    documents.push(json(&role_binding("pod-lister", &Component::ALL)));
    documents
}

/// What a component does outside our namespace.
fn in_cluster(component: Component) -> Vec<PolicyRule> {
    let mut rules = vec![
        allow("", &["services", "nodes"], WATCH),
        allow("discovery.k8s.io", &["endpointslices"], WATCH),
        allow("", &["events"], &["create", "patch"]),
    ];
    if let Component::Controller = component {
        rules.push(allow("", &["namespaces"], WATCH));
        rules.push(allow("", &["services/status"], &["patch"]));
        rules.push(allow(OUR_GROUP, &["addressreservations"], WATCH));
        rules.push(allow(OUR_GROUP, &["addressreservations/status"], &["patch"]));
        // An earlier MetalLB leaves a webhook that nobody would answer.
        let webhook = allow(
            "admissionregistration.k8s.io",
            &["validatingwebhookconfigurations"],
            &["delete"],
        );
        rules.push(only(webhook, "metallb-webhook-configuration"));
    }
    rules
}

/// What a component alone does in our namespace.
fn in_namespace(component: Component) -> Vec<PolicyRule> {
    match component {
        Component::Controller => vec![
            allow(GROUP, &["ipaddresspools/status"], &["patch"]),
            // BGPPeers are read to say that they have no effect.
            allow(GROUP, &["bgppeers", "servicel2statuses"], WATCH),
            // The API server cannot tell a name on creation.
            allow("coordination.k8s.io", &["leases"], &["create"]),
            only(
                allow(
                    "coordination.k8s.io",
                    &["leases"],
                    &["get", "list", "watch", "patch"],
                ),
                LEASE,
            ),
            // Watched for its metadata, and made when it is missing; owned by the Deployment.
            allow("", &["secrets"], &["create"]),
            only(allow("", &["secrets"], WATCH), SPEAKERS_KEY),
            only(
                allow("apps", &["deployments"], &["get"]),
                Component::Controller.name(),
            ),
        ],
        Component::Speaker => vec![
            allow(
                GROUP,
                &["servicel2statuses"],
                &["list", "watch", "create", "patch", "delete"],
            ),
            allow(GROUP, &["servicel2statuses/status"], &["patch"]),
            // A Secret that is made after the pod has started is mounted only about a minute later.
            only(allow("", &["secrets"], &["get"]), SPEAKERS_KEY),
        ],
    }
}

/// What both read, and report, in our namespace.
fn configuration() -> Vec<PolicyRule> {
    vec![
        allow("", &["pods"], WATCH),
        allow(GROUP, &["ipaddresspools", "l2advertisements"], WATCH),
        // Each component has one object, and a server-side apply of one that is missing is a creation.
        allow(
            GROUP,
            &["configurationstates"],
            &["list", "watch", "create", "patch"],
        ),
        allow(GROUP, &["configurationstates/status"], &["patch"]),
    ]
}

fn allow(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..Default::default()
    }
}

/// The same for the object of this name alone.
fn only(rule: PolicyRule, name: &str) -> PolicyRule {
    PolicyRule {
        resource_names: Some(vec![name.to_owned()]),
        ..rule
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole {
        metadata: cluster_metadata(name),
        rules: Some(rules),
        ..Default::default()
    }
}

fn cluster_role_binding(name: &str, component: Component) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: cluster_metadata(name),
        role_ref: reference("ClusterRole", name),
        subjects: Some(vec![subject(component)]),
    }
}

fn role(name: &str, rules: Vec<PolicyRule>) -> Role {
    Role {
        metadata: metadata(name),
        rules: Some(rules),
    }
}

fn role_binding(name: &str, components: &[Component]) -> RoleBinding {
    RoleBinding {
        metadata: metadata(name),
        role_ref: reference("Role", name),
        subjects: Some(components.iter().copied().map(subject).collect()),
    }
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(component: Component) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: component.name().to_owned(),
        namespace: Some(SYSTEM_NAMESPACE.to_owned()),
        ..Default::default()
    }
}
