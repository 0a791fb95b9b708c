//! The order of writes: pure, and without a clock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
};

use super::{Op, Priority, Write};

/// The writes that wait, by object. An object is in one of three states: ready, in hand (a request or a backoff is
/// under way), or absent.
#[derive(Debug)]
pub(super) struct Queue<K> {
    objects: HashMap<K, Object<K>>,
    /// Keys by the priority they were made ready at, in order of arrival. An object whose priority rose leaves its
    /// old entry behind; [`Object::ready`] tells it from the valid one.
    ready: BTreeMap<Priority, VecDeque<K>>,
}

#[derive(Debug)]
struct Object<K> {
    writes: VecDeque<Write<K>>,
    ready: Option<Priority>,
    /// Tries of the write at the front that ended without a judgment.
    failures: u32,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            objects: HashMap::new(),
            ready: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// Adds a write behind the others of its object, or in the place of the one that it supersedes.
    pub(super) fn push(&mut self, write: Write<K>) {
        let key = write.key.clone();
        match self.objects.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Object {
                    writes: VecDeque::from([write]),
                    ready: None,
                    failures: 0,
                });
                self.make_ready(&key);
            }
            Entry::Occupied(mut occupied) => {
                let object = occupied.get_mut();
                match object
                    .writes
                    .iter_mut()
                    .rev()
                    .find(|waiting| supersedes(&write, waiting))
                {
                    Some(waiting) => *waiting = write,
                    None => object.writes.push_back(write),
                }
                if object.ready.is_some() {
                    self.make_ready(&key);
                }
            }
        }
    }

    /// Takes the next write in hand. Its object is passed over until [`done`](Self::done) or [`wake`](Self::wake).
    pub(super) fn pop(&mut self) -> Option<Write<K>> {
        for (priority, keys) in self.ready.iter_mut().rev() {
            while let Some(key) = keys.pop_front() {
                let Some(object) = self
                    .objects
                    .get_mut(&key)
                    .filter(|object| object.ready == Some(*priority))
                else {
                    continue;
                };
                object.ready = None;
                return object.writes.pop_front();
            }
        }
        None
    }

    /// The write in hand was judged: the object's next one may go.
    pub(super) fn done(&mut self, key: &K) {
        let Some(object) = self.objects.get_mut(key) else {
            return;
        };
        object.failures = 0;
        if object.writes.is_empty() {
            self.objects.remove(key);
        } else {
            self.make_ready(key);
        }
    }

    /// The write in hand was not judged: it goes back to the front, unless a newer one supersedes it. Returns how
    /// often that has happened before; the object stays in hand until [`wake`](Self::wake).
    pub(super) fn put_back(&mut self, write: Write<K>) -> u32 {
        let object = self
            .objects
            .get_mut(&write.key)
            .expect("a write in hand has its object in the queue");
        if !object.writes.iter().any(|newer| supersedes(newer, &write)) {
            object.writes.push_front(write);
        }
        let failures = object.failures;
        object.failures = failures.saturating_add(1);
        failures
    }

    /// The backoff of an object is over.
    pub(super) fn wake(&mut self, key: &K) {
        if self
            .objects
            .get(key)
            .is_some_and(|object| object.writes.is_empty())
        {
            self.objects.remove(key);
        } else {
            self.make_ready(key);
        }
    }

    /// Drops every write that waits, and returns how many they were. Objects in hand stay so.
    pub(super) fn clear(&mut self) -> usize {
        let mut dropped = 0;
        self.objects.retain(|_, object| {
            dropped += object.writes.len();
            object.writes.clear();
            object.ready.take().is_none()
        });
        self.ready.clear();
        dropped
    }

    /// Whether no write may be taken in hand now.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.values().all(VecDeque::is_empty)
    }

    /// Objects that wait or are in hand.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing waits and nothing is in hand.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Puts an object in the line of its highest priority, if it is not there yet.
    fn make_ready(&mut self, key: &K) {
        let object = self
            .objects
            .get_mut(key)
            .expect("only objects with writes are made ready");
        let priority = object.writes.iter().map(|write| write.priority).max();
        if object.ready != priority
            && let Some(priority) = priority
        {
            object.ready = Some(priority);
            self.ready.entry(priority).or_default().push_back(key.clone());
        }
    }
}

fn supersedes<K>(newer: &Write<K>, waiting: &Write<K>) -> bool {
    let same = match (&newer.op, &waiting.op) {
        (
            Op::Patch { subresource, .. },
            Op::Patch {
                subresource: other, ..
            },
        ) => subresource == other,
        (
            Op::Apply {
                subresource, manager, ..
            },
            Op::Apply {
                subresource: other,
                manager: others,
                ..
            },
        ) => (subresource, manager) == (other, others),
        _ => false,
    };
    newer.supersede && newer.priority == waiting.priority && same
}
