//! How members are attached to the network, and which groups they reach with that.
//!
//! A member whose interface towards a group has lost its carrier lives, and says so over another one; it answers for
//! nothing that it has there. So it tells, and the group goes to one that reaches it, with all its addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Attached, Attachment, MAX_INTERFACES, MAX_PREFIXES, NodeId, Phase, Prefix};

use super::members::Merged;
use super::{Candidates, Cluster, Output};

impl Cluster {
    /// These are this node's interfaces from now on. What nobody could be told of is left out.
    pub(super) fn set_attached(&mut self, now: Instant, mut interfaces: Vec<Attached>) {
        interfaces.truncate(MAX_INTERFACES);
        interfaces
            .iter_mut()
            .for_each(|interface| interface.prefixes.truncate(MAX_PREFIXES));
        self.life.attached = Some(interfaces);
        self.tell_attachment(now);
    }

    /// Tells how this node is attached, if others know it otherwise: from before, or from the process before this one,
    /// whose clock may have been ahead.
    fn tell_attachment(&mut self, now: Instant) {
        let me = self.me();
        let Some(interfaces) = self.life.attached.clone() else {
            return;
        };
        let own = self.members.own().life.born;
        let (born, revision) = match self.members.attachment(me) {
            Some(known) if known.interfaces == interfaces => return,
            Some(known) if known.born < own => (own, 0),
            Some(Attachment { born, revision, .. }) => match revision.checked_add(1) {
                Some(revision) => (*born, revision),
                None => (born.saturating_add(1), 0),
            },
            None => (own, 0),
        };
        let attachment = Attachment {
            id: me,
            born,
            revision,
            interfaces,
        };
        self.learn_attachment(now, attachment, None);
    }

    /// Takes in how a member is attached (said by whom, unless by this one).
    pub(super) fn learn_attachment(&mut self, now: Instant, said: Attachment, by: Option<NodeId>) -> Merged {
        let id = said.id;
        let merged = self.members.merge_attachment(now, said.clone());
        if merged == Merged::News {
            self.is_news_of_attachment(said, by);
            self.outputs.push_back(Output::Attached(id));
            self.duty.all_due(now);
            self.duty.reattached = true;
            if id == self.me() {
                self.tell_attachment(now);
            }
        }
        merged
    }

    /// Whether a node can be given a group with these candidates: it is one of them, Up, and reaches all its addresses.
    /// Where nobody that is Up does, those can that miss the fewest. Who reaches none of them cannot while one lives that
    /// misses fewer, also one that is not Up: that one may answer, or come back to it, and this one has nothing to answer.
    pub(super) fn can_own(&self, group: IpAddr, candidates: &Candidates, id: NodeId) -> bool {
        if !candidates.contains_key(&id) || !self.members.is_up(id) {
            return false;
        }
        let missed = self.missed(group, id);
        let reaches_none = missed == self.conflicts.all(group).count();
        let counts = |id: NodeId| {
            let lives = self.members.phase(id).is_some_and(|phase| phase < Phase::Dead);
            self.members.is_up(id) || (reaches_none && lives)
        };
        let mut others = candidates.keys().copied();
        missed == 0 || !others.any(|other| counts(other) && self.missed(group, other) < missed)
    }

    /// How many addresses of a group are on the links of a node's interfaces without carrier alone. If an address is on none
    /// of its links, or nothing is known of them, nothing speaks against it.
    pub(super) fn missed(&self, group: IpAddr, id: NodeId) -> usize {
        self.on_links(group, id, false)
    }

    /// To how many addresses of a group a node is known to lead: they are on the link of an interface with carrier. It may
    /// reach others all the same, through a router or without an address of its own there; or it began without carrier, and
    /// knows no prefix.
    pub(super) fn leads_to(&self, group: IpAddr, id: NodeId) -> usize {
        self.on_links(group, id, true)
    }

    fn on_links(&self, group: IpAddr, id: NodeId, carrier: bool) -> usize {
        let all = self.conflicts.all(group);
        all.filter(|address| self.carriers(*address, id) == Some(carrier))
            .count()
    }

    /// Whether two nodes have a prefix in common, so that one hears the other on the segment; none if it is not known of one
    /// of them which it has. The link-local prefix says nothing: each link has it (RFC 4291 section 2.5.6).
    pub(super) fn are_on_one_link(&self, one: NodeId, other: NodeId) -> Option<bool> {
        let prefixes = |id| {
            let interfaces = self.members.attachment(id)?.interfaces.iter();
            let prefixes = interfaces.flat_map(|interface| &interface.prefixes);
            let telling: BTreeSet<&Prefix> = prefixes.filter(|prefix| !is_link_local(prefix)).collect();
            (!telling.is_empty()).then_some(telling)
        };
        Some(!prefixes(one)?.is_disjoint(&prefixes(other)?))
    }

    /// Whether one of a node's interfaces that have this address on their link has carrier; none if it has no such one.
    fn carriers(&self, address: IpAddr, id: NodeId) -> Option<bool> {
        let interfaces = &self.members.attachment(id)?.interfaces;
        let leading = interfaces.iter().filter(|interface| {
            let mut prefixes = interface.prefixes.iter();
            prefixes.any(|prefix| prefix.contains(address))
        });
        leading
            .map(|interface| interface.carrier)
            .reduce(|one, other| one || other)
    }
}

fn is_link_local(prefix: &Prefix) -> bool {
    match prefix.address() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
