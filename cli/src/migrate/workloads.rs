//! MetalLB's Deployment and DaemonSet: whether ours come in their place.

use std::collections::BTreeMap;

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

/// And the release's namespace here.
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// What the workloads of MetalLB's chart, and of ours, are called in [`NAME`]. That of FRR-K8s is a part of MetalLB's.
const OF_THE_CHART: [&str; 2] = ["metallb", "frr-k8s"];

/// The label with a chart's name.
const NAME: &str = "app.kubernetes.io/name";

/// What matters of a Deployment or DaemonSet.
struct Workload<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    /// Of its pods.
    labels: Option<&'a BTreeMap<String, String>>,
    pod: Option<&'a PodSpec>,
    release: Option<Release<'a>>,
}

/// Whose it is by Helm's account.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Release<'a> {
    name: &'a str,
    namespace: &'a str,
}

impl<'a> Workload<'a> {
    fn of(kind: &'static str, meta: &'a ObjectMeta, template: Option<&'a PodTemplateSpec>) -> Self {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let annotation = |key: &str| {
            let value = meta.annotations.as_ref()?.get(key)?;
            Some(value.as_str())
        };
        let labels = template.and_then(|template| template.metadata.as_ref()?.labels.as_ref());
        Self {
            kind,
            namespace,
            name: meta.name.as_deref().unwrap_or_default(),
            labels,
            pod: template.and_then(|template| template.spec.as_ref()),
            release: annotation(RELEASE).map(|name| Release {
                name,
                namespace: annotation(RELEASE_NAMESPACE).unwrap_or(namespace),
            }),
        }
    }

    fn label(&self, key: &str) -> Option<&'a str> {
        self.labels?.get(key).map(String::as_str)
    }

    /// It has the labels of MetalLB's manifests or of its chart, and not ours.
    fn is_metallbs(&self) -> bool {
        let is_metallb = self.label("app") == Some("metallb") || self.label(NAME) == Some("metallb");
        is_metallb && self.label(names::COMPONENT).is_none()
    }

    /// MetalLB's chart has no such workload, nor has ours.
    fn is_foreign(&self) -> bool {
        self.label("app") != Some("metallb")
            && self.label(NAME).is_none_or(|name| !OF_THE_CHART.contains(&name))
    }
}

/// Those with the labels of MetalLB's manifests or of its chart.
///
/// What has to be deleted, or looked at, before ours is applied is a step.
pub(super) fn look(facts: &Facts, around: &Around, objects: &mut Vec<ObjectLine>, steps: &mut Vec<String>) {
    let deployments = around.deployments.iter().map(|object| {
        let template = object.spec.as_ref().map(|spec| &spec.template);
        Workload::of("Deployment", &object.metadata, template)
    });
    let daemon_sets = around.daemon_sets.iter().map(|object| {
        let template = object.spec.as_ref().map(|spec| &spec.template);
        Workload::of("DaemonSet", &object.metadata, template)
    });
    let all: Vec<Workload<'_>> = deployments.chain(daemon_sets).collect();
    for workload in all.iter().filter(|workload| workload.is_metallbs()) {
        let (verdict, how) = judge(facts, &all, workload, steps);
        objects.push(ObjectLine {
            kind: workload.kind.to_owned(),
            name: format!("{}/{}", workload.namespace, workload.name),
            verdict,
            how,
        });
    }
}

fn judge(
    facts: &Facts,
    all: &[Workload<'_>],
    workload: &Workload<'_>,
    steps: &mut Vec<String>,
) -> (Verdict, String) {
    let Workload {
        kind,
        namespace,
        name,
        ..
    } = workload;
    let deletion = format!("kubectl delete {} -n {namespace} {name}", kind.to_lowercase());
    if let Some(container) = workload.pod.and_then(frr) {
        let how = format!("container {container}: routing by FRR is not supported");
        return (Verdict::NotSupported, how);
    }
    if let Some(release) = workload.release {
        let is_beside = |other: &&Workload<'_>| other.release == Some(release) && other.is_foreign();
        let Some(other) = all.iter().find(is_beside) else {
            return (Verdict::Kept, upgraded(facts, namespace, release));
        };
        let step = manifest(release);
        if !steps.contains(&step) {
            steps.push(step);
        }
        return (Verdict::Different, shared(release, other));
    }
    if *namespace != facts.system {
        steps.push(deletion);
        let how = format!(
            "it is in namespace {namespace}, where it is not waited for: delete it before ours is applied"
        );
        return (Verdict::Different, how);
    }
    if NAMES.contains(name) {
        let how = "replaced by ours of the same name; nothing is announced by both";
        return (Verdict::Kept, how.to_owned());
    }
    let how = format!(
        "ours has another name: delete it when ours has been applied ({deletion}); until then ours waits"
    );
    (Verdict::Different, how)
}

/// Shows what a release holds.
fn manifest(release: Release<'_>) -> String {
    format!("helm get manifest {} -n {}", release.name, release.namespace)
}

/// A release of MetalLB alone becomes one of ours in place, in whatever namespace it is.
fn upgraded(facts: &Facts, namespace: &str, release: Release<'_>) -> String {
    let how = format!(
        "becomes ours in place by `helm upgrade {} deploy/chart -n {}` with the values that it has \
         (docs/install-helm.md), if the release holds MetalLB alone (`{}`); do not apply the manifest",
        release.name,
        release.namespace,
        manifest(release)
    );
    if namespace == facts.system {
        return how;
    }
    format!("{how}; its pools are judged with `-n {namespace}`")
}

/// A release of a chart that has MetalLB's among its dependencies: Helm deletes what another chart does not have.
fn shared(release: Release<'_>, other: &Workload<'_>) -> String {
    format!(
        "its release {} holds more than MetalLB ({} {}/{}), which an upgrade of it to deploy/chart would delete: in the \
         release's own chart put deploy/chart in the place of MetalLB's, by the same name (`alias`), and upgrade to that; do \
         not apply the manifest",
        release.name, other.kind, other.namespace, other.name
    )
}

/// The container that routes, if there is one.
fn frr(pod: &PodSpec) -> Option<&str> {
    let mut names = pod.containers.iter().map(|container| container.name.as_str());
    names.find(|name| ["frr", "frr-metrics"].contains(name))
}
