//! Addresses that a station on the segment may have which is no node: what is answered for them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::Input;
use cortenlb_wire::mac::MacAddr;

use super::{Action, Group, Ownership};

impl Ownership {
    /// Tells the machine what has changed of the groups beside their candidates; all of it, if it is not known how it was
    /// before.
    pub(super) fn set_addresses(&mut self, now: Instant, before: Option<&BTreeMap<IpAddr, Group>>) {
        let changed = self.plan.groups.iter().filter(|(lowest, group)| {
            let before = before.and_then(|before| before.get(lowest));
            before.is_none_or(|before| {
                before.contested != group.contested
                    || (&before.addresses, &before.all) != (&group.addresses, &group.all)
            })
        });
        let inputs = changed.map(|(lowest, group)| Input::Addresses {
            group: *lowest,
            addresses: group.addresses.keys().chain([lowest]).copied().collect(),
            all: group.all.iter().copied().collect(),
            seen_here: self.seen_here(group),
            contested: group.contested,
        });
        let inputs: Vec<_> = inputs.collect();
        inputs.into_iter().for_each(|input| self.handle(now, input));
    }

    /// It is known now who else has an address, which the Event `AddressConflict` says, or that nobody has it.
    pub(super) fn occupied(&mut self, address: IpAddr, by: Option<MacAddr>) {
        if by.is_none() {
            tracing::info!(%address, "nobody else has the address");
        }
        self.is_stale = true;
    }

    /// Somebody says where an address is that may be one of a group.
    pub(super) fn answered_for_group(&mut self, now: Instant, interface: u32, address: IpAddr, mac: MacAddr) {
        let lowest = Some(address).filter(|address| self.plan.groups.contains_key(address));
        let Some(group) = lowest.or_else(|| self.cluster.asks_for(address)) else {
            return;
        };
        let input = match self.node_with(interface, mac) {
            Some(by) => Input::Answered { group, address, by },
            None => Input::Stranger { group, address, mac },
        };
        self.handle(now, input);
    }

    /// Another node says that it has an address that this one answers for: both may be owners.
    pub(in crate::l2) fn claimed(&mut self, now: Instant, interface: u32, address: IpAddr, by: MacAddr) {
        self.answered_for_group(now, interface, address, by);
    }

    /// The same, said by another station (`source`): a node that stands in for another one says nothing new.
    pub(super) fn answered_for(
        &mut self,
        now: Instant,
        interface: u32,
        address: IpAddr,
        mac: MacAddr,
        source: MacAddr,
    ) {
        let is_node = |mac| self.node_with(interface, mac).is_some();
        if !is_node(mac) && !is_node(source) {
            self.answered_for_group(now, interface, address, mac);
        }
    }

    pub(super) fn tell_contested(&mut self) {
        let told = self.contested.iter().map(|(address, mac)| (*address, *mac));
        if !self.cluster.contested().eq(told) {
            self.contested = self.cluster.contested().collect();
            self.actions.push_back(Action::Contested(self.contested.clone()));
        }
    }
}
