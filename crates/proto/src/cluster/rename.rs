//! A group whose lowest address is another one than before: it goes by another name, and stays where it is.
//!
//! All members make the record under the new name of the one under the old name, and make the same. Nobody needs to be
//! told; who has not heard of the new name when the owner is lost finds the same standbys under the old one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::Record;

use super::conflict::Conflicts;
use super::duty::Duty;
use super::{Cause, Cluster, Role};

impl Cluster {
    /// What was known as `former` is known as `group`. This node answers on for what it answers for; what the group has not
    /// had before is fresh.
    pub(super) fn renamed(&mut self, now: Instant, group: IpAddr, former: IpAddr) {
        let (Some(candidates), Some(before)) = (self.groups.get(&former), self.records.get(former)) else {
            return;
        };
        if self.groups.contains_key(&group) {
            return;
        }
        let (candidates, before) = (candidates.clone(), *before);
        self.comes(group, candidates);
        self.duty.astray.remove(&group);
        if self.records.get(group).is_none() {
            self.records.set(Record { group, ..before });
        }
        self.duty.due(now, group);
        let after = self.records.get(group);
        if after.is_none_or(|after| (after.owner, after.from) != (before.owner, before.from)) {
            // Others know it by that name, and better.
            return;
        }
        self.duty.inherit(group, former);
        let role = self.duty.serving.get(&former).copied();
        self.conflicts.inherit(group, former, role == Some(Role::Owner));
        if let Some(role) = role {
            self.serve(now, group, role, Cause::Renamed);
        }
    }
}

impl Duty {
    fn inherit(&mut self, group: IpAddr, former: IpAddr) {
        copy(&mut self.moves, group, former);
        copy(&mut self.gave, group, former);
        copy(&mut self.handing, group, former);
        copy(&mut self.doubtful, group, former);
    }
}

impl Conflicts {
    /// `owns`: what is answered for under the old name is this node's, and nobody else's.
    fn inherit(&mut self, group: IpAddr, former: IpAddr, owns: bool) {
        copy(&mut self.fresh, group, former);
        let before = self.addresses(former);
        for address in self.addresses(group) {
            if let Some(asking) = self.asking.get_mut(&address) {
                asking.group = group;
            } else if owns && !before.contains(&address) {
                self.asks(group, address);
            }
        }
    }
}

fn copy<V: Clone>(map: &mut BTreeMap<IpAddr, V>, group: IpAddr, former: IpAddr) {
    match map.get(&former).cloned() {
        Some(value) => drop(map.insert(group, value)),
        // What others told of the new name may have led to something there.
        None => drop(map.remove(&group)),
    }
}
