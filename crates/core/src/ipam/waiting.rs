//! Who waits for what: a change wakes exactly those whom it could help.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Port;
use super::sharing::Club;
use crate::addr::Family;
use crate::few::Few;
use crate::name::{ReservationKey, ServiceKey};

/// What could help one who waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// This address becomes free, loses one of its holders, or enters a pool.
    Address(IpAddr),
    /// An address of this family becomes free in this pool.
    Free(Arc<str>, Family),
    /// This port, one of those that the one who waits has, is no longer taken on every address of those with whom it
    /// could share. None for who has no ports.
    Sharing(Club, Option<Port>),
    /// This pool appears or changes.
    Pool(Arc<str>),
    /// Any pool appears or changes.
    AnyPool,
    /// This reservation appears or goes, gets an address or loses it, or has none for another reason.
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

    /// Everything that those wait for who could share with the holders in `club`.
    pub(super) fn sharers(&self, club: &Club) -> Few<Wait> {
        let waits = self.queues.range(Wait::Sharing(club.clone(), None)..);
        let waits = waits.map(|(wait, _)| wait);
        let alike = |wait: &&Wait| matches!(wait, Wait::Sharing(their, _) if their == club);
        waits.take_while(alike).cloned().collect()
    }

    /// Whether anybody waits for that.
    pub(super) fn contains(&self, wait: &Wait) -> bool {
        self.queues.contains_key(wait)
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
