//! Before the first use of an address: whether somebody else on the segment has it.
//!
//! A *fresh* address is one of a group that came, or came to have it, while this member did its part. Its owner asks
//! three times (RFC 5227 §2.1, RFC 4862 §5.4) and answers when nobody else has. Who has it may be a station that is no
//! node: a printer with a fixed address in the range of a pool. Then nobody answers for it here; it is told, and asked
//! again now and then, and used as soon as that station is gone.
//!
//! A node of which it is not known yet how it is attached looks like such a station. So nothing is told before a second
//! look, and while such nodes are known to exist not before some more.
//!
//! What is adopted, restored or taken over from another node has been in use: it is not fresh. It is doubted only for
//! the sake of other nodes (see `answer`), and by whoever comes to own what is known to be contested.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::few::Few;
use cortenlb_core::time::Instant;
use cortenlb_wire::mac::MacAddr;

use super::answer::{QUESTION, QUESTIONS, VETO};
use super::{Cluster, Output, Role};

/// A station that nobody knows and that answers for so long is no node: one that has just begun is known by then.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The same as long as there are nodes of which it is not known how they are attached. A Service gets another address only
/// within ten seconds of its first one.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// The time until somebody else who has an address is asked for again: it doubles.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// And grows no more.
const ASK_AGAIN_AT_MOST: Duration = Duration::from_secs(300);

/// What is asked for, or is to be.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    groups: BTreeMap<IpAddr, Told>,
    /// Grows whenever that changes.
    version: u64,
    /// Groups that came while this member did its part, and that it has not answered for: whether it had seen them go.
    pub(super) fresh: BTreeMap<IpAddr, bool>,
    /// Groups that it has seen go, while their records are known: what comes with such an address is another Service.
    gone: BTreeSet<IpAddr>,
    /// The addresses that are not answered for yet.
    pub(super) asking: BTreeMap<IpAddr, Asking>,
}

/// What is known of a group.
#[derive(Debug)]
struct Told {
    /// Its lowest address among them.
    addresses: Few<IpAddr>,
    /// Those that an owner is to reach; none: the lowest alone.
    all: Few<IpAddr>,
    seen_here: Few<IpAddr>,
    /// Somebody else had one of them, as the last owner found.
    contested: bool,
}

/// How far the asking for one address is.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) group: IpAddr,
    asked: u32,
    /// When to ask again, or to answer.
    next: Option<Instant>,
    stranger: Option<Stranger>,
}

/// A station that is no node.
#[derive(Clone, Copy, Debug)]
struct Stranger {
    mac: MacAddr,
    since: Instant,
    is_told: bool,
    wait: Duration,
}

impl Conflicts {
    /// The addresses of a group.
    pub(super) fn addresses(&self, group: IpAddr) -> Vec<IpAddr> {
        let told = self.groups.get(&group);
        told.map_or_else(|| vec![group], |told| told.addresses.iter().copied().collect())
    }

    /// The addresses of the group that an owner is to reach.
    pub(super) fn all(&self, group: IpAddr) -> impl Iterator<Item = IpAddr> {
        let told = self.groups.get(&group).filter(|told| !told.all.is_empty());
        let lowest = told.is_none().then_some(group);
        let all = told.into_iter().flat_map(|told| told.all.iter().copied());
        lowest.into_iter().chain(all)
    }

    /// Whether somebody else had an address of the group, as far as is known.
    pub(super) fn is_contested(&self, group: IpAddr) -> bool {
        self.groups.get(&group).is_some_and(|told| told.contested)
    }

    /// The addresses of the group that this node can ask for where they are announced.
    pub(super) fn seen_here(&self, group: IpAddr) -> impl Iterator<Item = IpAddr> {
        let told = self.groups.get(&group).into_iter();
        told.flat_map(|told| told.seen_here.iter().copied())
    }

    /// Another number when another group, or another address of one, is known.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// It is another node's, or nobody's.
    pub(super) fn forget(&mut self, group: IpAddr) {
        self.fresh.remove(&group);
        self.asking.retain(|_, asking| asking.group != group);
    }

    /// There is no such group any more.
    pub(super) fn remove(&mut self, group: IpAddr) {
        self.forget(group);
        self.groups.remove(&group);
        self.version += 1;
    }

    /// There is none, but the record is kept for a while.
    pub(super) fn is_gone(&mut self, group: IpAddr) {
        self.gone.insert(group);
    }

    /// Whether this member has heard that there is no such group any more, while its record was kept.
    pub(super) fn was_seen_to_go(&self, group: IpAddr) -> bool {
        self.gone.contains(&group)
    }

    /// Its record is forgotten as well.
    pub(super) fn forget_gone(&mut self, group: IpAddr) {
        self.gone.remove(&group);
    }

    pub(super) fn is_fresh(&mut self, group: IpAddr) {
        let was_gone = self.gone.remove(&group);
        self.fresh.insert(group, was_gone);
    }

    /// Whoever has this address is to be asked for before it is answered for.
    pub(super) fn asks(&mut self, group: IpAddr, address: IpAddr) {
        self.asking.insert(address, Asking::new(group));
    }

    pub(super) fn is_used(&mut self, group: IpAddr) {
        self.fresh.remove(&group);
    }
}

impl Cluster {
    /// The addresses that are not answered for, although this member answers for their groups, or would: it is being
    /// asked who has them.
    pub fn withheld(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.conflicts.asking.keys().copied()
    }

    /// The group of an address that it is asked for.
    pub fn asks_for(&self, address: IpAddr) -> Option<IpAddr> {
        Some(self.conflicts.asking.get(&address)?.group)
    }

    /// The addresses that somebody else has who is no node, and where that is said to be.
    pub fn contested(&self) -> impl Iterator<Item = (IpAddr, MacAddr)> + '_ {
        self.conflicts.asking.iter().filter_map(|(address, asking)| {
            let told = asking.stranger.filter(|stranger| stranger.is_told);
            Some((*address, told?.mac))
        })
    }

    /// These are the addresses of a group: those of this node, and all. What this member answers for already gets no gap by
    /// it, but what it has as well from now on is fresh.
    pub(super) fn set_addresses(
        &mut self,
        now: Instant,
        group: IpAddr,
        addresses: BTreeSet<IpAddr>,
        all: BTreeSet<IpAddr>,
        seen_here: BTreeSet<IpAddr>,
        contested: bool,
    ) {
        let told = Told {
            addresses: addresses.iter().copied().collect(),
            all: all.into_iter().collect(),
            seen_here: seen_here.into_iter().collect(),
            contested,
        };
        self.conflicts.version += 1;
        // Others may lead to it than before.
        self.duty.reattached = true;
        let Some(before) = self.conflicts.groups.insert(group, told) else {
            if self.groups.contains_key(&group) {
                self.duty.due(now, group);
            }
            return;
        };
        let asking = &mut self.conflicts.asking;
        asking.retain(|address, asking| asking.group != group || addresses.contains(address));
        if self.duty.serving.get(&group) == Some(&Role::Owner) {
            let fresh = addresses
                .iter()
                .filter(|address| !before.addresses.contains(address));
            for address in fresh {
                self.conflicts.asks(group, *address);
            }
        }
        self.duty.due(now, group);
    }

    /// Asks for what this member is to own and has not answered for yet, as far as it is time. Returns whether it may
    /// answer for the group: at least one address is nobody else's.
    pub(super) fn is_free(&mut self, now: Instant, group: IpAddr) -> bool {
        let addresses = self.conflicts.addresses(group);
        let asks = |address| self.conflicts.asking.contains_key(address);
        if !addresses.iter().any(asks) {
            let serves = self.duty.serving.get(&group) == Some(&Role::Owner);
            let is_fresh = match self.conflicts.fresh.get(&group) {
                Some(was_gone) => *was_gone || self.duty.doubtful.contains_key(&group),
                None => false,
            };
            if serves || !(is_fresh || self.conflicts.is_contested(group)) {
                return true;
            }
            self.duty.doubtful.remove(&group);
            for address in &addresses {
                self.conflicts.asks(group, *address);
            }
        }
        for address in &addresses {
            self.ask_for(now, *address);
        }
        addresses
            .iter()
            .any(|address| !self.conflicts.asking.contains_key(address))
    }

    fn ask_for(&mut self, now: Instant, address: IpAddr) {
        let Some(asking) = self.conflicts.asking.get_mut(&address) else {
            return;
        };
        let group = asking.group;
        if let Some(next) = asking.next.filter(|next| now < *next) {
            return self.duty.due(next, group);
        }
        if asking.asked < QUESTIONS {
            asking.asked += 1;
            let next = now + QUESTION;
            asking.next = Some(next);
            self.duty.due(next, group);
            self.outputs.push_back(Output::Probe { group, address });
            return;
        }
        self.conflicts.asking.remove(&address);
        self.checks.begins(now, group);
        self.outputs.push_back(Output::Occupied {
            group,
            address,
            by: None,
        });
    }

    /// Another node answers for an address that is asked for: it will cease to, or the record is wrong.
    pub(super) fn probe_is_answered(&mut self, now: Instant, address: IpAddr) {
        if let Some(asking) = self.conflicts.asking.get_mut(&address) {
            asking.asked = 0;
            asking.next = Some(now + VETO);
            asking.stranger = asking.stranger.filter(|stranger| stranger.is_told);
            self.duty.due(now + VETO, asking.group);
        }
    }

    /// A station that is no known node answers on the segment for an address.
    pub(super) fn stranger(&mut self, now: Instant, group: IpAddr, address: IpAddr, mac: MacAddr) {
        let all_known = self.all_are_known();
        let Some(asking) = self.conflicts.asking.get_mut(&address) else {
            return self.doubted_by_stranger(now, group, all_known);
        };
        // Of several answers to one round of questions the first counts.
        if asking.asked == 0 {
            return;
        }
        asking.asked = 0;
        let stranger = asking.stranger.get_or_insert(Stranger {
            mac,
            since: now,
            is_told: false,
            wait: ASK_AGAIN / 2,
        });
        let seen = now - stranger.since;
        let is_sure = stranger.is_told || seen >= LAST_LOOK || (seen >= SECOND_LOOK && all_known);
        let wait = if is_sure {
            stranger.wait = (stranger.wait * 2).min(ASK_AGAIN_AT_MOST);
            stranger.wait
        } else {
            VETO
        };
        if is_sure && (!stranger.is_told || stranger.mac != mac) {
            self.outputs.push_back(Output::Occupied {
                group,
                address,
                by: Some(mac),
            });
        }
        stranger.is_told |= is_sure;
        stranger.mac = mac;
        asking.next = Some(now + wait);
        self.duty.due(now + wait, asking.group);
    }

    /// What has been in use is not given up for a station that is surely no node: it is defended.
    fn doubted_by_stranger(&mut self, now: Instant, group: IpAddr, all_known: bool) {
        let Some(question) = self.duty.doubtful.get_mut(&group) else {
            return;
        };
        let since = *question.stranger.get_or_insert(now);
        question.asked = 0;
        question.next = Some(now + VETO);
        if all_known && now - since >= SECOND_LOOK {
            self.duty.doubtful.remove(&group);
            return self.duty.due(now, group);
        }
        self.duty.due(now + VETO, group);
    }

    /// Whether it is known of every speaker how it is attached: who is none of them is no node.
    fn all_are_known(&self) -> bool {
        let mut roster = self.members.roster().iter();
        roster.all(|id| *id == self.members.me || self.members.attachment(*id).is_some())
    }
}

impl Asking {
    const fn new(group: IpAddr) -> Self {
        Self {
            group,
            asked: 0,
            next: None,
            stranger: None,
        }
    }
}
