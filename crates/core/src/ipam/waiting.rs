//! Who waits for what: a change wakes exactly those whom it could help.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Port, Terms};
use crate::addr::Family;
use crate::name::{ReservationKey, ServiceKey};

/// What could help one who waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// This address becomes free, loses one of its holders, or enters a pool.
    Address(IpAddr),
    /// An address of this family becomes free in this pool.
    Free(String, Family),
    /// A holder with this sharing key and backend comes or goes, and an address of theirs does not have this port, one
    /// of those that the one who waits has.
    Sharing(String, String, Option<Port>),
    /// This pool appears or changes.
    Pool(String),
    /// Any pool appears or changes.
    AnyPool,
    /// This reservation appears, gets an address, or loses it.
    Reservation(ReservationKey),
}

/// Who waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Reservation(ReservationKey),
    Service(ServiceKey),
}

impl Who {
    fn namespace(&self) -> &str {
        match self {
            Self::Reservation(key) => key.namespace(),
            Self::Service(key) => key.namespace(),
        }
    }
}

/// A place in the queue: the oldest first, then by name.
pub(super) type Place = (i64, Who);

#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: BTreeMap<Wait, BTreeSet<Place>>,
    of: BTreeMap<Who, (i64, Vec<Wait>)>,
}

impl Waiting {
    /// Puts `who` into the queue of each of `waits`, in place of where it stood.
    pub(super) fn set(&mut self, who: Who, created: i64, waits: Vec<Wait>) {
        self.remove(&who);
        for wait in &waits {
            self.queues
                .entry(wait.clone())
                .or_default()
                .insert((created, who.clone()));
        }
        if !waits.is_empty() {
            self.of.insert(who, (created, waits));
        }
    }

    pub(super) fn remove(&mut self, who: &Who) {
        let Some((created, waits)) = self.of.remove(who) else {
            return;
        };
        let place = (created, who.clone());
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

    /// What those wait for who could share with a holder under `terms`.
    pub(super) fn sharers(&self, terms: &Terms) -> Vec<Wait> {
        let Some(key) = &terms.key else {
            return Vec::new();
        };
        let from = Wait::Sharing(key.clone(), terms.backend.clone(), None);
        let alike = |wait: &&Wait| matches!(wait, Wait::Sharing(their, backend, _) if their == key && *backend == terms.backend);
        let waits = self.queues.range(from..).map(|(wait, _)| wait);
        waits.take_while(alike).cloned().collect()
    }

    /// Those of a namespace that wait for anything.
    pub(super) fn of_namespace(&self, namespace: &str) -> Vec<Who> {
        let starts = [
            Who::Reservation(ReservationKey::new(namespace, "")),
            Who::Service(ServiceKey::new(namespace, "")),
        ];
        let kind = |start: Who| {
            let kind = std::mem::discriminant(&start);
            self.of
                .range(start..)
                .map(|(who, _)| who)
                .take_while(move |who| std::mem::discriminant(*who) == kind && who.namespace() == namespace)
        };
        starts.into_iter().flat_map(kind).cloned().collect()
    }
}
