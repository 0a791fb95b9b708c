//! What a process still waits for before it is ready.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

/// What still keeps the process from being ready, and how many wait for it under one name. Cheap to clone; all clones are one.
///
/// A process is ready once every [`ReadyHandle`] that was taken is dropped: a task that never takes off can so not be
/// forgotten.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl Readiness {
    /// Makes the process wait for `what`, as `/readyz` will name it ("Services are listed"), until the handle is
    /// dropped; with one name for several, until all of them are. Take all handles before serving: with none, the
    /// process is ready.
    #[must_use]
    pub fn handle(&self, what: &'static str) -> ReadyHandle {
        *self.lock().entry(what).or_default() += 1;
        ReadyHandle {
            readiness: self.clone(),
            what,
        }
    }

    /// What is missing, in alphabetical order; empty when the process is ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the process from being ready while it lives.
#[derive(Debug)]
pub struct ReadyHandle {
    readiness: Readiness,
    what: &'static str,
}

impl ReadyHandle {
    /// The thing that was waited for is there. The same as dropping the handle.
    pub fn ready(self) {
        drop(self);
    }
}

impl Drop for ReadyHandle {
    fn drop(&mut self) {
        let mut waiting = self.readiness.lock();
        if let Entry::Occupied(mut handles) = waiting.entry(self.what) {
            *handles.get_mut() -= 1;
            if *handles.get() == 0 {
                handles.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests;
