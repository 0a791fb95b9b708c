//! Addresses that somebody else on the segment has: told the user, recorded for the controller, and known of each other.

use super::{Effect, Index, Role, View};
use crate::l2::Claim;
use cortenlb_core::announce::Fact;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::translate::conflict::{self, Contested};
use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use cortenlb_wire::mac::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What is known of that.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    /// As this node found.
    found: BTreeMap<IpAddr, MacAddr>,
    /// What was said last of each Service.
    said: BTreeMap<ServiceKey, BTreeMap<IpAddr, MacAddr>>,
    /// The Services that say so of themselves: whoever announces them next asks first.
    services: BTreeSet<ServiceKey>,
}

impl Conflicts {
    pub(super) fn services(&mut self, change: &Change<View>) {
        match change {
            Change::Apply(view) => self.service(view, view.contested),
            Change::Delete(view) => self.service(view, false),
            Change::Reset(views) => {
                self.services.clear();
                views.iter().for_each(|view| self.service(view, view.contested));
            }
        }
    }

    fn service(&mut self, view: &View, contested: bool) {
        let Fact::Service(key, _) = &view.fact else { return };
        if contested {
            self.services.insert(key.clone());
        } else {
            self.services.remove(key);
        }
    }

    pub(super) fn says_so(&self, service: &ServiceKey) -> bool {
        self.services.contains(service)
    }

    /// What this node announces of a Service whose addresses are not all its own.
    pub(super) fn without(&self, mut role: Role) -> Role {
        role.addresses.retain(|address| !self.found.contains_key(address));
        role
    }
}

impl Index {
    /// Takes in what this node has found. Returns the Services concerned.
    pub(super) fn contested(&mut self, found: BTreeMap<IpAddr, MacAddr>) -> BTreeSet<ServiceKey> {
        let before = std::mem::replace(&mut self.conflicts.found, found);
        let found = &self.conflicts.found;
        let is_new = |address: &IpAddr| before.get(address) != found.get(address);
        let concerned = self.planned.iter().filter(|(_, planned)| {
            let role = planned.role.as_ref();
            role.is_some_and(|role| role.addresses.iter().any(is_new))
        });
        concerned.map(|(key, _)| key.clone()).collect()
    }

    /// What is to be recorded of a Service's addresses; the user is told what is new.
    pub(super) fn follow_conflict(&mut self, key: &ServiceKey, effects: &mut Vec<Effect>) -> Option<String> {
        let role = self.planned.get(key).and_then(|planned| planned.role.as_ref());
        let addresses = role.into_iter().flat_map(|role| &role.addresses);
        let found = addresses.filter_map(|address| {
            let mac = self.conflicts.found.get(address)?;
            Some((*address, *mac))
        });
        let found: BTreeMap<IpAddr, MacAddr> = found.collect();
        let before = if found.is_empty() {
            self.conflicts.said.remove(key)
        } else {
            self.conflicts.said.insert(key.clone(), found.clone())
        };
        let before = before.unwrap_or_default();
        let new = found
            .iter()
            .filter(|(address, mac)| before.get(address) != Some(mac));
        for (address, mac) in new {
            let message = format!(
                "{address} is in use by {mac} on the segment, which is no node of this cluster: no node announces it \
                 until that station is gone"
            );
            effects.push(Effect::Note(self.note(
                key,
                Severity::Warning,
                "AddressConflict",
                message,
            )));
        }
        let found: Contested = found
            .into_iter()
            .map(|(address, mac)| (address, mac.to_string()))
            .collect();
        conflict::write(&found)
    }

    /// What is to be told of another station's claim of an address that is announced here: once for each Service.
    pub fn claimed(&self, claim: &Claim) -> Vec<Note> {
        let Claim { address, by } = claim;
        let concerned = self.planned.iter().filter(|(_, planned)| {
            let role = planned.role.as_ref();
            role.is_some_and(|role| role.addresses.contains(address))
        });
        let message = format!(
            "{by} on the segment, which is no node of this cluster, says that it has {address}; node {:?} has \
             contradicted, and goes on answering for the address: take it away from that station",
            self.me.node
        );
        let notes = concerned.map(|(key, _)| {
            let message = message.clone();
            self.note(key, Severity::Warning, "AddressClaimed", message)
        });
        notes.collect()
    }
}

#[cfg(test)]
mod tests;
