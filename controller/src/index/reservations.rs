//! Reservations: what they ask for, and what their status says.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::ipam::{Allocator, Pending, Reservation, Standing};
use cortenlb_core::name::ReservationKey;
use cortenlb_crds::address_reservation::ReservationPhase;
use cortenlb_crds::names::CONDITION_RESERVED;
use cortenlb_crds::translate::reservation::{reservation, reservation_key};
use cortenlb_crds::{AddressReservation, AddressReservationStatus};
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Op, Priority, Target, Write};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::json;

use super::Index;
use super::input::{Effect, Key, Now, Verdict};
use super::packed::Version;
use super::patch::{listed, merged};

/// All reservations.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    records: BTreeMap<ReservationKey, Record>,
    dirty: BTreeSet<ReservationKey>,
}

#[derive(Debug)]
struct Record {
    uid: Option<String>,
    version: Version,
    generation: Option<i64>,
    asks: Reservation,
    status: AddressReservationStatus,
    /// The version from which the write under way was decided.
    under_way: bool,
    /// The version from which a write was decided that was refused: only a newer one is decided from again.
    refused: Option<Version>,
}

impl Reservations {
    /// All of them as found, for a start.
    pub(super) fn found(&self) -> BTreeMap<ReservationKey, Reservation> {
        self.records
            .iter()
            .map(|(key, record)| (key.clone(), record.asks.clone()))
            .collect()
    }

    pub(super) fn touch_all(&mut self) {
        self.dirty.extend(self.records.keys().cloned());
    }

    /// Nothing that was sent will be answered.
    pub(super) fn restart(&mut self) {
        for record in self.records.values_mut() {
            record.under_way = false;
            record.refused = None;
        }
        self.touch_all();
    }

    /// A write was answered; returns the reservation as it is now.
    pub(super) fn answered(
        &mut self,
        key: &ReservationKey,
        op: &Op,
        answer: Option<Box<DynamicObject>>,
    ) -> Option<AddressReservation> {
        let record = self.records.get_mut(key)?;
        let answer: Option<AddressReservation> = answer.and_then(|object| object.try_parse().ok());
        // The answer to a write to an object that is gone, when there is another one of its name.
        if answer.as_ref().is_some_and(|object| object.uid() != record.uid) {
            return None;
        }
        record.under_way = false;
        if answer.is_none()
            && let Some(version) = op.decided_from()
        {
            record.refused = Some(version.as_str().into());
        }
        self.dirty.insert(key.clone());
        answer
    }

    /// Nothing newer has come: the form from which the refused write was decided may be decided from again.
    pub(super) fn forgive(&mut self, key: &ReservationKey) {
        if let Some(record) = self.records.get_mut(key) {
            record.refused = None;
            self.dirty.insert(key.clone());
        }
    }

    /// Takes in one reservation; returns what it asks for, unless this is an older form than the one that is known: the
    /// watch lags behind the answers to our writes, and they behind it. What is `listed` is the truth.
    fn see(&mut self, key: ReservationKey, object: &AddressReservation, listed: bool) -> Option<Reservation> {
        let version = object.metadata.resource_version.as_deref().unwrap_or_default();
        let version = Version::from(version);
        let old = self.records.get(&key);
        // Another object of the same name is news, has not been written to, and nothing of it was refused.
        let old = old.filter(|old| old.uid == object.uid());
        if !listed && old.is_some_and(|old| version.is_older(&old.version)) {
            return None;
        }
        let asks = reservation(object);
        let record = Record {
            uid: object.uid(),
            version,
            generation: object.metadata.generation,
            asks: asks.clone(),
            status: object.status.clone().unwrap_or_default(),
            under_way: old.is_some_and(|old| old.under_way),
            refused: old.and_then(|old| old.refused.clone()),
        };
        self.dirty.insert(key.clone());
        self.records.insert(key, record);
        Some(asks)
    }

    /// The writes that bring each status up to date.
    fn flush(&mut self, now: Now, allocator: &Allocator) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in std::mem::take(&mut self.dirty) {
            let (Some(record), Some(standing)) = (self.records.get_mut(&key), allocator.standing(&key))
            else {
                continue;
            };
            let status = record.desired(&key, &standing, now);
            if record.under_way || record.refused.as_ref() == Some(&record.version) || status == record.status
            {
                continue;
            }
            record.under_way = true;
            // A merge patch keeps what it does not name.
            let mut body =
                json!({ "metadata": { "resourceVersion": record.version.to_string() }, "status": status });
            if status.bound_to.is_none() {
                body["status"]["boundTo"] = serde_json::Value::Null;
            }
            if status.address.is_none() {
                body["status"]["address"] = serde_json::Value::Null;
            }
            effects.push(Effect::Write(Write {
                key: Key::Reservation(key.clone()),
                priority: Priority::Normal,
                supersede: false,
                target: Target::of::<AddressReservation>(Some(key.namespace()), key.name()),
                op: Op::Patch {
                    subresource: Some("status"),
                    body: body.into(),
                },
            }));
        }
        effects
    }
}

impl Record {
    fn desired(&self, key: &ReservationKey, standing: &Standing, now: Now) -> AddressReservationStatus {
        let (phase, address, services, reason, message) = match standing {
            Standing::Pending(pending, last) => (
                ReservationPhase::Pending,
                last.as_ref(),
                None,
                pending.reason(),
                why(key, pending),
            ),
            Standing::Available(address) => (
                ReservationPhase::Available,
                Some(address),
                None,
                "Available",
                format!("{address} is kept; no Service has it"),
            ),
            Standing::Bound(address, services) => {
                let names = services.iter().map(|service| service.name().to_owned());
                let names = listed(names.collect(), ",");
                let message = format!("{address} is kept for {names}, which has it");
                (
                    ReservationPhase::Bound,
                    Some(address),
                    Some(names),
                    "Bound",
                    message,
                )
            }
            Standing::Released(address) => (
                ReservationPhase::Released,
                Some(address),
                None,
                "Released",
                format!(
                    "{address} went back to its pool with the last Service that had it (reclaimPolicy: Release)"
                ),
            ),
        };
        let kept = matches!(phase, ReservationPhase::Available | ReservationPhase::Bound);
        let verdict = Verdict {
            status: kept,
            reason: reason.to_owned(),
            message,
        };
        let address = address.map(ToString::to_string);
        let same = self.status.phase == Some(phase)
            && self.status.address == address
            && self.status.bound_to == services;
        let since = self.status.since.clone().filter(|_| same);
        AddressReservationStatus {
            phase: Some(phase),
            address,
            bound_to: services,
            since: since.or(Some(Time(now.wall))),
            conditions: merged(
                &self.status.conditions,
                &[(CONDITION_RESERVED, Some(verdict))],
                self.generation,
                now.wall,
            ),
        }
    }
}

/// Why it has no address, told to its namespace: what is in another one is that one's own.
fn why(key: &ReservationKey, pending: &Pending) -> String {
    match pending {
        Pending::InUse { address, holders } => {
            let (here, elsewhere): (Vec<_>, Vec<_>) = holders
                .iter()
                .partition(|holder| holder.namespace() == key.namespace());
            let mut names: Vec<String> = here.into_iter().map(ToString::to_string).collect();
            match elsewhere.len() {
                0 => {}
                1 => names.push("a Service in another namespace".to_owned()),
                _ => names.push("Services in other namespaces".to_owned()),
            }
            let names = listed(names, ",");
            format!("{address} is in use by {names}, which may not bind to this reservation")
        }
        Pending::Reserved { address, by } if by.namespace() != key.namespace() => {
            format!("{address} is reserved by a reservation in another namespace")
        }
        _ => pending.to_string(),
    }
}

impl Index {
    /// Takes in a change of reservations.
    pub(super) fn reservations_changed(&mut self, change: Change<AddressReservation>) {
        match change {
            Change::Apply(object) => self.reservation(&object, false),
            Change::Delete(object) => self.reservation_gone(&reservation_key(&object)),
            Change::Reset(objects) => {
                let present: BTreeSet<ReservationKey> = objects.iter().map(reservation_key).collect();
                let gone: Vec<ReservationKey> = self
                    .reservations
                    .records
                    .keys()
                    .filter(|key| !present.contains(key))
                    .cloned()
                    .collect();
                for key in gone {
                    self.reservation_gone(&key);
                }
                objects.iter().for_each(|object| self.reservation(object, true));
            }
        }
    }

    fn reservation(&mut self, object: &AddressReservation, listed: bool) {
        let key = reservation_key(object);
        let Some(asks) = self.reservations.see(key.clone(), object, listed) else {
            return;
        };
        if let Some(allocator) = &mut self.allocator {
            allocator.set_reservation(&key, Some(asks));
        }
    }

    fn reservation_gone(&mut self, key: &ReservationKey) {
        self.reservations.records.remove(key);
        if let Some(allocator) = &mut self.allocator {
            allocator.set_reservation(key, None);
        }
    }

    /// Writes what has become of the reservations.
    pub(super) fn flush_reservations(&mut self, now: Now) {
        if let Some(allocator) = &mut self.allocator {
            self.reservations
                .dirty
                .extend(allocator.take_changed_reservations());
            self.effects.extend(self.reservations.flush(now, allocator));
        }
    }
}
