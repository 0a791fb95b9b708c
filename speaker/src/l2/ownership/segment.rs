//! What is known of the segments: this node's ports, and the link-layer addresses of the others on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{Attached, Input, NodeId, Role};
use cortenlb_wire::mac::MacAddr;

use super::{Action, Ownership};
use crate::l2::attached::{self, Ports, attached};

impl Ownership {
    /// Takes in this node's ports.
    pub(in crate::l2) fn set_ports(&mut self, now: Instant, mut ports: Ports) {
        if let Some(before) = &self.ports {
            attached::keep_prefixes(before, &mut ports);
        }
        self.ports = Some(ports);
        self.attach(now);
        // The others' link-layer addresses go by the ports.
        self.is_stale |= self.cluster.serving().any(|(_, role)| role != Role::Owner);
    }

    /// Tells how this node is attached, once that is known.
    pub(super) fn attach(&mut self, now: Instant) {
        let Some(ports) = &self.ports else { return };
        let groups = self.plan.groups.iter();
        let groups = groups.flat_map(|(lowest, group)| group.addresses.keys().chain([lowest]));
        let own = self.addresses_of(self.me).iter();
        let addresses: BTreeSet<IpAddr> = groups.chain(own).copied().collect();
        let interfaces = attached(ports, &addresses);
        self.handle(now, Input::Attached(interfaces));
    }

    /// A member is attached in another way than before.
    pub(super) fn attachment_changed(&mut self, id: NodeId) {
        self.tell_friends();
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
