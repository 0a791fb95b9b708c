//! Which Events were recorded lately, so that a repeat counts up the one that exists.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use tokio::time::Instant;

use super::{Note, REPEAT};

/// client-go's cache size. An entry is below 128 bytes, so 512 KiB at most.
pub(super) const ENTRIES: usize = 4096;

/// An Event that the API server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its `metadata.name`.
    pub(super) name: String,
    /// Its count, the repeat at hand included.
    pub(super) count: i32,
}

/// By a hash of what makes two notes the same: their texts would take ten times the room of all else. Two of 4096 have
/// the same hash by chance once in 10^12 times, and then an Event is counted up instead of another one made.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: HashMap<u64, (Known, Instant)>,
    hasher: RandomState,
}

impl Cache {
    /// The Event that `note` repeats, counted up.
    pub(super) fn repeat(&mut self, note: &Note, now: Instant) -> Option<Known> {
        let (known, last) = self.known.get_mut(&self.key(note))?;
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
        let key = self.key(note);
        if self.known.len() >= ENTRIES && !self.known.contains_key(&key) {
            self.known
                .retain(|_, (_, last)| now.duration_since(*last) <= REPEAT);
            let oldest = self.known.values().map(|(_, last)| *last).min();
            if let Some(oldest) = oldest.filter(|_| self.known.len() >= ENTRIES) {
                self.known.retain(|_, (_, last)| *last != oldest);
            }
        }
        self.known.insert(key, (Known { name, count: 1 }, now));
    }

    fn key(&self, note: &Note) -> u64 {
        let involved = &note.involved;
        let object = (&involved.kind, &involved.namespace, &involved.name, &involved.uid);
        self.hasher
            .hash_one((object, note.severity, &note.reason, &note.message))
    }
}
