//! MetalLB's Deployment and DaemonSet: whether ours come in their place.

use cortenlb_crds::names;
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{ObjectLine, Verdict};
use crate::facts::{Around, Facts};

/// What MetalLB's manifests name their workloads, and ours too.
const NAMES: [&str; 2] = ["controller", "speaker"];

/// Helm writes the release's name here. Who renders a chart without it, such as Argo CD, leaves the chart's label
/// `app.kubernetes.io/managed-by: Helm` alone, and has no release to upgrade.
const RELEASE: &str = "meta.helm.sh/release-name";

/// Those with the labels of MetalLB's manifests or of its chart.
///
/// What has to be deleted before ours is applied is a step.
pub(super) fn look(facts: &Facts, around: &Around, objects: &mut Vec<ObjectLine>, steps: &mut Vec<String>) {
    let deployments = around.deployments.iter().map(|object| {
        let template = object.spec.as_ref().map(|spec| &spec.template);
        ("Deployment", &object.metadata, template)
    });
    let daemon_sets = around.daemon_sets.iter().map(|object| {
        let template = object.spec.as_ref().map(|spec| &spec.template);
        ("DaemonSet", &object.metadata, template)
    });
    let found = deployments
        .chain(daemon_sets)
        .filter_map(|(kind, meta, template)| one(facts, kind, meta, template?, steps));
    objects.extend(found);
}

fn one(
    facts: &Facts,
    kind: &str,
    meta: &ObjectMeta,
    template: &PodTemplateSpec,
    steps: &mut Vec<String>,
) -> Option<ObjectLine> {
    let labels = template.metadata.as_ref()?.labels.as_ref()?;
    let has = |key: &str, value: &str| labels.get(key).is_some_and(|is| is == value);
    let is_metallbs = has("app", "metallb") || has("app.kubernetes.io/name", "metallb");
    if !is_metallbs || labels.contains_key(names::COMPONENT) {
        return None;
    }
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    let deletion = format!("kubectl delete {} -n {namespace} {name}", kind.to_lowercase());
    let release = meta
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(RELEASE));
    let (verdict, how) = if let Some(container) = template.spec.as_ref().and_then(frr) {
        (
            Verdict::NotSupported,
            format!("container {container}: routing by FRR is not supported"),
        )
    } else if let Some(release) = release {
        (Verdict::Kept, upgraded(facts, namespace, release))
    } else if namespace != facts.system {
        steps.push(deletion);
        (
            Verdict::Different,
            format!(
                "it is in namespace {namespace}, where it is not waited for: delete it before ours is applied"
            ),
        )
    } else if NAMES.contains(&name) {
        (
            Verdict::Kept,
            "replaced by ours of the same name; nothing is announced by both".to_owned(),
        )
    } else {
        (
            Verdict::Different,
            format!(
                "ours has another name: delete it when ours has been applied ({deletion}); until then ours waits"
            ),
        )
    };
    Some(ObjectLine {
        kind: kind.to_owned(),
        name: format!("{namespace}/{name}"),
        verdict,
        how,
    })
}

/// A release becomes one of ours in place, in whatever namespace it is.
fn upgraded(facts: &Facts, namespace: &str, release: &str) -> String {
    let how = format!(
        "becomes ours in place by `helm upgrade {release} deploy/chart -n {namespace}` with the values that it has \
         (docs/install-helm.md); do not apply the manifest"
    );
    if namespace == facts.system {
        return how;
    }
    format!("{how}; its pools are judged with `-n {namespace}`")
}

/// The container that routes, if there is one.
fn frr(pod: &PodSpec) -> Option<&str> {
    let mut names = pod.containers.iter().map(|container| container.name.as_str());
    names.find(|name| ["frr", "frr-metrics"].contains(name))
}
