//! Which Events were recorded lately, so that a repeat counts up the one that exists.

use std::collections::HashMap;

use tokio::time::Instant;

use super::{Note, REPEAT, Severity};

/// client-go's cache size. An entry is below 1 KiB, so 4 MiB at most.
pub(super) const ENTRIES: usize = 4096;

/// An Event that the API server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its `metadata.name`.
    pub(super) name: String,
    /// Its count, the repeat at hand included.
    pub(super) count: i32,
}

/// What makes two notes the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    uid: Option<String>,
    severity: Severity,
    reason: String,
    message: String,
}

#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<Key, (Known, Instant)>);

impl Cache {
    /// The Event that `note` repeats, counted up.
    pub(super) fn repeat(&mut self, note: &Note, now: Instant) -> Option<Known> {
        let (known, last) = self.0.get_mut(&key(note))?;
        if now.duration_since(*last) > REPEAT {
            return None;
        }
        *last = now;
        known.count += 1;
        Some(known.clone())
    }

    /// Notes a new Event. When the cache is full the longest silent entry goes: a scan of 4096 entries, at most once
    /// per request to the API server.
    pub(super) fn insert(&mut self, note: &Note, name: String, now: Instant) {
        let key = key(note);
        if self.0.len() >= ENTRIES && !self.0.contains_key(&key) {
            self.0.retain(|_, (_, last)| now.duration_since(*last) <= REPEAT);
            let oldest = self.0.values().map(|(_, last)| *last).min();
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= ENTRIES) {
                self.0.retain(|_, (_, last)| *last != oldest);
            }
        }
        self.0.insert(key, (Known { name, count: 1 }, now));
    }
}

fn key(note: &Note) -> Key {
    let involved = &note.involved;
    Key {
        kind: involved.kind.clone(),
        namespace: involved.namespace.clone(),
        name: involved.name.clone(),
        uid: involved.uid.clone(),
        severity: note.severity,
        reason: note.reason.clone(),
        message: note.message.clone(),
    }
}
