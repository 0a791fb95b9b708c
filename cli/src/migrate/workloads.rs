//! MetalLB's Deployment and DaemonSet: whether ours come in their place.

use cortenlb_crds::names;
use k8s_openapi::api::core::v1::PodSpec;

use super::{ObjectLine, Verdict};
use crate::facts::{Around, Facts, Workload};

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

/// Whose it is by Helm's account.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Release<'a> {
    name: &'a str,
    namespace: &'a str,
}

impl<'a> Release<'a> {
    fn of(workload: &Workload<'a>) -> Option<Self> {
        Some(Self {
            name: workload.annotation(RELEASE)?,
            namespace: workload
                .annotation(RELEASE_NAMESPACE)
                .unwrap_or(workload.namespace),
        })
    }
}

/// Whether it has the labels of MetalLB's manifests or of its chart, and not ours.
fn is_metallbs(workload: &Workload<'_>) -> bool {
    let is_metallb = workload.label("app") == Some("metallb") || workload.label(NAME) == Some("metallb");
    is_metallb && workload.label(names::COMPONENT).is_none()
}

/// Whether MetalLB's chart has no such workload, nor has ours.
fn is_foreign(workload: &Workload<'_>) -> bool {
    workload.label("app") != Some("metallb")
        && workload
            .label(NAME)
            .is_none_or(|name| !OF_THE_CHART.contains(&name))
}

/// Those with the labels of MetalLB's manifests or of its chart.
///
/// What has to be deleted, or looked at, before ours is applied is a step.
pub(super) fn look(facts: &Facts, around: &Around, objects: &mut Vec<ObjectLine>, steps: &mut Vec<String>) {
    let all: Vec<Workload<'_>> = around.workloads().collect();
    for workload in all.iter().filter(|workload| is_metallbs(workload)) {
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
    if let Some(release) = Release::of(workload) {
        let is_beside = |other: &&Workload<'_>| Release::of(other) == Some(release) && is_foreign(other);
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
