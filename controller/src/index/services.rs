//! Services: what is seen of them, what is asked of the allocator for them, what is written.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::ipam::Allocator;
use cortenlb_core::name::ServiceKey;
use cortenlb_core::selector::Labels;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Outcome, Refusal};
use k8s_openapi::api::core::v1::Service;
use kube::api::DynamicObject;

use super::input::{Effect, Key, Now};
use super::record::{Record, Seen, View};
use super::{Index, desired, notes, patch};

/// Where a form of a Service comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The watch told a change.
    Watch,
    /// It was listed: that is the truth even if its version is lower, since etcd may have been restored.
    List,
    /// It is the answer to a write of ours. The watch lags behind it.
    Answer,
}

impl Index {
    pub(super) fn services(&mut self, now: Now, change: Change<View>) {
        self.shown = match &change {
            Change::Apply(view) | Change::Delete(view) => self.shown.max(view.seen.version.number()),
            Change::Reset(views) => {
                let versions = views.iter().map(|view| view.seen.version.number());
                versions.max().unwrap_or_default()
            }
        };
        match change {
            Change::Apply(view) => self.observe(now, view, Source::Watch),
            Change::Delete(view) => self.forget(now, &view.key),
            Change::Reset(views) => {
                let present: BTreeSet<&ServiceKey> = views.iter().map(|view| &view.key).collect();
                let gone: Vec<ServiceKey> = self
                    .services
                    .keys()
                    .filter(|key| !present.contains(key))
                    .cloned()
                    .collect();
                for key in gone {
                    self.forget(now, &key);
                }
                for view in views {
                    self.observe(now, view, Source::List);
                }
                self.listed.services = true;
            }
        }
    }

    /// Takes note of a Service as the API server holds it: from the watch, or as the answer to a write.
    fn observe(&mut self, now: Now, view: View, source: Source) {
        let View { key, seen, .. } = view;
        match self.services.get_mut(&key) {
            // An older form would show a Service without the address that it has: it is no news, and would be answered
            // with a second write.
            Some(record) if source != Source::List && seen.version.is_older(&record.seen.version) => return,
            Some(record) if record.seen.uid == seen.uid => {
                self.note_freed(now, &key, Some(&seen));
                let record = self.services.get_mut(&key).expect("the record was found above");
                record.see(seen);
            }
            _ => {
                self.forget(now, &key);
                self.services.insert(key.clone(), Box::new(Record::new(seen)));
            }
        }
        self.follow_fence(&key, source);
        self.settle_doubt(now, &key);
        let may_adopt = self.may_adopt(&key);
        if let (Some(allocator), Some(record)) = (&mut self.allocator, self.services.get_mut(&key)) {
            if may_adopt {
                adopt(allocator, &key, record);
            }
            request(allocator, &key, record);
        }
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

    /// Whether a Service that holds nothing may have what its status shows, which somebody else has written: whoever may
    /// write a status has no right to an address that the pools would not give. What it had before, by its annotation
    /// too, is its own.
    fn may_adopt(&self, key: &ServiceKey) -> bool {
        let (Some(allocator), Some(record)) = (&self.allocator, self.services.get(key)) else {
            return false;
        };
        if allocator.assignment(key).is_some() {
            return false;
        }
        let covered = |address| allocator.pool_of(address).is_some();
        let (Some(wants), Some(claim)) = (&record.seen.wants, record.seen.claim(covered)) else {
            return false;
        };
        if claim.annotated && record.had(&claim.addresses) {
            return true;
        }
        let none = Labels::new();
        let labels = wants.request.as_ref().map_or(&none, |request| &request.labels);
        allocator.would_give(key, labels, &claim.addresses)
    }

    /// Takes note of the addresses that a Service shows and gives up while this process gives nothing: `next` is its
    /// new form, none if it is gone.
    fn note_freed(&mut self, now: Now, key: &ServiceKey, next: Option<&Seen>) {
        if self.allocator.is_some() {
            return;
        }
        let Some(record) = self
            .services
            .get(key)
            .filter(|record| record.seen.wants.is_some())
        else {
            return;
        };
        let stays = next.filter(|next| next.wants.is_some());
        let stays = stays.map(|next| next.addresses.as_slice()).unwrap_or_default();
        for address in record
            .seen
            .addresses
            .iter()
            .filter(|address| !stays.contains(address))
        {
            self.pools.note_freed(now.boot, key, *address);
        }
    }

    pub(super) fn forget(&mut self, now: Now, key: &ServiceKey) {
        self.note_freed(now, key, None);
        if self.services.remove(key).is_none() {
            return;
        }
        self.unheld.remove(key);
        self.lift_fence(key);
        if let Some(allocator) = &mut self.allocator {
            allocator.release(key);
        }
        self.follow_leaving(now, key);
        self.drain(now);
    }

    /// Compares what a Service says with what it should say, and writes the difference: one write at a time.
    ///
    /// Between a write and its answer the record remembers that it was sent, and nothing else is: the allocator holds
    /// the address from the moment of the decision, so that neither a late watch event nor a refusal (409) gives
    /// another one. The answer is the object itself, which is observed like any other form of it. A refused write is
    /// not repeated; the decision is made again when a newer form of the object is seen, or after a while (`again`).
    pub(super) fn reconcile(&mut self, now: Now, key: &ServiceKey) {
        self.follow_leaving(now, key);
        self.leaving.stop_waiting(key);
        let conflict = self
            .services
            .get(key)
            .and_then(|record| self.conflict(key, record));
        let Some(record) = self.services.get_mut(key) else {
            return;
        };
        let Some(allocator) = &self.allocator else {
            self.tell_why_nothing_is_given(now, key);
            return;
        };
        if let Some(Some(verdict)) = &record.announced {
            record.seen.conditions.share_announced(verdict);
        }
        let desired = desired::of(key, record, allocator).with_conflict(conflict);
        let desired = desired::before(desired, &record.seen);
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
        let mut added = desired.addresses.clone().unwrap_or_default();
        added.retain(|address| !record.seen.addresses.contains(address));
        let wait = self.leaving.wait(key, &added);
        let desired = match &wait {
            None => desired,
            Some(wait) if wait.is_cycle => {
                added.retain(|address| !wait.addresses.contains(address));
                desired::without(&desired, key, &record.seen, wait)
            }
            Some(wait) => {
                added.clear();
                desired::in_the_way(key, &record.seen, wait)
            }
        };
        if let Some(write) = patch::write(key, &record.seen, &desired, now.wall)
            && self.window.admits(key, write.priority)
        {
            let notes = if wait.is_some() {
                // Until it is answered it waits for that, and breaks no other cycle.
                self.leaving.stop_waiting(key);
                // What there is to say is said with the rest.
                Vec::new()
            } else {
                notes::of(key, record, &desired, allocator)
            };
            record.sent(now.boot, notes, added, desired);
            self.effects.push_back(Effect::Write(write));
        }
    }

    /// Takes note of the addresses that the status shows, or that the write under way puts there, and that are not held
    /// any more. A status that is left to another controller, or was always another's, counts for nothing: it would never
    /// say otherwise.
    pub(super) fn follow_leaving(&mut self, now: Now, key: &ServiceKey) {
        let Some(allocator) = &self.allocator else {
            return;
        };
        let held = allocator.assignment(key).map(|held| held.addresses.as_slice());
        let held = held.unwrap_or_default();
        let record = self.services.get(key).filter(|record| !record.has_yielded());
        let shown = record.into_iter().flat_map(|record| {
            let stays = !desired::is_ours_to_clear(key, record, allocator);
            record.shows(stays)
        });
        let leaving = shown.filter(|address| !held.contains(address)).collect();
        for waiting in self.leaving.set(key, leaving) {
            self.reconcile(now, &waiting);
        }
    }

    pub(super) fn written(&mut self, now: Now, outcome: Outcome<Key>) {
        let Outcome { write, result, .. } = outcome;
        if let Err(refusal) = &result {
            match refusal {
                Refusal::Rejected { .. } => {
                    tracing::error!(error = %cortenlb_kit::logs::chain(refusal), "write refused");
                    self.effects.push_back(Effect::Failed);
                }
                _ => tracing::debug!(%refusal, "decided from an older form"),
            }
        }
        match &result {
            Err(Refusal::Conflict { .. }) => self.again.refused(now.boot, write.key.clone()),
            Err(Refusal::Rejected { .. }) => self.again.rejected(now.boot, write.key.clone()),
            _ => {}
        }
        match write.key {
            Key::Service(key) => {
                let why = match &result {
                    Err(refusal @ Refusal::Rejected { .. }) => Some(cortenlb_kit::logs::chain(refusal)),
                    _ => None,
                };
                for waiting in self.leaving.set_stuck(&key, why) {
                    self.reconcile(now, &waiting);
                }
                let Some(record) = self.services.get_mut(&key) else {
                    return;
                };
                if let Ok(Some(object)) = result {
                    let held = self.allocator.as_ref();
                    let held = held.and_then(|allocator| allocator.assignment(&key));
                    let notes = record.landed(held.map(|held| held.addresses.as_slice()));
                    self.effects.extend(notes.into_iter().map(Effect::Note));
                    self.answer(now, *object);
                } else {
                    record.refused(&write.op, matches!(result, Err(Refusal::Conflict { .. })));
                    self.settle_doubt(now, &key);
                }
                self.reconcile(now, &key);
            }
            Key::Stamp(key) => match result {
                // It may be gone by now, and an answer must not bring it back.
                Ok(Some(object)) if self.services.contains_key(&key) => self.answer(now, *object),
                Ok(_) | Err(Refusal::Conflict { .. }) => {}
                Err(_) => self.spare(&key),
            },
            Key::State => self.state_written(result.ok().flatten()),
            Key::Pool(name) => {
                if let Some(object) = self.pools.answered(&name, result.ok().flatten())
                    && self.pools.change(Change::Apply(object))
                {
                    self.pools_changed(now);
                }
            }
            Key::Reservation(key) => {
                if let Some(object) = self.reservations.answered(&key, &write.op, result.ok().flatten()) {
                    self.reservations_changed(Change::Apply(object));
                }
            }
        }
    }

    /// Says what belongs to a write that met 409 and had landed before.
    fn settle_doubt(&mut self, now: Now, key: &ServiceKey) {
        if let Some(record) = self.services.get_mut(key) {
            let notes =
                record.take_doubtful(|seen, desired| patch::write(key, seen, desired, now.wall).is_none());
            self.effects.extend(notes.into_iter().map(Effect::Note));
        }
    }

    /// A write of this object was refused a while ago.
    pub(super) fn decide_again(&mut self, now: Now, key: Key) {
        match key {
            Key::Service(key) => {
                if let Some(record) = self.services.get_mut(&key) {
                    record.forgive();
                }
                self.reconcile(now, &key);
            }
            Key::Stamp(key) => self.stamp(&key),
            Key::State => self.state.restart(),
            Key::Pool(name) => self.pools.touch([name].into()),
            Key::Reservation(key) => self.reservations.forgive(&key),
        }
    }

    fn answer(&mut self, now: Now, object: DynamicObject) {
        match object.try_parse::<Service>() {
            Ok(object) => {
                let view = View::of(&object, self.settings.class.as_deref());
                self.observe(now, view, Source::Answer);
            }
            // The watch brings it again.
            Err(error) => tracing::warn!(%error, "the answer to a write is no Service"),
        }
    }
}

/// Hands what a Service shows and asks for to the allocator, at a start: what is shown stays.
pub(super) fn ask(allocator: &mut Allocator, key: &ServiceKey, record: &mut Record) {
    adopt(allocator, key, record);
    request(allocator, key, record);
}

/// Hands what a Service shows to the allocator, unless it holds something.
fn adopt(allocator: &mut Allocator, key: &ServiceKey, record: &mut Record) {
    if allocator.assignment(key).is_none()
        && let Some(claim) = record.seen.claim(|address| allocator.pool_of(address).is_some())
    {
        for (_, in_use) in allocator.adopt(BTreeMap::from([(key.clone(), claim)])) {
            record.lost = Some(Box::new(in_use));
        }
    }
}

/// Hands what a Service asks for to the allocator.
fn request(allocator: &mut Allocator, key: &ServiceKey, record: &mut Record) {
    let Some(wants) = &record.seen.wants else {
        allocator.release(key);
        return;
    };
    match &wants.request {
        Ok(request) => {
            if let Some(in_use) = allocator.conflict(key, &request.terms) {
                record.lost = Some(Box::new(in_use));
            }
            allocator.request(key, request.clone());
        }
        Err(_) => allocator.withdraw(key),
    }
}
