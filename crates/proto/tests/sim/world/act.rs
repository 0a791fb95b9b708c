//! Faults begin and end, and people change something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cortenlb_proto::cluster::{Candidates, Input, NodeId};

use super::{Event, World, address};
use crate::dice::{MILLISECOND, SECOND};
use crate::fault::{Fault, Wanted};
use crate::node::{Clock, Told, Waiting};
use crate::observer::{JOINING, TOLD};
use crate::schedule::HEALING;

/// Whoever asks again finds within this time, and as long as it had known of it, that a stranger is gone: 10 s and three
/// questions, by a clock that is 1 % wrong.
const STRANGER_GONE: u64 = 12 * SECOND;
/// So long after all see the same candidates again who has a group can have it.
const REPAIRED: u64 = 4 * SECOND;

/// A node that is lost for ever is no fault any more after this time: what follows from it has followed, and what others do
/// later is not because of it.
const LOST: u64 = 5 * SECOND;

/// A speaker that is told to end takes so long.
const ENDING: u64 = 300 * MILLISECOND;

impl World {
    /// Puts all that will happen on the agenda.
    pub(super) fn begin(&mut self) {
        for group in 0..self.schedule.groups.len() {
            let wanted = self.schedule.groups[group].clone();
            self.named.insert(group, self.candidates(&wanted));
            self.observer.want(0, group, Some(wanted));
        }
        if self.schedule.hushed > 0 {
            self.plan(self.schedule.hushed, Event::LookAtAll);
        }
        for node in 0..self.schedule.starts.len() {
            self.nodes[node].powered = true;
            self.plan_start(self.schedule.starts[node], node, false, false);
        }
        for number in 0..self.schedule.episodes.len() {
            let episode = &self.schedule.episodes[number];
            let is_power = matches!(episode.fault, Fault::Power { .. });
            let from = episode.from;
            let end = episode.to.or_else(|| is_power.then_some(from + LOST));
            if let Fault::Kill {
                node, snapshot: true, ..
            }
            | Fault::Restart { node, snapshot: true }
            | Fault::Power { node, snapshot: true } = episode.fault
            {
                let before = self.dice.between(0, SECOND);
                self.plan(from.saturating_sub(before), Event::Snapshot(node));
            }
            self.plan(from, Event::Begin(number));
            if let Some(end) = end {
                self.plan(end, Event::End(number));
            }
        }
    }

    fn plan_start(&mut self, at: u64, node: usize, snapshot: bool, set_back: bool) {
        let life = self.nodes[node].life;
        self.plan(
            at,
            Event::Start {
                node,
                life,
                snapshot,
                set_back,
            },
        );
    }

    /// A process begins, and is told what there is.
    pub(super) fn start(&mut self, node: usize, snapshot: bool, set_back: bool) {
        self.nodes[node].start(&mut self.dice, self.now, snapshot, set_back);
        self.log.note(self.now, None, || format!("n{node} starts"));
        self.tell(node, Told::Roster);
        self.tell(node, Told::Attached);
        for group in 0..self.observer.groups() {
            if self.observer.wanted(group).is_some() {
                self.tell(node, Told::Group(group));
            }
        }
        self.tell(node, Told::Drain);
        let after = if self.dice.one_in(2) {
            0
        } else {
            self.dice.between(0, 500 * MILLISECOND)
        };
        self.plan(
            self.now + after,
            Event::Tell {
                node,
                told: Told::Forwards,
            },
        );
        self.runs(node, true);
    }

    /// The process runs from now on, or no longer; all look at what that means.
    fn runs(&mut self, node: usize, running: bool) {
        self.observer.nodes[node].running = running.then_some(self.now);
        if running {
            for after in [JOINING, 2 * JOINING] {
                self.plan(self.now + after, Event::LookAtAll);
            }
        }
        self.changed();
    }

    /// The process is no more.
    pub(super) fn stop(&mut self, node: usize) {
        let Some(process) = self.nodes[node].process.take() else {
            return;
        };
        self.nodes[node].life += 1;
        self.log.note(self.now, None, || format!("n{node} stops"));
        self.runs(node, false);
        for group in process.serving.into_keys() {
            self.seen(node, group);
        }
    }

    /// Something is at fault, or no longer.
    fn changed(&mut self) {
        let disturbed = self.network.faults.values().any(|fault| !fault.is_wanted());
        let unheard = self.network.faults.values().any(Fault::is_of_datagrams);
        self.observer.fault(self.now, disturbed, unheard);
        self.observer.sides = self.network.sides(self.nodes.len());
        self.observer.look_at_all(self.now);
        self.plan(self.now + HEALING, Event::LookAtAll);
    }

    /// Whose groups may move, after something that is at fault has come or gone.
    fn concern(&mut self, number: usize, begins: bool) {
        let nodes = self.schedule.starts.len();
        let now = self.now;
        if begins {
            let episode = &self.schedule.episodes[number];
            let lasting = episode.to.map_or(u64::MAX, |to| to - episode.from);
            let concerned = episode.fault.concerns(nodes, lasting);
            self.concerned.insert(number, concerned);
            let unwanted = self.network.faults.values().filter(|fault| !fault.is_wanted());
            let is_alone = unwanted.clone().count() <= 1 && now > self.calm_from;
            if !self.network.faults[&number].is_wanted() && !is_alone {
                // What several do together is anybody's guess; but a process that is gone concerns its own groups.
                let only_nodes = unwanted.clone().all(|fault| fault.node().is_some()) && now > self.calm_from;
                let all: BTreeSet<usize> = unwanted.filter_map(Fault::node).collect();
                self.concerned.insert(number, only_nodes.then_some(all));
            }
        }
        self.observer.confused |= self.concerned.values().any(Option::is_none);
        let everybody = || (0..self.nodes.len()).collect::<BTreeSet<_>>();
        if begins {
            let concerned = self.concerned[&number].clone().unwrap_or_else(everybody);
            for node in concerned {
                self.observer.nodes[node].concerned_until = u64::MAX;
            }
            return;
        }
        self.concerned.remove(&number);
        // What two came to have in confusion they have until the last fault is over.
        self.observer.confused &= self.network.faults.values().any(|fault| !fault.is_wanted());
        let mut still = BTreeSet::new();
        for concerned in self.concerned.values() {
            still.extend(concerned.clone().unwrap_or_else(everybody));
        }
        for node in 0..self.nodes.len() {
            let until = &mut self.observer.nodes[node].concerned_until;
            if *until == u64::MAX && !still.contains(&node) {
                *until = now + 2 * SECOND;
            }
        }
    }

    pub(super) fn begin_fault(&mut self, number: usize) {
        let fault = self.schedule.episodes[number].fault.clone();
        self.log.note(self.now, None, || format!("--- {fault:?}"));
        let lasts = self.schedule.episodes[number].to.is_some() || matches!(fault, Fault::Power { .. });
        if lasts {
            self.network.faults.insert(number, fault.clone());
            self.concern(number, true);
        }
        if let Some(node) = fault.node() {
            self.observer.nodes[node].failed = true;
        }
        match fault {
            Fault::Pause(node) => {
                if let Some(process) = self.nodes[node].running() {
                    process.stopped = Some(Waiting::default());
                    process.holds = false;
                    let serving: Vec<usize> = process.serving.keys().copied().collect();
                    self.runs(node, false);
                    for group in serving {
                        self.seen(node, group);
                    }
                }
            }
            Fault::Kill { node, .. } => self.stop(node),
            Fault::Restart { node, .. } => {
                self.input(node, Input::Restarting);
                let life = self.nodes[node].life;
                self.plan(self.now + ENDING, Event::Stop { node, life });
            }
            Fault::Power { node, .. } => {
                self.nodes[node].powered = false;
                self.stop(node);
            }
            Fault::Drain(_) => self.drains(),
            Fault::Unplugged(node) => {
                self.changed();
                self.plugs(node);
            }
            Fault::Candidates { group, wanted } => {
                if self.observer.wanted(group).is_some() {
                    self.want(group, Some(wanted));
                }
            }
            Fault::Behind { node, .. } => {
                // What it sees is wrong, and it acts on that.
                let until = self.schedule.episodes[number].to.unwrap_or(u64::MAX);
                self.observer.hush(until + REPAIRED);
                self.looks_anew(node);
            }
            Fault::Create { groups, wanted } => {
                self.observer.create(self.now, &groups);
                for group in groups {
                    self.want(group, Some(wanted.clone()));
                }
            }
            Fault::Remove(group) => self.want(group, None),
            Fault::Join(node) => self.join(node),
            Fault::Stranger(group) => self.observer.strange(group, u64::MAX),
            Fault::Partition { .. }
            | Fault::OneWay { .. }
            | Fault::Deaf(_)
            | Fault::Mute(_)
            | Fault::Apart(_)
            | Fault::Blocked
            | Fault::Loss(_)
            | Fault::FrameLoss(_)
            | Fault::Unanswering(_) => self.changed(),
        }
    }

    pub(super) fn end_fault(&mut self, number: usize) {
        let fault = self.schedule.episodes[number].fault.clone();
        let was_alone = self.concerned.values().all(Option::is_some);
        let from = self.schedule.episodes[number].from;
        self.network.faults.remove(&number);
        self.log.note(self.now, None, || format!("--- over: {fault:?}"));
        match fault {
            Fault::Pause(node) => {
                if was_alone && self.network.faults.is_empty() && self.now - from > SECOND {
                    self.observer.nodes[node].thawed_until = self.now + SECOND;
                }
                self.thaw(node);
            }
            Fault::Kill {
                node,
                snapshot,
                set_back,
            } => self.start(node, snapshot, set_back),
            Fault::Restart { node, snapshot } => self.start(node, snapshot, false),
            Fault::Power { .. } if self.schedule.episodes[number].to.is_none() => self.changed(),
            Fault::Power { node, snapshot } => {
                self.nodes[node].powered = true;
                self.nodes[node].bare = self.nodes[node].unplugged;
                self.nodes[node].clock = Clock::new(&mut self.dice, self.now);
                self.start(node, snapshot, false);
            }
            Fault::Drain(_) => self.drains(),
            Fault::Behind { node, .. } => self.looks_anew(node),
            Fault::Unplugged(node) => {
                self.changed();
                self.plugs(node);
            }
            // It is asked for ever more rarely.
            Fault::Stranger(group) => {
                let until = self.now + (self.now - from) + STRANGER_GONE;
                self.observer.strange(group, until);
            }
            _ => self.changed(),
        }
        if !fault.is_wanted() {
            self.calm_from = self.now + 2 * SECOND;
        }
        self.concern(number, false);
    }

    /// A process that was stopped goes on: what has waited comes first, or its timers do.
    fn thaw(&mut self, node: usize) {
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let Some(waiting) = process.stopped.take() else {
            return;
        };
        self.runs(node, true);
        // Until it has done something, what it was told holds as long as it says.
        self.after(node);
        let timers_first = self.dice.one_in(2);
        if waiting.timeout && timers_first {
            self.input(node, Input::Timeout);
        }
        for bytes in waiting.datagrams {
            self.input(node, Input::Datagram(&bytes));
        }
        if waiting.timeout && !timers_first {
            self.input(node, Input::Timeout);
        }
        for told in waiting.told {
            self.tell(node, told);
        }
    }

    /// A node sees other candidates from now on.
    fn looks_anew(&mut self, node: usize) {
        for group in 0..self.observer.groups() {
            if self.observer.wanted(group).is_some() {
                self.tell(node, Told::Group(group));
            }
        }
    }

    fn drains(&mut self) {
        for node in 0..self.nodes.len() {
            let mut faults = self.network.faults.values();
            let draining = faults.any(|fault| *fault == Fault::Drain(node));
            if self.nodes[node].draining != draining {
                self.nodes[node].draining = draining;
                self.empties(node);
                let at = self.now + self.dice.between(0, 50 * MILLISECOND);
                self.plan(
                    at,
                    Event::Tell {
                        node,
                        told: Told::Drain,
                    },
                );
            }
        }
        self.plan(self.now + HEALING, Event::LookAtAll);
    }

    /// Nobody expects a node to have groups that is to be emptied, or cannot be heard.
    fn empties(&mut self, node: usize) {
        let emptied = self.nodes[node].draining || self.nodes[node].unplugged;
        self.observer.drain(self.now, node, emptied);
    }

    /// A node's interface has lost its carrier, or has it again: at once nobody hears it there, and a moment later it knows.
    fn plugs(&mut self, node: usize) {
        let mut faults = self.network.faults.values();
        self.nodes[node].unplugged = faults.any(|fault| *fault == Fault::Unplugged(node));
        self.nodes[node].bare &= self.nodes[node].unplugged;
        self.empties(node);
        for group in 0..self.observer.groups() {
            self.seen(node, group);
        }
        let at = self.now + self.dice.between(0, 5 * MILLISECOND);
        let told = Told::Attached;
        self.plan(at, Event::Tell { node, told });
    }

    fn want(&mut self, group: usize, wanted: Option<Wanted>) {
        match &wanted {
            Some(wanted) => self.named.insert(group, self.candidates(wanted)),
            None => self.named.remove(&group),
        };
        self.observer.want(self.now, group, wanted);
        self.tell_all(Told::Group(group), TOLD);
        self.plan(self.now + HEALING, Event::Look(group));
    }

    /// The new node can answer for what all the others can.
    fn join(&mut self, node: usize) {
        self.roster.insert(node);
        self.nodes[node].powered = true;
        self.start(node, false, false);
        self.tell_all(Told::Roster, 500 * MILLISECOND);
        for group in 0..self.observer.groups() {
            let Some(wanted) = self.observer.wanted(group) else {
                continue;
            };
            let everybody = wanted.len() + 1 == self.roster.len();
            let same = wanted.values().all(|weight| *weight == 0);
            if everybody && same {
                let mut wanted = wanted.clone();
                wanted.insert(node, 0);
                self.want(group, Some(wanted));
            }
        }
    }

    fn tell_all(&mut self, told: Told, within: u64) {
        for node in 0..self.nodes.len() {
            let at = self.now + self.dice.between(0, within);
            self.plan(at, Event::Tell { node, told });
        }
    }

    /// Tells a process how something is now.
    pub(super) fn tell(&mut self, node: usize, told: Told) {
        if let Some(process) = &mut self.nodes[node].process
            && let Some(waiting) = &mut process.stopped
        {
            waiting.told.push(told);
            return;
        }
        match told {
            Told::Roster => {
                let ids = self.roster.iter().map(|node| self.nodes[*node].id);
                let roster = ids.collect();
                self.input(node, Input::Roster(roster));
            }
            Told::Group(group) => {
                let behind = self.network.faults.values().find_map(|fault| match fault {
                    Fault::Behind { node: one, wanted } if *one == node => Some(self.candidates(wanted)),
                    _ => None,
                });
                let named = self.named.get(&group);
                let candidates = named.map(|named| behind.unwrap_or_else(|| named.clone()));
                let group = address(group);
                if candidates.is_some() {
                    let addresses = BTreeSet::from([group]);
                    let (all, seen_here) = (addresses.clone(), addresses.clone());
                    let contested = false;
                    let told = Input::Addresses {
                        group,
                        addresses,
                        all,
                        seen_here,
                        contested,
                    };
                    self.input(node, told);
                }
                self.input(node, Input::Group { group, candidates });
            }
            Told::GatewayAnswered => self.input(node, Input::GatewayAnswered),
            Told::Forwards => self.input(node, Input::Forwards(true)),
            Told::Attached => self.input(node, Input::Attached(self.nodes[node].attached())),
            Told::Drain => self.input(node, Input::Drain(self.nodes[node].draining)),
        }
    }

    fn candidates(&self, wanted: &Wanted) -> Candidates {
        let named: BTreeMap<NodeId, i64> = wanted
            .iter()
            .map(|(node, weight)| (self.nodes[*node].id, *weight))
            .collect();
        Arc::new(named)
    }
}
