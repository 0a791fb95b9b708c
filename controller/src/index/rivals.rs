//! MetalLB's controller: while a pod of it runs, both would give addresses.

use std::collections::BTreeMap;

use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::{Resource, ResourceExt};

use super::input::Verdict;

/// The reason of the condition and of the Event.
const REASON: &str = "MetalLBRunning";

/// The running controller pods of MetalLB, by name.
#[derive(Debug, Default)]
pub(super) struct Rivals(BTreeMap<String, ObjectReference>);

impl Rivals {
    /// Takes in a change; returns what is to be said about it.
    pub(super) fn change(&mut self, change: Change<Pod>) -> Vec<Note> {
        match change {
            Change::Apply(pod) => self.apply(&pod).into_iter().collect(),
            Change::Delete(pod) => {
                self.0.remove(&pod.name_any());
                Vec::new()
            }
            Change::Reset(pods) => {
                self.0
                    .retain(|name, _| pods.iter().any(|pod| pod.name_any() == *name));
                pods.iter().filter_map(|pod| self.apply(pod)).collect()
            }
        }
    }

    pub(super) fn are_running(&self) -> bool {
        !self.0.is_empty()
    }

    /// What is to be said about all of them.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.0.values().map(note).collect()
    }

    /// Why a Service gets no address; none if none of them runs.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        (!names.is_empty()).then(|| Verdict {
            status: false,
            reason: REASON.to_owned(),
            message: format!(
                "no address is given while MetalLB's controller runs (pod {}): it goes when its Deployment is replaced \
                 or deleted",
                names.join(", ")
            ),
        })
    }

    fn apply(&mut self, pod: &Pod) -> Option<Note> {
        let name = pod.name_any();
        if !is_metallbs_controller(pod) || !is_running(pod) {
            self.0.remove(&name);
            return None;
        }
        let reference = pod.object_ref(&());
        let known = self.0.insert(name, reference.clone());
        known.is_none().then(|| note(&reference))
    }
}

fn note(pod: &ObjectReference) -> Note {
    Note {
        involved: pod.clone(),
        severity: Severity::Warning,
        reason: REASON.to_owned(),
        message: "CortenLB gives no addresses while this controller of MetalLB runs".to_owned(),
    }
}

/// By the labels of MetalLB's manifests, or of its Helm chart. Those of ours are not even watched.
fn is_metallbs_controller(pod: &Pod) -> bool {
    let has = |key: &str, value: &str| pod.labels().get(key).is_some_and(|is| is == value);
    (has("app", "metallb") && has("component", "controller"))
        || (has("app.kubernetes.io/name", "metallb") && has("app.kubernetes.io/component", "controller"))
}

/// A pod that is being deleted counts until its containers have ended; on a node that is lost nobody will say so, but
/// Kubernetes has taken its readiness away.
fn is_running(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let running = status.is_some_and(|status| status.phase.as_deref() == Some("Running"));
    let mut conditions = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten();
    let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
    running && (ready || pod.metadata.deletion_timestamp.is_none())
}
