//! The Services that are to have an address and have none, and how long it takes until they do.
//!
//! Measured is what this controller can do something about: from the moment at which it sees the Service until it sees the
//! address there, as everybody who watches does. Both are told by one watch, in their order; the answer to the write
//! comes before or after that. A Service that was told why it gets none waits for something else, a pool say, and is no
//! longer measured.
//!
//! Pure: times are handed in.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use cortenlb_core::name::ServiceKey;
use cortenlb_core::time::Instant;
use cortenlb_kit::watch::Change;

use crate::index::View;

/// Since when each of them waits; `None`: it was told why. A tree gives its memory back after thousands have waited; a hash
/// table would keep it.
#[derive(Debug, Default)]
pub struct Pending(BTreeMap<ServiceKey, Option<Instant>>);

impl Pending {
    /// Takes in a change of Services. Returns how long those have waited that have an address by it.
    pub fn services(&mut self, now: Instant, change: &Change<View>) -> Vec<Duration> {
        match change {
            Change::Apply(view) => self.apply(now, view).into_iter().collect(),
            Change::Delete(view) => {
                self.0.remove(&view.key);
                Vec::new()
            }
            Change::Reset(views) => {
                let present: HashSet<&ServiceKey> = views.iter().map(|view| &view.key).collect();
                self.0.retain(|key, _| present.contains(key));
                views.iter().filter_map(|view| self.apply(now, view)).collect()
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn apply(&mut self, now: Instant, view: &View) -> Option<Duration> {
        if !view.is_pending() {
            let since = self.0.remove(&view.key)??;
            return view.has_address().then(|| now - since);
        }
        let since = self.0.entry(view.key.clone()).or_insert(Some(now));
        if view.is_refused() {
            *since = None;
        }
        None
    }
}

#[cfg(test)]
mod tests;
