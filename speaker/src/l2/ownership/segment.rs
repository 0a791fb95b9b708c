//! What is known of the segments: this node's ports, and the link-layer addresses of the others on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{Attached, Input, NodeId, Role};
use cortenlb_wire::mac::MacAddr;

use super::{Action, Group, Ownership};
use crate::l2::attached::{self, Ports, attached};

impl Ownership {
    /// Takes in this node's ports.
    pub(in crate::l2) fn set_ports(&mut self, now: Instant, mut ports: Ports) {
        if let Some(before) = &self.ports {
            attached::keep_prefixes(before, &mut ports);
        }
        self.ports = Some(ports);
        self.attach(now);
        self.set_addresses(now, None);
        // The others' link-layer addresses go by the ports.
        self.is_stale |= self.cluster.serving().any(|(_, role)| role != Role::Owner);
    }

    /// These are the names of the interfaces that announce.
    pub(in crate::l2) fn set_names(&mut self, names: BTreeMap<u32, String>) {
        self.names = names;
    }

    /// The addresses of a group that can be asked for from here where they are announced: an interface that an
    /// advertisement names must be here, and have the address on its link.
    pub(super) fn seen_here(&self, group: &Group) -> BTreeSet<IpAddr> {
        let addresses = group.addresses.iter();
        let seen = addresses.filter(|(address, scope)| {
            let mut ports = self.ports.iter().flatten();
            ports.any(|(index, port)| {
                let is_meant = match scope {
                    Scope::All => true,
                    Scope::Listed(names) => self.names.get(index).is_some_and(|name| names.contains(name)),
                };
                is_meant && port.prefixes.iter().any(|prefix| prefix.contains(**address))
            })
        });
        seen.map(|(address, _)| *address).collect()
    }

    /// Somebody has answered on an interface.
    pub(super) fn hear_segment(&mut self, now: Instant, interface: u32) {
        let port = self.ports.as_ref().and_then(|ports| ports.get(&interface));
        if let Some(port) = port {
            let prefixes = port.prefixes.clone();
            self.handle(now, Input::Heard(prefixes));
        }
    }

    /// Another node hears no answer of this one.
    pub(super) fn unheard(&mut self, group: IpAddr, address: IpAddr, by: NodeId, next: Option<NodeId>) {
        let by = self.name_of(by);
        let next = next.map_or("", |id| self.name_of(id));
        tracing::warn!(
            %group, %address, by, next,
            "another node asks for the address on the segment and hears no answer from here: opening the sockets anew; the \
             node named by next, if there is one, has the group from now on"
        );
        let ports = self.ports.iter().flatten();
        let leading = ports.filter(|(_, port)| port.prefixes.iter().any(|prefix| prefix.contains(address)));
        let interfaces = leading.map(|(index, _)| *index).collect();
        self.actions.push_back(Action::Reopen(interfaces));
    }

    /// Tells how this node is attached, once that is known.
    pub(super) fn attach(&mut self, now: Instant) {
        let Some(ports) = &self.ports else { return };
        let groups = self.plan.groups.iter();
        let groups =
            groups.flat_map(|(lowest, group)| group.addresses.keys().chain(&group.all).chain([lowest]));
        let own = self.addresses_of(self.me).iter();
        let addresses: BTreeSet<IpAddr> = groups.chain(own).copied().collect();
        let interfaces = attached(ports, &addresses);
        self.handle(now, Input::Attached(interfaces));
    }

    /// A member is attached in another way than before.
    pub(super) fn attachment_changed(&mut self, now: Instant, id: NodeId) {
        self.tell_friends();
        self.narrow_anew(now);
        self.is_stale |= self.stands_in_for(id);
    }

    /// A node has answered for its own address.
    pub(super) fn learn_mac(&mut self, id: NodeId, interface: u32, mac: MacAddr) {
        if self.learned.entry(id).or_default().insert(interface, mac) != Some(mac) {
            self.tell_friends();
            self.is_stale |= self.stands_in_for(id);
        }
    }

    fn stands_in_for(&self, id: NodeId) -> bool {
        self.cluster.serving().any(|(_, role)| role == Role::StandIn(id))
    }

    pub(super) fn tell_friends(&mut self) {
        let learned = self.learned.values().flat_map(BTreeMap::values).copied();
        let others = self.cluster.members().filter(|member| member.id != self.me);
        let others = others.flat_map(|member| self.interfaces_of(member.id));
        let friends = others.map(|interface| interface.mac).chain(learned).collect();
        self.actions.push_back(Action::Friends(friends));
    }

    pub(super) fn interfaces_of(&self, id: NodeId) -> &[Attached] {
        self.cluster
            .attachment(id)
            .map_or(&[], |attachment| &attachment.interfaces)
    }

    /// The link-layer addresses of a node, by interface of this one: as it says itself; as it has answered where that says
    /// nothing.
    pub(super) fn macs_of(&self, id: NodeId) -> BTreeMap<u32, MacAddr> {
        let mut macs = self.learned.get(&id).cloned().unwrap_or_default();
        let interfaces = self.interfaces_of(id);
        let ports = self.ports.iter().flatten();
        macs.extend(ports.filter_map(|(index, port)| Some((*index, attached::towards(port, interfaces)?))));
        macs
    }

    /// Which node has this link-layer address, seen on an interface of this one.
    pub(super) fn node_with(&self, interface: u32, mac: MacAddr) -> Option<NodeId> {
        let mut members = self.cluster.members().map(|member| member.id);
        let told = members.find(|id| self.interfaces_of(*id).iter().any(|one| one.mac == mac));
        let mut learned = self.learned.iter();
        told.or_else(|| {
            let (id, _) = learned.find(|(_, macs)| macs.get(&interface) == Some(&mac))?;
            Some(*id)
        })
    }
}
