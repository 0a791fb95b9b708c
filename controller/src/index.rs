//! Services, pools and namespaces in; status patches, Events and counters out. Pure: no clock, no connection.
//!
//! | module | owns |
//! | --- | --- |
//! | `input` | what happens, and what is to be done about it |
//! | `record` | what is remembered of one Service between a write and its echo |
//! | `desired` | what a Service's status should say |
//! | `patch` | the difference, as one JSON merge patch |
//! | `notes` | the Events that go with it, in MetalLB's words |
//! | `pools` | pools: verdicts, counters, at most one write a second each |
//! | `peers` | the warning that BGP is not supported |
//!
//! While another process leads, the index only remembers what it sees: what a leader decides from is what the API
//! server holds, so gaining the Lease is a start. A start adopts every address that is held before it gives a new one,
//! and therefore waits for the first list of Services, pools and namespaces.

mod desired;
mod input;
mod notes;
mod patch;
mod peers;
mod pools;
mod record;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use cortenlb_core::ipam::Allocator;
use cortenlb_core::name::ServiceKey;
use cortenlb_core::selector::Labels;
use cortenlb_core::time::Instant;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Outcome, Refusal};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::ResourceExt;
use kube::api::DynamicObject;

pub use input::{Effect, Input, Key, Now, PoolUsage, Verdict};
use peers::Peers;
use pools::Pools;
use record::{Record, Seen};

/// Everything that the controller knows, and what it wants done.
///
/// Feed it with [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout); after each call
/// drain [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Index {
    class: Option<String>,
    services: BTreeMap<ServiceKey, Record>,
    namespaces: BTreeMap<String, Labels>,
    pools: Pools,
    peers: Peers,
    /// Some(None): the Service is to have no such condition. Absent: nobody has said, what it has stays.
    announced: BTreeMap<ServiceKey, Option<Verdict>>,
    /// Services whose status shows addresses that they do not hold: a new pool may make them theirs.
    unheld: BTreeSet<ServiceKey>,
    listed: Listed,
    leading: bool,
    /// None until this process leads and everything has been listed.
    allocator: Option<Allocator>,
    effects: VecDeque<Effect>,
}

#[derive(Debug, Default)]
struct Listed {
    services: bool,
    pools: bool,
    namespaces: bool,
}

impl Index {
    /// An index for the Services of load balancer class `class` (MetalLB's `--lb-class`), and for the pools of
    /// `namespace`.
    pub fn new(class: Option<String>, namespace: &str) -> Self {
        Self {
            class,
            services: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            pools: Pools::new(namespace),
            peers: Peers::default(),
            announced: BTreeMap::new(),
            unheld: BTreeSet::new(),
            listed: Listed::default(),
            leading: false,
            allocator: None,
            effects: VecDeque::new(),
        }
    }

    /// Takes in what has happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Services(change) => self.services(now, change),
            Input::Pools(change) => {
                self.pools.change(change);
                self.listed.pools = true;
                self.pools_changed(now);
            }
            Input::Namespaces(change) => self.namespaces(now, change),
            Input::Peers(change) => {
                let notes = self.peers.change(change);
                if self.leading {
                    self.effects.extend(notes.into_iter().map(Effect::Note));
                }
            }
            Input::Announced { service, verdict } => {
                self.announced.insert(service.clone(), verdict);
                self.reconcile(now, &service);
            }
            Input::Written(outcome) => self.written(now, *outcome),
            Input::Lead(leading) => self.lead(leading),
        }
        self.start(now);
        self.flush(now);
    }

    /// Does what has become due. Harmless at any other time.
    pub fn handle_timeout(&mut self, now: Now) {
        self.flush(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.allocator.as_ref().and_then(|_| self.pools.due())
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Whether this process decides: it leads, and has seen everything once.
    pub fn is_deciding(&self) -> bool {
        self.allocator.is_some()
    }

    /// Whether Services, pools and namespaces have been listed.
    pub fn is_listed(&self) -> bool {
        self.listed.services && self.listed.pools && self.listed.namespaces
    }

    fn services(&mut self, now: Now, change: Change<Service>) {
        match change {
            Change::Apply(object) => self.observe(now, &object, false),
            Change::Delete(object) => self.forget(now, &key_of(&object)),
            Change::Reset(objects) => {
                let present: BTreeSet<ServiceKey> = objects.iter().map(key_of).collect();
                let gone: Vec<ServiceKey> = self
                    .services
                    .keys()
                    .filter(|key| !present.contains(*key))
                    .cloned()
                    .collect();
                for key in gone {
                    self.forget(now, &key);
                }
                for object in &objects {
                    // A list is the truth even if its versions are lower: etcd may have been restored.
                    self.observe(now, object, true);
                }
                self.listed.services = true;
            }
        }
    }

    fn namespaces(&mut self, now: Now, change: Change<Namespace>) {
        match change {
            Change::Apply(object) => self.set_namespace(&object.name_any(), Some(object.labels().clone())),
            Change::Delete(object) => self.set_namespace(&object.name_any(), None),
            Change::Reset(objects) => {
                let labels: BTreeMap<String, Labels> = objects
                    .iter()
                    .map(|object| (object.name_any(), object.labels().clone()))
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

    /// Takes note of a Service as the API server holds it: from the watch, or as the answer to a write.
    fn observe(&mut self, now: Now, object: &Service, listed: bool) {
        let key = key_of(object);
        let seen = Seen::of(object, self.class.as_deref());
        match self.services.get_mut(&key) {
            // The watch lags behind the answers to our writes. An older form would show a Service without the
            // address that it has: it is no news, and would be answered with a second write.
            Some(record) if !listed && seen.is_older_than(&record.seen) => return,
            Some(record) if record.seen.uid == seen.uid => record.see(seen),
            _ => {
                self.forget(now, &key);
                self.services.insert(key.clone(), Record::new(seen));
            }
        }
        self.ask(&key);
        let record = self.services.get_mut(&key).expect("the record was made above");
        if let Some(held) = self
            .allocator
            .as_ref()
            .and_then(|allocator| allocator.assignment(&key))
        {
            record.notice_rewrite(now.boot, &key, &held.addresses);
        }
        self.reconcile(now, &key);
        self.drain(now);
    }

    /// Hands what a Service shows and asks for to the allocator.
    fn ask(&mut self, key: &ServiceKey) {
        let (Some(allocator), Some(record)) = (&mut self.allocator, self.services.get_mut(key)) else {
            return;
        };
        let Some(wants) = &record.seen.wants else {
            allocator.release(key);
            return;
        };
        if allocator.assignment(key).is_none()
            && let Some(claim) = record.seen.claim(|address| allocator.pool_of(address).is_some())
        {
            for (_, in_use) in allocator.adopt(BTreeMap::from([(key.clone(), claim)])) {
                record.lost = Some(in_use);
            }
        }
        match &wants.request {
            Ok(request) => allocator.request(key, request.clone()),
            Err(_) => allocator.withdraw(key),
        }
    }

    fn forget(&mut self, now: Now, key: &ServiceKey) {
        if self.services.remove(key).is_none() {
            return;
        }
        self.announced.remove(key);
        self.unheld.remove(key);
        if let Some(allocator) = &mut self.allocator {
            allocator.release(key);
        }
        self.drain(now);
    }

    /// The set of valid pools may be another one.
    fn pools_changed(&mut self, now: Now) {
        let valid = self.pools.judge();
        self.effects.push_back(Effect::Config {
            stale: self.pools.any_ignored(),
        });
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        // Before the pools give anything: what they now cover belongs to those whose status shows it.
        let covered = |address: IpAddr| {
            valid
                .values()
                .flat_map(|pool| pool.ranges())
                .any(|range| range.contains(address))
        };
        let claims = self.unheld.iter().filter_map(|key| {
            let claim = self.services.get(key)?.seen.claim(covered)?;
            Some((key.clone(), claim))
        });
        let claims: BTreeMap<_, _> = claims.collect();
        for (key, in_use) in allocator.adopt(claims) {
            if let Some(record) = self.services.get_mut(&key) {
                record.lost = Some(in_use);
            }
        }
        allocator.set_pools(valid);
        self.drain(now);
    }

    fn lead(&mut self, leading: bool) {
        if self.leading == leading {
            return;
        }
        self.leading = leading;
        if leading {
            self.effects
                .extend(self.peers.notes().into_iter().map(Effect::Note));
        } else {
            self.allocator = None;
        }
        // Writes without the Lease are dropped without an answer: nothing is under way any more.
        self.services.values_mut().for_each(Record::restart);
        self.pools.restart();
    }

    /// Adopts what is held, then serves those who wait, the oldest first.
    fn start(&mut self, now: Now) {
        if !self.leading || !self.is_listed() || self.allocator.is_some() {
            return;
        }
        let mut allocator = Allocator::default();
        for (name, labels) in &self.namespaces {
            allocator.set_namespace(name, Some(labels.clone()));
        }
        allocator.set_pools(self.pools.judge());
        let claims = self.services.iter().filter_map(|(key, record)| {
            let claim = record
                .seen
                .claim(|address| allocator.pool_of(address).is_some())?;
            Some((key.clone(), claim))
        });
        let claims: BTreeMap<_, _> = claims.collect();
        tracing::info!(
            services = self.services.len(),
            holding = claims.len(),
            "addresses adopted"
        );
        for (key, in_use) in allocator.adopt(claims) {
            tracing::warn!(service = %key, reason = %in_use, "two Services hold one address");
            if let Some(record) = self.services.get_mut(&key) {
                record.lost = Some(in_use);
            }
        }
        self.allocator = Some(allocator);
        let mut keys: Vec<(i64, ServiceKey)> = self
            .services
            .iter()
            .map(|(key, record)| (record.seen.created(), key.clone()))
            .collect();
        keys.sort();
        for (_, key) in &keys {
            self.ask(key);
        }
        for (_, key) in &keys {
            self.reconcile(now, key);
        }
        self.pools.touch_all();
        self.drain(now);
    }

    /// Follows up what the allocator has changed.
    fn drain(&mut self, now: Now) {
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        let touched = allocator.take_touched();
        for key in allocator.take_changed() {
            self.reconcile(now, &key);
        }
        self.pools.touch(touched);
    }

    /// Writes the pools' counters that are due.
    fn flush(&mut self, now: Now) {
        if let Some(allocator) = &self.allocator {
            self.effects.extend(self.pools.flush(now, allocator));
        }
    }

    /// Compares what a Service says with what it should say, and writes the difference: one write at a time.
    ///
    /// Between a write and its answer the record remembers that it was sent, and nothing else is: the allocator holds
    /// the address from the moment of the decision, so that neither a late watch event nor a refusal (409) gives
    /// another one. The answer is the object itself, which is observed like any other form of it. A refused write is
    /// not repeated; the decision is made again when a newer form of the object is seen.
    fn reconcile(&mut self, now: Now, key: &ServiceKey) {
        let (Some(allocator), Some(record)) = (&self.allocator, self.services.get_mut(key)) else {
            return;
        };
        let desired = desired::of(key, record, allocator, self.announced.get(key));
        if record.seen.wants.is_some()
            && allocator.assignment(key).is_none()
            && !record.seen.addresses.is_empty()
        {
            self.unheld.insert(key.clone());
        } else {
            self.unheld.remove(key);
        }
        record.notice_settled(allocator.assignment(key).map(|held| held.addresses.as_slice()));
        if !record.may_write(&desired) {
            return;
        }
        if let Some(write) = patch::write(key, &record.seen, &desired, now.wall) {
            record.sent(notes::of(key, record, &desired, allocator));
            self.effects.push_back(Effect::Write(write));
        }
    }

    fn written(&mut self, now: Now, outcome: Outcome<Key>) {
        let Outcome { write, result } = outcome;
        if let Err(refusal) = &result {
            match refusal {
                Refusal::Rejected { .. } => {
                    tracing::error!(error = %cortenlb_kit::logs::chain(refusal), "write refused");
                    self.effects.push_back(Effect::Failed);
                }
                _ => tracing::debug!(%refusal, "decided from an older form"),
            }
        }
        match write.key {
            Key::Service(key) => {
                let Some(record) = self.services.get_mut(&key) else {
                    return;
                };
                let notes = record.answered(&write.op, result.is_ok());
                if let Ok(Some(object)) = result {
                    self.effects.extend(notes.into_iter().map(Effect::Note));
                    self.answer(now, *object);
                }
                self.reconcile(now, &key);
            }
            Key::Pool(name) => {
                if let Some(object) = self.pools.answered(&name, result.ok().flatten()) {
                    self.pools.change(Change::Apply(object));
                }
            }
        }
    }

    fn answer(&mut self, now: Now, object: DynamicObject) {
        match object.try_parse::<Service>() {
            Ok(object) => self.observe(now, &object, false),
            // The watch brings it again.
            Err(error) => tracing::warn!(%error, "the answer to a write is no Service"),
        }
    }
}

fn key_of(object: &Service) -> ServiceKey {
    ServiceKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests;
