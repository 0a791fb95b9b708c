//! From winning the Lease to giving the first address: the lists, MetalLB's end, the fence, the adoption.
//!
//! A leader that follows another one knows by its watch of Services what that one gave away, and the watch may not have
//! shown the last of it yet. So the Services are listed, and the watch must have shown the newest of them.
//!
//! One that follows a leader whose Lease *expired* cannot know either whether a write of that one is still under way: decided
//! from a form that is still the newest, it would land. So each Service to which such a write could give an address is
//! stamped (annotation `cortenlb.io/epoch`): its version is another one then, and the late write meets 409. Here a stamp
//! that the *watch* shows takes the place of the list, since the watch has shown everything older as well.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::ipam::{Allocator, InUse};
use cortenlb_core::name::{ReservationKey, ServiceKey};
use cortenlb_core::time::Instant;
use cortenlb_crds::names::EPOCH;
use cortenlb_kit::lease::Predecessor;
use cortenlb_kit::write::{Op, Priority, Target, Write};
use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::again::Again;
use super::fence::Fence;
use super::input::{Effect, Key, Lead, Now};
use super::leaving::Leaving;
use super::services::{self, Source};
use super::window::Window;
use super::{Index, desired, patch};

/// One term as the leader.
#[derive(Debug)]
pub(super) struct Term {
    lead: Lead,
    /// None before it is put up.
    fence: Option<Fence>,
    /// The Services have been told that MetalLB's controller runs.
    told: bool,
}

impl Term {
    fn new(lead: Lead) -> Self {
        Self {
            lead,
            fence: None,
            told: false,
        }
    }

    /// The number by which its writes, and their answers, are known.
    pub(super) fn epoch(&self) -> i32 {
        self.lead.epoch
    }

    /// When its fence is to be looked at again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.fence.as_ref().and_then(Fence::due)
    }

    /// Whether a write of the leader before, or of MetalLB, may still land unless a fence is up.
    pub(super) fn has_to_fence(&self) -> bool {
        self.lead.predecessor == Predecessor::Expired
    }
}

impl Index {
    pub(super) fn lead(&mut self, now: Now, lead: Option<Lead>) {
        if self.term.as_ref().map(|term| term.lead) == lead {
            return;
        }
        self.term = lead.map(Term::new);
        if let Some(allocator) = self.allocator.take() {
            self.pools.remember(now.boot, &allocator);
        }
        if self.term.is_some() {
            self.effects
                .extend(self.peers.notes().into_iter().map(Effect::Note));
            self.effects
                .extend(self.rivals.notes().into_iter().map(Effect::Note));
        }
        // Writes of an earlier term are dropped, and what is under way is answered to nobody.
        self.services.values_mut().for_each(|record| record.restart());
        self.window = Window::default();
        self.leaving = Leaving::default();
        self.again = Again::default();
        self.pools.restart();
        self.advertisements.restart(now.boot);
        self.reservations.restart();
        self.state.restart();
    }

    /// MetalLB's controller pods have come or gone. Its writes may be under way when it has gone, as a deposed leader's.
    ///
    /// The term goes on: what was sent in it is answered as usual, and what was refused is decided again.
    pub(super) fn rivals_changed(&mut self, now: Now) {
        if !self.rivals.are_running() {
            return;
        }
        if let Some(term) = &mut self.term {
            term.fence = None;
            term.told = false;
        }
        if let Some(allocator) = self.allocator.take() {
            self.pools.remember(now.boot, &allocator);
            tracing::warn!("MetalLB's controller runs: nothing is given until it is gone");
            self.services.values_mut().for_each(|record| record.suspend());
            self.leaving = Leaving::default();
        }
    }

    fn tell_all_why_nothing_is_given(&mut self, now: Now) {
        let Some(term) = self.term.as_mut().filter(|term| !term.told) else {
            return;
        };
        term.told = true;
        term.lead.predecessor = Predecessor::Expired;
        let keys: Vec<ServiceKey> = self.services.keys().cloned().collect();
        for key in keys {
            self.tell_why_nothing_is_given(now, &key);
        }
    }

    /// Adopts what is held, then serves those who wait, the oldest first, as soon as nothing is in the way.
    pub(super) fn start(&mut self, now: Now) {
        if self.term.is_none() || !self.is_listed() || self.allocator.is_some() {
            return;
        }
        if self.rivals.are_running() {
            return self.tell_all_why_nothing_is_given(now);
        }
        if !self.is_fenced(now) {
            return;
        }
        let (mut allocator, losers) = self.adopted(now);
        tracing::info!(services = self.services.len(), "addresses adopted");
        for (key, in_use) in losers {
            tracing::warn!(service = %key, reason = %in_use, "two Services hold one address");
            if let Some(record) = self.services.get_mut(&key) {
                record.lost = Some(Box::new(in_use));
            }
        }
        let keys = self.by_age();
        for key in &keys {
            if let Some(record) = self.services.get_mut(key) {
                record.relic = record.seen.is_anothers_with_our_condition();
                services::ask(&mut allocator, key, record);
            }
        }
        self.allocator = Some(allocator);
        self.quarantine_all();
        for key in &keys {
            self.follow_leaving(now, key);
        }
        for key in &keys {
            self.reconcile(now, key);
        }
        self.pools.touch_all();
        self.reservations.touch_all();
        self.drain(now);
    }

    /// An allocator that knows what is held, reserved and cooling down, and has been asked for nothing; and those who
    /// lost an address to another holder.
    fn adopted(&mut self, now: Now) -> (Allocator, Vec<(ServiceKey, InUse)>) {
        let mut allocator = Allocator::new(self.settings.rules);
        allocator.advance(now.boot);
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
        let losers = allocator.adopt(claims);
        for (address, cooling) in self.pools.cooling(now) {
            allocator.resume_cool_down(address, cooling);
        }
        allocator.adopt_reservations(self.reservations.found(), self.asked_reservations());
        (allocator, losers)
    }

    fn asked_reservations(&self) -> BTreeMap<ReservationKey, BTreeSet<ServiceKey>> {
        let mut asked: BTreeMap<ReservationKey, BTreeSet<ServiceKey>> = BTreeMap::new();
        for (service, record) in &self.services {
            let request = record.seen.wants.as_ref().map(|wants| &wants.request);
            for name in request
                .into_iter()
                .flatten()
                .flat_map(|request| &request.reservations)
            {
                let key = ReservationKey::new(service.namespace(), name);
                asked.entry(key).or_default().insert(service.clone());
            }
        }
        asked
    }

    fn by_age(&self) -> Vec<ServiceKey> {
        let mut keys: Vec<(i64, &ServiceKey)> = self
            .services
            .iter()
            .map(|(key, record)| (record.seen.created(), key))
            .collect();
        keys.sort();
        keys.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// Whether all that an earlier leader wrote to Services has been seen, and nothing of it can land any more; puts the
    /// fence up if it is needed.
    fn is_fenced(&mut self, now: Now) -> bool {
        let Some(term) = &mut self.term else { return false };
        if term.lead.predecessor == Predecessor::Fresh {
            return true;
        }
        let late_writes = term.has_to_fence();
        let fence = term.fence.get_or_insert_default();
        fence.follow(now.boot, self.shown);
        if !fence.is_at_rest() {
            return false;
        }
        let is_proven = fence.is_proven();
        if !late_writes {
            if !is_proven {
                self.ask_for_the_newest();
            }
            return is_proven;
        }
        let ours = self.ours();
        let exposed = self.exposed(now, &ours);
        // What was seen of others meanwhile may have made more of them exposed.
        let stamped = self.stamp_all(exposed);
        if stamped > 0 {
            tracing::info!(
                services = stamped,
                "stamping, since the leader before did not give its Lease back"
            );
            return false;
        }
        if is_proven {
            return true;
        }
        // One more, where there is any, so that a stamp tells how far the watch has come.
        let is_new = |key: &&ServiceKey| {
            let fence = self.term.as_ref().and_then(|term| term.fence.as_ref());
            fence.is_some_and(|fence| !fence.knows(key))
        };
        let witness = ours.iter().find(is_new).cloned();
        if self.stamp_all(witness) == 0 {
            self.ask_for_the_newest();
        }
        false
    }

    /// Stamps those of them that have no stamp in this term; returns how many.
    fn stamp_all(&mut self, keys: impl IntoIterator<Item = ServiceKey>) -> usize {
        let mut stamped = 0;
        for key in keys {
            let version = self.services[&key].seen.version.to_string();
            if let Some(term) = &mut self.term
                && let Some(fence) = &mut term.fence
                && fence.add(&key, term.lead.epoch, &version)
            {
                self.stamp(&key);
                stamped += 1;
            }
        }
        stamped
    }

    /// Asks the API server for the newest Service, which the watch may not have shown.
    fn ask_for_the_newest(&mut self) {
        if let Some(fence) = self.term.as_mut().and_then(|term| term.fence.as_mut()) {
            self.questions += 1;
            fence.asked(self.questions);
            self.effects.push_back(Effect::List(self.questions));
        }
    }

    /// The API server has said which version is the newest.
    pub(super) fn newest(&mut self, now: Now, question: u64, newest: Option<u64>) {
        if let Some(fence) = self.term.as_mut().and_then(|term| term.fence.as_mut()) {
            fence.listed(now.boot, question, newest);
        }
    }

    /// The Services that are ours to serve, the oldest first.
    fn ours(&self) -> Vec<ServiceKey> {
        let mut ours = self.by_age();
        ours.retain(|key| self.services[key].seen.wants.is_some());
        ours
    }

    /// Those of ours to which a late write could give an address: those that are not served in full, or do not say so
    /// themselves.
    fn exposed(&mut self, now: Now, ours: &[ServiceKey]) -> Vec<ServiceKey> {
        let (mut allocator, _) = self.adopted(now);
        for key in ours {
            if let Some(record) = self.services.get_mut(key) {
                services::ask(&mut allocator, key, record);
            }
        }
        let is_served = |key: &ServiceKey| {
            let held = allocator.assignment(key);
            held.is_some_and(|held| *held.addresses == *self.services[key].seen.addresses)
                && allocator.refusal(key).is_none()
                && allocator.lacking(key).is_none()
                && desired::is_at_rest(&self.services[key].seen)
        };
        let exposed: Vec<ServiceKey> = ours.iter().filter(|key| !is_served(key)).cloned().collect();
        // The trial must leave no trace.
        self.services.values_mut().for_each(|record| record.lost = None);
        exposed
    }

    /// Follows the fence up when a form of a Service is seen.
    pub(super) fn follow_fence(&mut self, key: &ServiceKey, source: Source) {
        let (Some(term), Some(record)) = (&mut self.term, self.services.get(key)) else {
            return;
        };
        let has_to_fence = term.has_to_fence();
        let Some(fence) = &mut term.fence else { return };
        let (epoch, seen) = (term.lead.epoch, &record.seen);
        let version = seen.version.to_string();
        let again = match source {
            Source::Answer => fence.answered(key, epoch, &version),
            Source::Watch | Source::List => fence.told(key, epoch, &version, seen.epoch.as_deref()),
        };
        let new = has_to_fence
            && self.allocator.is_none()
            && seen.wants.is_some()
            && seen.addresses.is_empty()
            && fence.add(key, epoch, &version);
        if again || new {
            self.stamp(key);
        }
    }

    /// Sends the stamp that is still awaited. It demands no version: it is to land whatever happened before.
    pub(super) fn stamp(&mut self, key: &ServiceKey) {
        let fence = self.term.as_ref().and_then(|term| term.fence.as_ref());
        let Some(stamp) = fence.and_then(|fence| fence.awaited(key)).map(str::to_owned) else {
            return;
        };
        self.effects.push_back(Effect::Write(Write {
            key: Key::Stamp(key.clone()),
            priority: Priority::High,
            supersede: false,
            target: Target::of::<Service>(Some(key.namespace()), key.name()),
            op: Op::Patch {
                subresource: Some("status"),
                body: json!({ "metadata": { "annotations": { EPOCH: stamp } } }).into(),
            },
        }));
    }

    /// The Service is gone.
    pub(super) fn lift_fence(&mut self, key: &ServiceKey) {
        if let Some(fence) = self.term.as_mut().and_then(|term| term.fence.as_mut()) {
            fence.forget(key);
        }
    }

    /// The stamp of a Service is not to be had: what refused it would refuse a late write too, and a Service that the API
    /// server does not have (404) can get none. That the watch is as new as that is still to be shown.
    pub(super) fn spare(&mut self, key: &ServiceKey) {
        if let Some(fence) = self.term.as_mut().and_then(|term| term.fence.as_mut()) {
            fence.spare(key);
        }
    }

    /// Says on a Service without an address that MetalLB's controller has to go first.
    pub(super) fn tell_why_nothing_is_given(&mut self, now: Now, key: &ServiceKey) {
        if self.term.is_none() || !self.is_listed() {
            return;
        }
        let Some(rivals) = self.rivals.verdict() else {
            return;
        };
        let Some(record) = self.services.get_mut(key) else {
            return;
        };
        let desired = desired::while_metallb_runs(&record.seen, rivals);
        if record.may_write(&desired)
            && let Some(write) = patch::write(key, &record.seen, &desired, now.wall)
            && self.window.admits(key, write.priority)
        {
            record.sent(now.boot, Vec::new(), Vec::new(), desired);
            self.effects.push_back(Effect::Write(write));
        }
    }
}
