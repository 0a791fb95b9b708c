//! Who waits for what: a change wakes exactly those whom it could help.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::addr::Family;
use crate::name::ServiceKey;

/// What could help a Service that waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// This address becomes free, loses one of its holders, or enters a pool.
    Address(IpAddr),
    /// An address of this family becomes free in this pool.
    Free(String, Family),
    /// A holder with this sharing key comes or goes.
    Sharing(String),
    /// This pool appears or changes.
    Pool(String),
    /// Any pool appears or changes.
    AnyPool,
}

/// A place in the queue: the oldest Service first, then by name.
pub(super) type Place = (i64, ServiceKey);

#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: BTreeMap<Wait, BTreeSet<Place>>,
    of: BTreeMap<ServiceKey, (i64, Vec<Wait>)>,
}

impl Waiting {
    /// Puts `service` into the queue of each of `waits`, in place of where it stood.
    pub(super) fn set(&mut self, service: &ServiceKey, created: i64, waits: Vec<Wait>) {
        self.remove(service);
        for wait in &waits {
            self.queues
                .entry(wait.clone())
                .or_default()
                .insert((created, service.clone()));
        }
        if !waits.is_empty() {
            self.of.insert(service.clone(), (created, waits));
        }
    }

    pub(super) fn remove(&mut self, service: &ServiceKey) {
        let Some((created, waits)) = self.of.remove(service) else {
            return;
        };
        let place = (created, service.clone());
        for wait in waits {
            if let Some(queue) = self.queues.get_mut(&wait) {
                queue.remove(&place);
                if queue.is_empty() {
                    self.queues.remove(&wait);
                }
            }
        }
    }

    /// The first in the queue of `wait` behind `after`.
    pub(super) fn next(&self, wait: &Wait, after: Option<&Place>) -> Option<Place> {
        use std::ops::Bound::{Excluded, Unbounded};
        let queue = self.queues.get(wait)?;
        queue
            .range((after.map_or(Unbounded, Excluded), Unbounded))
            .next()
            .cloned()
    }

    /// The addresses between `first` and `last` that somebody waits for.
    pub(super) fn addresses(&self, first: IpAddr, last: IpAddr) -> Vec<Wait> {
        self.queues
            .range(Wait::Address(first)..=Wait::Address(last))
            .map(|(wait, _)| wait.clone())
            .collect()
    }

    /// Those of a namespace that wait for anything.
    pub(super) fn of_namespace(&self, namespace: &str) -> Vec<ServiceKey> {
        let start = ServiceKey::new(namespace, "");
        self.of
            .range(start..)
            .map(|(key, _)| key)
            .take_while(|key| key.namespace == namespace)
            .cloned()
            .collect()
    }
}
