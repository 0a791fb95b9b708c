//! Addresses that somebody else on the segment has: what their Services say, who gets another one, and who is given them
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::CONDITION_ADDRESS_CONFLICT;
use cortenlb_crds::translate::conflict::Contested;

use super::Index;
use super::input::{Now, Verdict};
use super::record::Record;

/// A Service that was given its address within this time gets another one: nobody can have come to rely on it.
const YOUNG: Duration = Duration::from_secs(10);

/// For so long nobody is given such an address who does not ask for it by name. Then it is tried again, which costs its
/// Service some two seconds if that station is still there.
const QUARANTINE: Duration = Duration::from_secs(600);

/// The reason of the condition.
const IN_USE: &str = "InUseOnSegment";

impl Index {
    /// Takes in which addresses somebody else has.
    pub(super) fn contested(&mut self, now: Now, contested: BTreeMap<ServiceKey, Contested>) {
        let is_first = self.contested.is_none();
        let before = self.contested.take().unwrap_or_default();
        let changed = contested
            .iter()
            .filter(|(key, found)| before.get(*key) != Some(*found));
        let gone = before.keys().filter(|key| !contested.contains_key(*key));
        let mut concerned: BTreeSet<ServiceKey> = changed.map(|(key, _)| key).chain(gone).cloned().collect();
        self.contested = Some(contested);
        if is_first {
            // Some may say so from before.
            let services = self.services.iter();
            let said =
                services.filter(|(_, record)| record.seen.condition(CONDITION_ADDRESS_CONFLICT).is_some());
            concerned.extend(said.map(|(key, _)| key.clone()));
        }
        for key in concerned {
            self.quarantine(&key);
            self.replace_young(now, &key);
            self.reconcile(now, &key);
        }
        self.drain(now);
    }

    /// All of them, after a start.
    pub(super) fn quarantine_all(&mut self) {
        let keys: Vec<ServiceKey> = self
            .contested
            .iter()
            .flatten()
            .map(|(key, _)| key.clone())
            .collect();
        keys.iter().for_each(|key| self.quarantine(key));
    }

    /// Those of its addresses that somebody else has are not given to others.
    fn quarantine(&mut self, key: &ServiceKey) {
        let Some(found) = self.contested.as_ref().and_then(|known| known.get(key)) else {
            return;
        };
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        let Some(held) = allocator.assignment(key) else {
            return;
        };
        let addresses: Vec<IpAddr> = held.addresses.clone();
        for address in addresses
            .into_iter()
            .filter(|address| found.contains_key(address))
        {
            allocator.quarantine(address, QUARANTINE);
        }
    }

    /// Gives a Service another address that was given this one a moment ago and did not ask for it by name.
    fn replace_young(&mut self, now: Now, key: &ServiceKey) {
        let found = self.contested.as_ref().and_then(|known| known.get(key));
        let (Some(found), Some(allocator), Some(record)) =
            (found, &mut self.allocator, self.services.get(key))
        else {
            return;
        };
        let is_young = record.given.as_ref().is_some_and(|(at, addresses)| {
            now.boot - *at < YOUNG && addresses.iter().any(|address| found.contains_key(address))
        });
        if is_young && allocator.replace(key) {
            tracing::warn!(service = %key, ?found, "somebody else has the address: the Service gets another one");
        }
    }

    /// What the condition of a Service says that holds these addresses; none while it is not known.
    pub(super) fn conflict(&self, key: &ServiceKey, record: &Record) -> Option<Option<Verdict>> {
        let known = self.contested.as_ref()?;
        let held = self
            .allocator
            .as_ref()
            .and_then(|allocator| allocator.assignment(key));
        let found = known.get(key).filter(|_| record.seen.wants.is_some());
        let found = found.into_iter().flatten().find(|(address, _)| {
            let mut held = held.into_iter().flat_map(|held| &held.addresses);
            held.any(|held| held == *address)
        });
        Some(found.map(|(address, mac)| Verdict {
            status: true,
            reason: IN_USE.to_owned(),
            message: format!(
                "{address} is in use by {mac} on the segment, which is no node of this cluster, so no node answers for it: \
                 take the address away from that station, or out of the IPAddressPool; it is asked for again after 10 s, and \
                 later every 5 min, and used when nobody has it"
            ),
        }))
    }
}
