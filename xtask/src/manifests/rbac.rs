//! Rights: what each program does, and nothing beside it.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};

use super::{APP, NAMESPACE, checked};

const READ: [&str; 2] = ["list", "watch"];

/// ServiceAccounts, roles and their bindings.
pub(super) fn objects() -> Vec<Value> {
    let mut objects = vec![service_account("controller"), service_account("speaker")];
    objects.extend([cluster_role("controller", &controller_cluster()), cluster_role("speaker", &speaker_cluster())]);
    objects.extend([cluster_binding("controller"), cluster_binding("speaker")]);
    objects.extend([role("pod-lister", &shared()), binding("pod-lister", &["controller", "speaker"])]);
    objects.extend([role("controller", &controller()), binding("controller", &["controller"])]);
    objects.extend([role("speaker", &speaker()), binding("speaker", &["speaker"])]);
    objects
}

fn controller_cluster() -> Value {
    json!([
        rule("", &["services", "namespaces", "nodes"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &READ),
        rule("", &["services/status"], &["patch"]),
        rule("", &["events"], &["create", "patch"]),
        // MetalLB's webhook is left behind by its removal, and nobody would answer it.
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingwebhookconfigurations"],
            "resourceNames": ["metallb-webhook-configuration"],
            "verbs": ["delete"],
        },
    ])
}

fn speaker_cluster() -> Value {
    json!([
        rule("", &["services", "nodes"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &READ),
        rule("", &["events"], &["create", "patch"]),
    ])
}

/// What both read; the role has the name of MetalLB's, whose wider rights it replaces.
fn shared() -> Value {
    json!([
        rule("", &["pods"], &READ),
        rule("metallb.io", &["ipaddresspools", "l2advertisements", "servicel2statuses"], &READ),
    ])
}

fn controller() -> Value {
    json!([
        rule("metallb.io", &["ipaddresspools/status"], &["patch"]),
        rule("metallb.io", &["bgppeers"], &READ),
        rule("coordination.k8s.io", &["leases"], &["create", "get", "update"]),
    ])
}

fn speaker() -> Value {
    json!([
        rule("metallb.io", &["servicel2statuses"], &["create", "delete"]),
        rule("metallb.io", &["servicel2statuses/status"], &["patch"]),
    ])
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
}

fn service_account(name: &str) -> Value {
    checked::<ServiceAccount>(json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": { "app": APP } },
    }))
}

fn cluster_role(name: &str, rules: &Value) -> Value {
    checked::<ClusterRole>(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": format!("{NAMESPACE}:{name}"), "labels": { "app": APP } },
        "rules": rules,
    }))
}

fn cluster_binding(name: &str) -> Value {
    let role = format!("{NAMESPACE}:{name}");
    checked::<ClusterRoleBinding>(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": role, "labels": { "app": APP } },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": subjects(&[name]),
    }))
}

fn role(name: &str, rules: &Value) -> Value {
    checked::<Role>(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": { "app": APP } },
        "rules": rules,
    }))
}

fn binding(name: &str, accounts: &[&str]) -> Value {
    checked::<RoleBinding>(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": { "app": APP } },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": subjects(accounts),
    }))
}

fn subjects(accounts: &[&str]) -> Value {
    let subject = |name: &&str| json!({ "kind": "ServiceAccount", "name": name, "namespace": NAMESPACE });
    accounts.iter().map(subject).collect()
}
