//! MetalLB's pods: while its controller runs, both would give addresses; while a speaker of it runs, both would answer.

use std::collections::BTreeMap;

use cortenlb_crds::translate::announce::{is_metallbs, is_ready};
use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::{Resource, ResourceExt};

use super::input::Verdict;

/// The reason of the condition and of the Event.
const REASON: &str = "MetalLBRunning";

/// What a pod of MetalLB is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Its controller, which runs.
    Controller,
    /// A speaker, which is Ready: what it means for announcing is the speakers' to decide.
    Speaker,
}

/// The pods of MetalLB that do something, by name.
#[derive(Debug, Default)]
pub(super) struct Rivals(BTreeMap<String, (Part, ObjectReference)>);

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
        self.controllers().next().is_some()
    }

    /// The names of the controller's pods.
    fn controllers(&self) -> impl Iterator<Item = &str> {
        let controllers = self.0.iter().filter(|(_, (part, _))| *part == Part::Controller);
        controllers.map(|(name, _)| name.as_str())
    }

    /// What is to be said about all of them.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.0.values().map(|(part, pod)| note(*part, pod)).collect()
    }

    /// Why a Service gets no address; none if none of them runs.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let names: Vec<&str> = self.controllers().collect();
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
        let part = if is_metallbs(pod, "controller") && is_running(pod) {
            Part::Controller
        } else if is_metallbs(pod, "speaker") && is_ready(pod) {
            Part::Speaker
        } else {
            self.0.remove(&name);
            return None;
        };
        let reference = pod.object_ref(&());
        let known = self.0.insert(name, (part, reference.clone()));
        known.is_none().then(|| note(part, &reference))
    }
}

fn note(part: Part, pod: &ObjectReference) -> Note {
    let message = match part {
        Part::Controller => "CortenLB gives no addresses while this controller of MetalLB runs",
        Part::Speaker => "CortenLB announces no addresses while this speaker of MetalLB runs",
    };
    Note {
        involved: pod.clone(),
        severity: Severity::Warning,
        reason: REASON.to_owned(),
        message: message.to_owned(),
    }
}

/// A pod that is being deleted counts until its containers have ended; on a node that is lost nobody will say so, but
/// Kubernetes has taken its readiness away.
fn is_running(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let running = status.is_some_and(|status| status.phase.as_deref() == Some("Running"));
    running && (is_ready(pod) || pod.metadata.deletion_timestamp.is_none())
}
