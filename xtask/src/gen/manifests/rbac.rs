//! Who may do what: the one Secret that the speakers share, one write on Services, and everything else that is written in
//! our namespace alone. Roles have MetalLB's names, so that its own, which allow more, are replaced.
//!
//! A verb is here because a line of the two components needs it: a watch lists and watches, and gets nothing; the Lease
//! alone is read by its name too. Its watch, and the Secret's, select by `metadata.name`, which the API server takes for
//! the name that a rule can be limited to.

use cortenlb_crds::names::{GROUP, LEASE, OUR_GROUP};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde_json::Value;

use super::{Component, Naming, json};

/// What a watch needs.
const WATCH: &[&str] = &["list", "watch"];

/// Roles of a component, and their bindings.
pub(super) fn of_one(naming: Naming, component: Component) -> Vec<Value> {
    let name = naming.of_cluster(component.name());
    vec![
        json(&cluster_role(naming, &name, in_cluster(component))),
        json(&cluster_role_binding(naming, &name, component)),
        json(&role(naming, component.name(), in_namespace(naming, component))),
        json(&role_binding(naming, component.name(), &[component])),
    ]
}

/// The Role of both and its binding, and the role of whoever scrapes both.
pub(super) fn of_both(naming: Naming) -> Vec<Value> {
    let reader = naming.of_cluster("metrics-reader");
    vec![
        json(&cluster_role(naming, &reader, vec![metrics()])),
        json(&role(naming, "pod-lister", configuration())),
        json(&role_binding(naming, "pod-lister", &Component::ALL)),
    ]
}

/// What a component does outside our namespace.
fn in_cluster(component: Component) -> Vec<PolicyRule> {
    let mut rules = vec![
        allow("", &["services", "nodes"], WATCH),
        allow("discovery.k8s.io", &["endpointslices"], WATCH),
        allow("", &["events"], &["create", "patch"]),
        // Whose token a request for metrics brings, and whether that user may have them.
        allow("authentication.k8s.io", &["tokenreviews"], &["create"]),
        allow("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
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
fn in_namespace(naming: Naming, component: Component) -> Vec<PolicyRule> {
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
            only(allow("", &["secrets"], WATCH), &naming.speakers_key()),
            only(
                allow("apps", &["deployments"], &["get"]),
                &naming.object(Component::Controller.name()),
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
            only(allow("", &["secrets"], &["get"]), &naming.speakers_key()),
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

/// What a scraper needs. Nobody is bound to it: who scrapes is the cluster's own affair.
fn metrics() -> PolicyRule {
    PolicyRule {
        non_resource_urls: Some(owned(&["/metrics"])),
        verbs: owned(&["get"]),
        ..Default::default()
    }
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

fn cluster_role(naming: Naming, name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole {
        metadata: naming.metadata(name.to_owned()),
        rules: Some(rules),
        ..Default::default()
    }
}

fn cluster_role_binding(naming: Naming, name: &str, component: Component) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: naming.metadata(name.to_owned()),
        role_ref: reference("ClusterRole", name.to_owned()),
        subjects: Some(vec![subject(naming, component)]),
    }
}

fn role(naming: Naming, name: &str, rules: Vec<PolicyRule>) -> Role {
    Role {
        metadata: naming.namespaced(name),
        rules: Some(rules),
    }
}

fn role_binding(naming: Naming, name: &str, components: &[Component]) -> RoleBinding {
    let subjects = components.iter().map(|component| subject(naming, *component));
    RoleBinding {
        metadata: naming.namespaced(name),
        role_ref: reference("Role", naming.object(name)),
        subjects: Some(subjects.collect()),
    }
}

fn reference(kind: &str, name: String) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name,
    }
}

fn subject(naming: Naming, component: Component) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: naming.account(component),
        namespace: Some(naming.namespace().to_owned()),
        ..Default::default()
    }
}
