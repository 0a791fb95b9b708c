//! BGP peers: each is told once that BGP is not supported.

use std::collections::BTreeMap;

use cortenlb_crds::BGPPeer;
use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use kube::{Resource, ResourceExt};

/// The peers that there are, by UID, with the generation that has been told and what is told.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<String, (Option<i64>, Note)>);

impl Peers {
    /// Takes in a change; returns what is to be said about it.
    pub(super) fn change(&mut self, change: Change<BGPPeer>) -> Vec<Note> {
        match change {
            Change::Apply(object) => self.apply(&object).into_iter().collect(),
            Change::Delete(object) => {
                self.0.remove(&object.uid().unwrap_or_default());
                Vec::new()
            }
            Change::Reset(objects) => {
                let present: Vec<String> = objects.iter().filter_map(ResourceExt::uid).collect();
                self.0.retain(|uid, _| present.contains(uid));
                objects.iter().filter_map(|object| self.apply(object)).collect()
            }
        }
    }

    /// What is to be said about all of them.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.0.values().map(|(_, note)| note.clone()).collect()
    }

    fn apply(&mut self, object: &BGPPeer) -> Option<Note> {
        let generation = object.metadata.generation;
        let note = Note {
            involved: object.object_ref(&()),
            severity: Severity::Warning,
            reason: "BGPNotSupported".to_owned(),
            message: "BGP is not supported by this version; this peer has no effect, addresses are announced on the \
                      local segment (layer 2) only"
                .to_owned(),
        };
        let told = self
            .0
            .insert(object.uid().unwrap_or_default(), (generation, note.clone()));
        told.is_none_or(|(told, _)| told != generation).then_some(note)
    }
}
