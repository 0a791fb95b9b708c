//! Who owns which group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_wire::member::{Backing, NodeId, RECORD_BUCKETS, Record};

use super::digests::Digests;
use super::members::Merged;
use super::mix;

/// All records.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: BTreeMap<IpAddr, Record>,
    /// The groups of each owner.
    owned: BTreeMap<NodeId, BTreeSet<IpAddr>>,
    /// The groups that there are, and how many of those each owner has.
    groups: BTreeSet<IpAddr>,
    counts: BTreeMap<NodeId, usize>,
    digests: Digests<RECORD_BUCKETS>,
}

impl Records {
    pub(super) fn get(&self, group: IpAddr) -> Option<&Record> {
        self.records.get(&group)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The groups that a node owns.
    pub(super) fn of(&self, owner: NodeId) -> impl Iterator<Item = IpAddr> + use<'_> {
        self.owned.get(&owner).into_iter().flatten().copied()
    }

    /// How many of the groups that there are a node owns.
    pub(super) fn count(&self, owner: NodeId) -> usize {
        self.counts.get(&owner).copied().unwrap_or_default()
    }

    /// Whether there is such a group: records outlive it for a while.
    pub(super) fn set_group(&mut self, group: IpAddr, exists: bool) {
        let changed = if exists {
            self.groups.insert(group)
        } else {
            self.groups.remove(&group)
        };
        if let Some(record) = self.records.get(&group).filter(|_| changed) {
            let count = self.counts.entry(record.owner).or_default();
            *count = if exists {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }

    /// Takes in a record from a member, as one with at most `backing`: a side cannot give more than it has. What is not
    /// news is older only if it is so as it was sent.
    pub(super) fn merge(&mut self, mut said: Record, backing: Backing) -> Merged {
        let known = self.records.get(&said.group);
        if known.is_some_and(|known| *known > said) {
            return Merged::Older;
        }
        said.backing = said.backing.min(backing);
        if known.is_some_and(|known| *known >= said) {
            return Merged::Known;
        }
        self.set(said);
        Merged::News
    }

    pub(super) fn set(&mut self, record: Record) {
        self.remove(record.group);
        self.toggle(&record);
        self.owned.entry(record.owner).or_default().insert(record.group);
        if self.groups.contains(&record.group) {
            *self.counts.entry(record.owner).or_default() += 1;
        }
        self.records.insert(record.group, record);
    }

    pub(super) fn remove(&mut self, group: IpAddr) {
        let Some(old) = self.records.remove(&group) else {
            return;
        };
        self.toggle(&old);
        if self.groups.contains(&group)
            && let Some(count) = self.counts.get_mut(&old.owner)
        {
            *count = count.saturating_sub(1);
        }
        if let Some(owned) = self.owned.get_mut(&old.owner) {
            owned.remove(&group);
            if owned.is_empty() {
                self.owned.remove(&old.owner);
            }
        }
    }

    /// Nobody stands behind what is known any more but a minority.
    pub(super) fn demote(&mut self) {
        for record in self.records.values_mut() {
            record.backing = Backing::Minority;
        }
    }

    /// Adds a record to the digests, or takes it out. Its backing is left out: every side has its own view of that.
    fn toggle(&mut self, record: &Record) {
        let id = |node: Option<NodeId>| node.map_or(0, NodeId::get);
        let fields = [
            (u64::from(record.epoch) << 32) | u64::from(record.revision),
            record.owner.get(),
            id(record.from),
            id(record.standbys[0]),
            id(record.standbys[1]),
        ];
        self.digests.toggle(key(record.group), fields);
    }

    pub(super) const fn digests(&self) -> &Digests<RECORD_BUCKETS> {
        &self.digests
    }

    /// The records in those buckets in which `theirs` differ.
    pub(super) fn differing(&self, theirs: &[u64; RECORD_BUCKETS]) -> Vec<Record> {
        if theirs == self.digests.parts() {
            return Vec::new();
        }
        let differs = |record: &&Record| self.digests.differ(theirs, key(record.group));
        self.iter().filter(differs).copied().collect()
    }
}

/// The record of a group that has another owner from now on: nobody answers beside that one, and who stood by still does.
pub(super) const fn succeeded(record: Record, owner: NodeId) -> Record {
    Record {
        epoch: record.epoch.saturating_add(1),
        revision: 0,
        owner,
        from: None,
        ..record
    }
}

/// A hash of a group's name.
pub(super) fn key(group: IpAddr) -> u64 {
    let bits = match group {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let halves = [(bits >> 64) as u64, bits as u64];
    halves.into_iter().fold(0, |hash, half| mix(hash ^ half))
}
