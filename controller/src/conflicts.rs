//! Which Services have an address that somebody else on the segment has: as the speakers say in their
//! `ServiceL2Status`.
//!
//! What was said is true until a speaker says otherwise, by an object that does not say so any more or that announces the
//! Service. An object that is gone says nothing: it goes with its pod, and the next speaker on the node is to know.
//!
//! Pure: [`Conflicts::statuses`] and [`Conflicts::services`] take in changes, [`Conflicts::settle`] hands out what is new.

use crate::announced::Announcer;
use crate::index::View;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::translate::conflict::Contested;
use cortenlb_kit::watch::Change;
use std::collections::{BTreeMap, BTreeSet};

/// What was said of each Service.
#[derive(Debug, Default)]
pub struct Conflicts {
    /// With the name of the object that says so.
    known: BTreeMap<ServiceKey, (String, Contested)>,
    /// Whether all objects have been listed, and something has changed since it was handed out.
    is_listed: bool,
    is_new: bool,
}

impl Conflicts {
    /// Takes in a change of the speakers' objects.
    pub fn statuses(&mut self, change: &Change<Announcer>) {
        match change {
            Change::Apply(object) => self.apply(object),
            Change::Delete(_) => {}
            Change::Reset(objects) => {
                self.is_new |= !self.is_listed;
                self.is_listed = true;
                objects.iter().for_each(|object| self.apply(object));
            }
        }
    }

    /// Takes in a change of Services: of one that is gone nothing is known.
    pub fn services(&mut self, change: &Change<View>) {
        let before = self.known.len();
        match change {
            Change::Apply(_) => {}
            Change::Delete(view) => drop(self.known.remove(&view.key)),
            Change::Reset(_) if self.known.is_empty() => {}
            Change::Reset(views) => {
                let present: BTreeSet<&ServiceKey> = views.iter().map(|view| &view.key).collect();
                self.known.retain(|key, _| present.contains(key));
            }
        }
        self.is_new |= self.known.len() != before;
    }

    /// What is known of all Services, if that has changed since the last call.
    pub fn settle(&mut self) -> Option<BTreeMap<ServiceKey, Contested>> {
        let is_told = self.is_listed && std::mem::take(&mut self.is_new);
        let known = self.known.iter();
        is_told.then(|| {
            known
                .map(|(key, (_, found))| (key.clone(), found.clone()))
                .collect()
        })
    }

    fn apply(&mut self, object: &Announcer) {
        let Some(service) = &object.service else { return };
        let known = self.known.get(service);
        if !object.contested.is_empty() {
            let said = (object.name.clone(), object.contested.clone());
            if known != Some(&said) {
                self.known.insert(service.clone(), said);
                self.is_new = true;
            }
        } else if known.is_some_and(|(name, _)| *name == object.name || object.announces.is_some()) {
            self.known.remove(service);
            self.is_new = true;
        }
    }
}

#[cfg(test)]
mod tests;
