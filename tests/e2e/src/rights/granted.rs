//! What a manifest grants to accounts: its roles, as far as they are bound.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::{Access, Target};
use crate::cluster::manifest;

/// Every right by itself. A role that is bound to nobody grants nothing.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Access>> {
    let mut roles = Roles::default();
    let (mut in_cluster, mut in_namespace) = (Vec::new(), Vec::new());
    for object in manifest::parse(text)? {
        match object["kind"].as_str() {
            Some("ClusterRole") => roles.of_cluster.push(serde_json::from_value(object)?),
            Some("Role") => roles.of_namespace.push(serde_json::from_value(object)?),
            Some("ClusterRoleBinding") => {
                in_cluster.push(serde_json::from_value::<ClusterRoleBinding>(object)?);
            }
            Some("RoleBinding") => in_namespace.push(serde_json::from_value::<RoleBinding>(object)?),
            _ => {}
        }
    }
    let mut granted = Vec::new();
    for binding in in_cluster {
        let rules = roles.rules(&binding.role_ref, None)?;
        let subjects = binding.subjects.unwrap_or_default();
        granted.extend(accesses(&subjects, rules, None)?);
    }
    for binding in in_namespace {
        let namespace = binding.metadata.namespace.as_deref();
        let rules = roles.rules(&binding.role_ref, namespace)?;
        let subjects = binding.subjects.unwrap_or_default();
        granted.extend(accesses(&subjects, rules, namespace)?);
    }
    Ok(granted)
}

#[derive(Default)]
struct Roles {
    of_cluster: Vec<ClusterRole>,
    of_namespace: Vec<Role>,
}

impl Roles {
    /// The rules that a binding in `namespace` refers to.
    fn rules(&self, role: &RoleRef, namespace: Option<&str>) -> anyhow::Result<&[PolicyRule]> {
        let is_named = |name: &Option<String>| name.as_deref() == Some(role.name.as_str());
        let rules = if role.kind == "ClusterRole" {
            let mut roles = self.of_cluster.iter();
            let found = roles.find(|one| is_named(&one.metadata.name));
            found.map(|one| one.rules.as_deref())
        } else {
            let mut roles = self.of_namespace.iter();
            let found = roles
                .find(|one| is_named(&one.metadata.name) && one.metadata.namespace.as_deref() == namespace);
            found.map(|one| one.rules.as_deref())
        };
        let rules = rules.with_context(|| format!("there is no {} {}", role.kind, role.name))?;
        Ok(rules.unwrap_or_default())
    }
}

fn accesses(
    subjects: &[Subject],
    rules: &[PolicyRule],
    namespace: Option<&str>,
) -> anyhow::Result<Vec<Access>> {
    let mut granted = Vec::new();
    for subject in subjects {
        ensure!(
            subject.kind == "ServiceAccount",
            "a role is bound to {} {}: only ServiceAccounts are audited",
            subject.kind,
            subject.name
        );
        let home = subject.namespace.as_deref().unwrap_or_default();
        let account = format!("system:serviceaccount:{home}:{}", subject.name);
        for rule in rules {
            for (target, verb) in targets(rule)
                .iter()
                .flat_map(|target| rule.verbs.iter().map(move |verb| (target, verb)))
            {
                granted.extend(names(rule).into_iter().map(|name| Access {
                    account: account.clone(),
                    verb: verb.clone(),
                    target: target.clone(),
                    namespace: namespace.map(str::to_owned),
                    name,
                }));
            }
        }
    }
    Ok(granted)
}

fn targets(rule: &PolicyRule) -> Vec<Target> {
    let resources = rule.resources.iter().flatten();
    let resources = resources.flat_map(|resource| {
        let groups = rule.api_groups.iter().flatten();
        groups.map(|group| Target::Resource {
            group: group.clone(),
            resource: resource.clone(),
        })
    });
    let paths = rule.non_resource_urls.iter().flatten();
    resources.chain(paths.cloned().map(Target::Path)).collect()
}

/// The names that a rule is limited to, or one `None`.
fn names(rule: &PolicyRule) -> Vec<Option<String>> {
    match rule.resource_names.as_deref() {
        Some(names) if !names.is_empty() => names.iter().cloned().map(Some).collect(),
        _ => vec![None],
    }
}
