//! The Services that are to have an address and have none, and how long it takes until they do.
//!
//! Measured is what this controller can do something about: from the moment at which it sees the Service until the API
//! server has the address. A Service that was told why it gets none waits for something else, a pool say, and is no longer
//! measured.
//!
//! Pure: times are handed in.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use cortenlb_core::name::ServiceKey;
use cortenlb_core::time::Instant;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::Outcome;

use crate::index::{Key, View};

/// Since when each of them waits; `None`: it was told why. A tree gives its memory back after thousands have waited; a hash
/// table would keep it.
#[derive(Debug, Default)]
pub struct Pending(BTreeMap<ServiceKey, Option<Instant>>);

impl Pending {
    /// Takes in a change of Services.
    pub fn services(&mut self, now: Instant, change: &Change<View>) {
        match change {
            Change::Apply(view) => self.apply(now, view),
            Change::Delete(view) => drop(self.0.remove(&view.key)),
            Change::Reset(views) => {
                let present: HashSet<&ServiceKey> = views.iter().map(|view| &view.key).collect();
                self.0.retain(|key, _| present.contains(key));
                views.iter().for_each(|view| self.apply(now, view));
            }
        }
    }

    /// A write was answered. Returns how long its Service has waited, if it has an address by it.
    pub fn written(&mut self, now: Instant, outcome: &Outcome<Key>) -> Option<Duration> {
        let (Key::Service(key), Ok(Some(object))) = (&outcome.write.key, &outcome.result) else {
            return None;
        };
        let ingress = object.data.pointer("/status/loadBalancer/ingress")?.as_array()?;
        if ingress.is_empty() {
            return None;
        }
        let since = self.0.remove(key)??;
        Some(now - since)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn apply(&mut self, now: Instant, view: &View) {
        if !view.is_pending() {
            self.0.remove(&view.key);
            return;
        }
        let since = self.0.entry(view.key.clone()).or_insert(Some(now));
        if view.is_refused() {
            *since = None;
        }
    }
}

#[cfg(test)]
mod tests;
