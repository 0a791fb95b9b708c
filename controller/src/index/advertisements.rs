//! L2Advertisements: each is told once of the pools that it names and that are not there.

use std::collections::BTreeMap;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_crds::L2Advertisement;
use cortenlb_crds::translate::announce::unknown_pools;
use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};

use super::patch::listed;
use super::pools::Pools;

/// Of what is applied at once an advertisement may come before the pools that it names.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The advertisements that there are, by UID.
#[derive(Debug, Default)]
pub(super) struct Advertisements {
    known: BTreeMap<String, Known>,
    /// Those that are still to be judged, and when.
    waiting: BTreeMap<String, Instant>,
}

#[derive(Debug)]
struct Known {
    object: ObjectReference,
    generation: Option<i64>,
    /// `spec.ipAddressPools`.
    pools: Vec<String>,
}

impl Advertisements {
    /// Takes in a change.
    pub(super) fn change(&mut self, now: Instant, change: Change<L2Advertisement>) {
        match change {
            Change::Apply(object) => self.apply(now, object),
            Change::Delete(object) => {
                let uid = object.uid().unwrap_or_default();
                self.known.remove(&uid);
                self.waiting.remove(&uid);
            }
            Change::Reset(objects) => {
                let present: Vec<String> = objects.iter().filter_map(ResourceExt::uid).collect();
                self.known.retain(|uid, _| present.contains(uid));
                self.waiting.retain(|uid, _| present.contains(uid));
                for object in objects {
                    self.apply(now, object);
                }
            }
        }
    }

    /// A new term: nobody has been told anything in it.
    pub(super) fn restart(&mut self, now: Instant) {
        let uids = self.known.keys().cloned();
        self.waiting = uids.map(|uid| (uid, now + PATIENCE)).collect();
    }

    /// When [`judge`](Self::judge) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.values().min().copied()
    }

    /// What is to be said of those that are due. A pool that goes later is told to the Services that have its addresses.
    pub(super) fn judge(&mut self, now: Instant, pools: &Pools) -> Vec<Note> {
        let due = self.waiting.extract_if(.., |_, due| *due <= now);
        let due = due.filter_map(|(uid, _)| self.known.get(&uid));
        due.filter_map(|known| known.note(pools)).collect()
    }

    fn apply(&mut self, now: Instant, object: L2Advertisement) {
        let uid = object.uid().unwrap_or_default();
        let known = Known {
            object: object.object_ref(&()),
            generation: object.metadata.generation,
            pools: object.spec.ip_address_pools,
        };
        let generation = known.generation;
        let old = self.known.insert(uid.clone(), known);
        if old.is_none_or(|old| old.generation != generation) {
            self.waiting.insert(uid, now + PATIENCE);
        }
    }
}

impl Known {
    fn note(&self, pools: &Pools) -> Option<Note> {
        let unknown = unknown_pools(&self.pools, |name| pools.has(name));
        if unknown.is_empty() {
            return None;
        }
        let unknown = listed(unknown, ", ");
        let there = listed(pools.names().map(str::to_owned).collect(), ", ");
        let there = if there.is_empty() { "none" } else { &there };
        Some(Note {
            involved: self.object.clone(),
            severity: Severity::Warning,
            reason: "UnknownPool".to_owned(),
            message: format!(
                "there is no IPAddressPool of this name: {unknown}; until there is one, it gives this advertisement no \
                 new address to announce; correct the name, or create the pool; those that exist: {there}"
            ),
        })
    }
}
