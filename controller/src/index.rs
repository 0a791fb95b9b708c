//! Services, pools and namespaces in; status patches, Events and counters out. Pure: no clock, no connection.
//!
//! | module | owns |
//! | --- | --- |
//! | `input` | what happens, and what is to be done about it |
//! | `term` | the way from winning the Lease to giving the first address |
//! | `fence` | the stamps that keep late writes of another leader out |
//! | `services` | what is seen of Services, asked for them, and written |
//! | `record` | what is remembered of one Service between a write and its echo |
//! | `desired` | what a Service's status should say |
//! | `packed` | UIDs and versions in little room |
//! | `patch` | the difference, as one JSON merge patch |
//! | `again` | what was refused with 409 |
//! | `window` | how many writes of Services are under way |
//! | `leaving` | who still shows an address that another one is to have |
//! | `conflicts` | addresses that somebody else on the segment has |
//! | `notes` | the Events that go with it, in MetalLB's words |
//! | `pools` | pools: verdicts, counters, at most one write a second each |
//! | `reservations` | reservations: what they ask for, and their status |
//! | `state` | the ConfigurationState |
//! | `rivals` | the controller of a MetalLB that still runs |
//! | `peers` | the warning that BGP is not supported |
//! | `advertisements` | the warning that a pool is named that is not there |
//!
//! While another process leads, the index only remembers what it sees: what a leader decides from is what the API
//! server holds, so gaining the Lease is a start. A start adopts every address that is held before it gives a new one,
//! and therefore waits for the first lists.

mod advertisements;
mod again;
mod conditions;
mod conflicts;
mod desired;
mod fence;
mod input;
mod leaving;
mod notes;
mod packed;
mod patch;
mod peers;
mod pools;
mod record;
mod reservations;
mod rivals;
mod services;
mod state;
mod term;
mod window;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use cortenlb_core::ipam::{Allocator, Rules};
use cortenlb_core::name::ServiceKey;
use cortenlb_core::selector::Labels;
use cortenlb_core::time::Instant;
use cortenlb_crds::configuration_state::{Pod, Report};
use cortenlb_crds::translate::conflict::Contested;
use cortenlb_kit::watch::Change;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;

use advertisements::Advertisements;
use again::Again;
pub use input::{Effect, Input, Key, Lead, Now, PoolUsage, Verdict};
use leaving::Leaving;
use peers::Peers;
use pools::Pools;
use record::Record;
pub use record::View;
use reservations::Reservations;
use rivals::Rivals;
use term::Term;
use window::{WINDOW, Window};

/// The component in Events, and as a field manager.
pub const COMPONENT: &str = "metallb-controller";

/// What does not change while the controller runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// MetalLB's `--lb-class`; none: Services without a class.
    pub class: Option<String>,
    /// The namespace of the pools.
    pub namespace: String,
    /// How addresses are given.
    pub rules: Rules,
    /// The pod that the controller's ConfigurationState belongs to.
    pub pod: Option<Pod>,
}

/// Everything that the controller knows, and what it wants done.
///
/// Feed it with [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout); after each call
/// drain [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Index {
    settings: Settings,
    services: BTreeMap<ServiceKey, Box<Record>>,
    /// How far the watch of Services has come: the greatest version that it has shown, and every older one with it.
    shown: u64,
    namespaces: BTreeMap<String, Labels>,
    pools: Pools,
    reservations: Reservations,
    rivals: Rivals,
    peers: Peers,
    advertisements: Advertisements,
    state: Report,
    /// Services whose status shows addresses that they do not hold: a new pool may make them theirs.
    unheld: BTreeSet<ServiceKey>,
    leaving: Leaving,
    window: Window,
    again: Again,
    /// The addresses that somebody else has, by Service; none until that is known.
    contested: Option<BTreeMap<ServiceKey, Contested>>,
    listed: Listed,
    /// None while another process leads.
    term: Option<Term>,
    /// How many lists it has asked for.
    questions: u64,
    /// None until this process leads and nothing is in the way.
    allocator: Option<Allocator>,
    effects: VecDeque<Effect>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    services: bool,
    pools: bool,
    namespaces: bool,
    reservations: bool,
    rivals: bool,
}

impl Index {
    /// An index that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        let mut state = Report::of_controller(&settings.namespace);
        state.set_owner(settings.pod.clone());
        Self {
            state,
            pools: Pools::new(&settings.namespace),
            settings,
            services: BTreeMap::new(),
            shown: 0,
            namespaces: BTreeMap::new(),
            reservations: Reservations::default(),
            rivals: Rivals::default(),
            peers: Peers::default(),
            advertisements: Advertisements::default(),
            unheld: BTreeSet::new(),
            leaving: Leaving::default(),
            window: Window::default(),
            again: Again::default(),
            contested: None,
            listed: Listed::default(),
            term: None,
            questions: 0,
            allocator: None,
            effects: VecDeque::new(),
        }
    }

    /// Takes in what has happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        if let Some(allocator) = &mut self.allocator {
            allocator.advance(now.boot);
        }
        match input {
            Input::Services(change) => self.services(now, change),
            Input::Pools(change) => {
                let changed = self.pools.change(change);
                if changed || !self.listed.pools {
                    self.pools_changed(now);
                }
                self.listed.pools = true;
            }
            Input::Namespaces(change) => self.namespaces(now, change),
            Input::Peers(change) => {
                let notes = self.peers.change(change);
                self.say(notes);
            }
            Input::Advertisements(change) => self.advertisements.change(now.boot, change),
            Input::Reservations(change) => {
                self.reservations_changed(change);
                self.listed.reservations = true;
                self.drain(now);
            }
            Input::Rivals(change) => {
                let before = self.rivals.verdict();
                let notes = self.rivals.change(*change);
                self.say(notes);
                self.listed.rivals = true;
                // Most of these pods are nobody's rivals.
                if self.rivals.verdict() != before {
                    self.rivals_changed(now);
                }
            }
            Input::States(change) => self.states(change),
            Input::Contested(contested) => self.contested(now, contested),
            Input::Announced { service, verdict } => {
                // The condition goes with the Service.
                if let Some(record) = self.services.get_mut(&service) {
                    record.announced = Some(verdict);
                    self.reconcile(now, &service);
                }
            }
            // The answer to a write of an earlier term is none to a write of this one; the watch tells what it did.
            Input::Written(outcome) => {
                if self
                    .term
                    .as_ref()
                    .is_some_and(|term| term.epoch() == outcome.term)
                {
                    if matches!(outcome.write.key, Key::Service(_)) {
                        self.window.answered();
                    }
                    self.written(now, *outcome);
                    while let Some(key) = self.window.next() {
                        self.reconcile(now, &key);
                    }
                }
            }
            Input::Newest { question, newest } => self.newest(now, question, newest),
            Input::Lead(lead) => self.lead(now, lead),
        }
        self.start(now);
        self.flush(now);
    }

    /// Does what has become due. Harmless at any other time.
    pub fn handle_timeout(&mut self, now: Now) {
        if let Some(allocator) = &mut self.allocator {
            allocator.advance(now.boot);
        }
        while let Some(key) = self.again.take(now.boot) {
            self.decide_again(now, key);
        }
        self.start(now);
        self.drain(now);
        self.flush(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_allocator = self.allocator.as_ref().map(|allocator| {
            let times = [
                self.pools.due(),
                self.advertisements.due(),
                allocator.poll_timeout(),
            ];
            times.into_iter().flatten().min()
        });
        let of_fence = self.term.as_ref().and_then(Term::due);
        let times = [self.again.due(), of_fence, of_allocator.flatten()];
        times.into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if effect.is_none() {
            // A start may stamp thousands at once: their room is not kept.
            self.effects.shrink_to(WINDOW);
        }
        effect
    }

    /// Whether this process decides: it leads, and has seen everything once.
    pub fn is_deciding(&self) -> bool {
        self.allocator.is_some()
    }

    /// Whether a late write of an earlier leader, or of a running MetalLB, may still land: the fence is not up yet. Who
    /// gives the Lease back then would tell the next leader that it needs none.
    pub fn is_exposed(&self) -> bool {
        self.term.as_ref().is_some_and(Term::has_to_fence) && self.allocator.is_none()
    }

    /// Whether everything that decides about addresses has been listed.
    pub fn is_listed(&self) -> bool {
        let Listed {
            services,
            pools,
            namespaces,
            reservations,
            rivals,
        } = self.listed;
        services && pools && namespaces && reservations && rivals
    }

    fn say(&mut self, notes: Vec<cortenlb_kit::events::Note>) {
        if self.term.is_some() {
            self.effects.extend(notes.into_iter().map(Effect::Note));
        }
    }

    fn namespaces(&mut self, now: Now, change: Change<Namespace>) {
        match change {
            Change::Apply(object) => self.set_namespace(&object.name_any(), Some(object.labels().into())),
            Change::Delete(object) => self.set_namespace(&object.name_any(), None),
            Change::Reset(objects) => {
                let labels: BTreeMap<String, Labels> = objects
                    .iter()
                    .map(|object| (object.name_any(), object.labels().into()))
                    .collect();
                let gone: Vec<String> = self
                    .namespaces
                    .keys()
                    .filter(|name| !labels.contains_key(*name))
                    .cloned()
                    .collect();
                for name in gone {
                    self.set_namespace(&name, None);
                }
                for (name, labels) in labels {
                    self.set_namespace(&name, Some(labels));
                }
                self.listed.namespaces = true;
            }
        }
        self.drain(now);
    }

    fn set_namespace(&mut self, name: &str, labels: Option<Labels>) {
        if let Some(allocator) = &mut self.allocator {
            allocator.set_namespace(name, labels.clone());
        }
        match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels),
            None => self.namespaces.remove(name),
        };
    }

    /// The set of valid pools may be another one.
    pub(super) fn pools_changed(&mut self, now: Now) {
        let valid = self.pools.judge();
        self.state.judge(self.pools.errors());
        self.effects.push_back(Effect::Config {
            stale: self.pools.any_ignored(),
        });
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        // Before the pools give anything: what they cover as of now belongs to those whose status shows it. What they
        // covered before has been judged when it was seen.
        let covered = |address: IpAddr| {
            allocator.pool_of(address).is_none() && valid.values().any(|pool| pool.covers(address))
        };
        let claims = self.unheld.iter().filter_map(|key| {
            let claim = self.services.get(key)?.seen.claim(covered)?;
            let is_new = claim.addresses.iter().all(|address| covered(*address));
            is_new.then(|| (key.clone(), claim))
        });
        let claims: BTreeMap<_, _> = claims.collect();
        for (key, in_use) in allocator.adopt(claims) {
            if let Some(record) = self.services.get_mut(&key) {
                record.lost = Some(Box::new(in_use));
            }
        }
        allocator.set_pools(valid);
        self.drain(now);
    }

    /// Follows up what the allocator has changed.
    fn drain(&mut self, now: Now) {
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        let touched = allocator.take_touched();
        let changed = allocator.take_changed();
        // Who gives an address up comes before who gets it, whatever their names.
        for key in &changed {
            self.follow_leaving(now, key);
        }
        for key in changed {
            self.reconcile(now, &key);
        }
        self.pools.touch(touched);
    }

    /// Writes the pools' counters that are due, and what has become of the reservations; tells the advertisements what
    /// is due.
    fn flush(&mut self, now: Now) {
        if let Some(allocator) = &self.allocator {
            self.effects.extend(self.pools.flush(now, allocator));
            let notes = self.advertisements.judge(now.boot, &self.pools);
            self.effects.extend(notes.into_iter().map(Effect::Note));
        }
        self.flush_reservations(now);
        self.flush_state(now);
    }
}

#[cfg(test)]
mod tests;
