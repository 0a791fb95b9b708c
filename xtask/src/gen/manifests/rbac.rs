//! Who may do what: no Secrets, one write on Services, and everything else that is written in our namespace alone. Roles
//! have MetalLB's names, so that its own, which allow more, are replaced.
//!
//! All kinds of `metallb.io` that the two components own are here, also those whose behaviour is still to come: an
//! installed role then need not change with the image.

use cortenlb_crds::names::{GROUP, LEASE, SYSTEM_NAMESPACE};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde_json::Value;

use super::{Component, cluster_metadata, json, metadata};

const READ: &[&str] = &["get", "list", "watch"];

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
        allow("", &["services", "namespaces", "nodes"], READ),
        allow("discovery.k8s.io", &["endpointslices"], READ),
        allow("", &["events"], &["create", "patch"]),
    ];
    if let Component::Controller = component {
        rules.push(allow("", &["services/status"], &["patch"]));
        // An earlier MetalLB leaves a webhook that nobody would answer.
        let webhook = allow(
            "admissionregistration.k8s.io",
            &["validatingwebhookconfigurations"],
            &["get", "delete"],
        );
        rules.push(only(webhook, "metallb-webhook-configuration"));
    }
    rules
}

/// What a component writes in our namespace.
fn in_namespace(component: Component) -> Vec<PolicyRule> {
    let states = allow(
        GROUP,
        &["configurationstates", "configurationstates/status"],
        &["get", "list", "watch", "create", "patch", "delete"],
    );
    let mut rules = vec![states];
    match component {
        Component::Controller => {
            rules.push(allow(GROUP, &["ipaddresspools/status"], &["patch"]));
            rules.push(allow(GROUP, &["servicel2statuses"], READ));
            // The API server cannot tell a name on creation.
            rules.push(allow("coordination.k8s.io", &["leases"], &["create"]));
            rules.push(only(
                allow("coordination.k8s.io", &["leases"], &["get", "patch"]),
                LEASE,
            ));
        }
        Component::Speaker => rules.push(allow(
            GROUP,
            &["servicel2statuses", "servicel2statuses/status"],
            &["get", "list", "watch", "create", "patch", "delete"],
        )),
    }
    rules
}

/// What both read in our namespace.
fn configuration() -> Vec<PolicyRule> {
    let kinds = [
        "bfdprofiles",
        "bgpadvertisements",
        "bgppeers",
        "communities",
        "ipaddresspools",
        "l2advertisements",
    ];
    vec![allow("", &["pods"], READ), allow(GROUP, &kinds, READ)]
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
