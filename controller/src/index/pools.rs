//! Pools: which are valid, and what their status says. Each is written at most once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::addr::Family;
use cortenlb_core::ipam::{Allocator, Cooling, Usage};
use cortenlb_core::name::ServiceKey;
use cortenlb_core::pool::{Pool, PoolError, resolve};
use cortenlb_core::time::Instant;
use cortenlb_crds::names::CONDITION_VALID;
use cortenlb_crds::translate::pool::{self, CoolDownError};
use cortenlb_crds::{CoolingDown, IPAddressPool, IPAddressPoolStatus};
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Op, Priority, Target, Write};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::json;

use super::input::{Effect, Key, Now, PoolUsage, Verdict};
use super::patch::{listed, merged};

/// The shortest time between two writes of one pool's status.
const PERIOD: Duration = Duration::from_secs(1);

/// All pools.
#[derive(Debug)]
pub(super) struct Pools {
    namespace: String,
    pools: BTreeMap<String, Record>,
    /// Pools whose status may have to be written.
    dirty: BTreeSet<String>,
    /// What became free while this process gave nothing, by pool: no allocator knows, and maybe no other process.
    freed: BTreeMap<String, BTreeMap<IpAddr, Cooling>>,
}

#[derive(Debug)]
struct Record {
    version: Option<u64>,
    generation: Option<i64>,
    status: Option<IPAddressPoolStatus>,
    judged: Result<Pool, Vec<PoolError>>,
    cool_down: Option<CoolDownError>,
    verdict: Option<Verdict>,
    /// Why the pool is ignored, in MetalLB's words.
    ignored: Option<String>,
    /// What was written last: its echo is no news.
    wanted: Option<IPAddressPoolStatus>,
    under_way: bool,
    written: Option<Instant>,
}

impl Pools {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            pools: BTreeMap::new(),
            dirty: BTreeSet::new(),
            freed: BTreeMap::new(),
        }
    }

    /// Takes in a change; returns whether the pools have to be [judged](Self::judge) anew. The echo of a status has not.
    pub(super) fn change(&mut self, change: Change<IPAddressPool>) -> bool {
        match change {
            Change::Apply(object) => self.apply(&object, false),
            Change::Delete(object) => self.delete(&object.name_any()),
            Change::Reset(objects) => {
                let present: BTreeSet<String> = objects.iter().map(ResourceExt::name_any).collect();
                let gone: Vec<String> = self
                    .pools
                    .keys()
                    .filter(|name| !present.contains(*name))
                    .cloned()
                    .collect();
                let mut changed = false;
                for name in gone {
                    changed |= self.delete(&name);
                }
                for object in &objects {
                    changed |= self.apply(object, true);
                }
                changed
            }
        }
    }

    fn apply(&mut self, object: &IPAddressPool, listed: bool) -> bool {
        let name = object.name_any();
        let version = object.resource_version().and_then(|version| version.parse().ok());
        let old = self.pools.get(&name);
        // The watch lags behind the answers to our writes.
        if !listed && old.is_some_and(|old| version.is_some() && version < old.version) {
            return false;
        }
        let record = Record {
            version,
            generation: object.metadata.generation,
            status: object.status.clone(),
            judged: pool::pool(object),
            cool_down: pool::cool_down(object).err(),
            verdict: old.and_then(|old| old.verdict.clone()),
            ignored: old.and_then(|old| old.ignored.clone()),
            wanted: old.and_then(|old| old.wanted.clone()),
            under_way: old.is_some_and(|old| old.under_way),
            written: old.and_then(|old| old.written),
        };
        let changed =
            old.is_none_or(|old| (&old.judged, &old.cool_down) != (&record.judged, &record.cool_down));
        if record.wanted.is_none() || record.wanted != record.status {
            self.dirty.insert(name.clone());
        }
        self.pools.insert(name, record);
        changed
    }

    fn delete(&mut self, name: &str) -> bool {
        // Its gauges go.
        self.dirty.insert(name.to_owned());
        self.freed.remove(name);
        self.pools.remove(name).is_some()
    }

    /// Judges all pools beside one another; returns the valid ones.
    pub(super) fn judge(&mut self) -> BTreeMap<String, Pool> {
        let (valid, rejected) = resolve(
            self.pools
                .values()
                .filter_map(|record| record.judged.clone().ok()),
        );
        let rejected: BTreeMap<String, String> = rejected
            .into_iter()
            .map(|rejection| (rejection.pool.clone(), rejection.to_string()))
            .collect();
        for (name, record) in &mut self.pools {
            let (reason, message) = match (&record.judged, rejected.get(name)) {
                (Err(errors), _) => {
                    let list = listed(errors.iter().map(ToString::to_string).collect(), "; ");
                    record.ignored = Some(format!("parsing address pool {name}: {list}"));
                    ("Invalid", format!("the pool is ignored: {list}"))
                }
                (Ok(_), Some(rejection)) => {
                    record.ignored = Some(rejection.clone());
                    ("Overlap", rejection.clone())
                }
                (Ok(_), None) => {
                    record.ignored = None;
                    match &record.cool_down {
                        Some(error) => ("CoolDownIgnored", error.to_string()),
                        None => ("Valid", "its addresses can be given out".to_owned()),
                    }
                }
            };
            let verdict = Verdict {
                status: valid.contains_key(name),
                reason: reason.to_owned(),
                message,
            };
            if record.verdict.as_ref() == Some(&verdict) {
                continue;
            }
            if !verdict.status {
                tracing::error!(
                    pool = name,
                    error = verdict.message,
                    "failed to parse the configuration"
                );
            }
            record.verdict = Some(verdict);
            self.dirty.insert(name.clone());
        }
        valid
    }

    /// Whether there is a pool of this name, be it ignored.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pools.contains_key(name)
    }

    /// The names of all pools.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pools.keys().map(String::as_str)
    }

    /// Whether any pool is ignored.
    pub(super) fn any_ignored(&self) -> bool {
        self.pools.values().any(|record| record.ignored.is_some())
    }

    /// Why pools are ignored: a text for each, in the order of their names.
    pub(super) fn errors(&self) -> Vec<String> {
        self.pools
            .values()
            .filter_map(|record| record.ignored.clone())
            .collect()
    }

    /// `service` has gone with this address, and this process gives nothing now.
    pub(super) fn note_freed(&mut self, now: Instant, service: &ServiceKey, address: IpAddr) {
        let pools = self.pools.iter().filter_map(|(name, record)| {
            let valid = record.verdict.as_ref().is_some_and(|verdict| verdict.status);
            Some((name, record.judged.as_ref().ok().filter(|_| valid)?))
        });
        let mut rests = pools.filter(|(_, pool)| !pool.cool_down().is_zero());
        let Some((name, pool)) = rests.find(|(_, pool)| pool.covers(address)) else {
            return;
        };
        let cooling = Cooling {
            former: service.clone(),
            until: now + pool.cool_down(),
        };
        keep(self.freed.entry(name.clone()).or_default(), now, address, cooling);
    }

    /// The allocator goes, and what cools down in it may not have been written yet.
    pub(super) fn remember(&mut self, now: Instant, allocator: &Allocator) {
        for name in self.pools.keys() {
            for (address, cooling) in allocator.cooling(name) {
                keep(self.freed.entry(name.clone()).or_default(), now, address, cooling);
            }
        }
    }

    /// The addresses that cool down, for a start: what the status of each pool says, and what was seen to go.
    pub(super) fn cooling(&self, now: Now) -> Vec<(IpAddr, Cooling)> {
        let mut latest: BTreeMap<IpAddr, Cooling> = BTreeMap::new();
        let freed = self.freed.values().flatten();
        let freed = freed.map(|(address, cooling)| (*address, cooling.clone()));
        for (address, cooling) in self.written_cooling(now).into_iter().chain(freed) {
            if latest
                .get(&address)
                .is_none_or(|known| known.until < cooling.until)
            {
                latest.insert(address, cooling);
            }
        }
        latest.into_iter().collect()
    }

    fn written_cooling(&self, now: Now) -> Vec<(IpAddr, Cooling)> {
        let statuses = self.pools.values().filter_map(|record| record.status.as_ref());
        statuses
            .flat_map(|status| pool::cooling(status, now.boot, now.wall))
            .collect()
    }

    pub(super) fn touch(&mut self, names: BTreeSet<String>) {
        self.dirty.extend(names);
    }

    pub(super) fn touch_all(&mut self) {
        self.dirty.extend(self.pools.keys().cloned());
    }

    /// Nothing that was sent will be answered.
    pub(super) fn restart(&mut self) {
        self.pools
            .values_mut()
            .for_each(|record| record.under_way = false);
        self.touch_all();
    }

    /// A write was answered; returns the pool as it is now.
    pub(super) fn answered(
        &mut self,
        name: &str,
        answer: Option<Box<DynamicObject>>,
    ) -> Option<IPAddressPool> {
        self.pools.get_mut(name)?.under_way = false;
        answer?.try_parse().ok()
    }

    /// When the next status may be written.
    pub(super) fn due(&self) -> Option<Instant> {
        self.dirty
            .iter()
            .filter_map(|name| self.pools.get(name))
            .filter_map(Record::due)
            .min()
    }

    /// The writes that are due. A pool that waits for its second stays dirty.
    pub(super) fn flush(&mut self, now: Now, allocator: &Allocator) -> Vec<Effect> {
        let mut effects = Vec::new();
        for name in std::mem::take(&mut self.dirty) {
            let usage = usage(allocator, &name);
            let Some(record) = self.pools.get_mut(&name) else {
                effects.push(Effect::Usage {
                    pool: name,
                    usage: None,
                });
                continue;
            };
            if record.due().is_none_or(|due| now.boot < due) {
                self.dirty.insert(name);
                continue;
            }
            effects.push(Effect::Usage {
                pool: name.clone(),
                usage,
            });
            let status = record.desired(usage.unwrap_or_default(), allocator.cooling(&name), now);
            let is_written = record.status.as_ref() == Some(&status);
            // Also if it is written: what was sent to an earlier pool of this name may still land on this one.
            record.wanted = Some(status.clone());
            if is_written {
                continue;
            }
            record.under_way = true;
            record.written = Some(now.boot);
            effects.push(Effect::Write(Write {
                key: Key::Pool(name.clone()),
                priority: Priority::Low,
                supersede: true,
                target: Target::of::<IPAddressPool>(Some(&self.namespace), &name),
                op: Op::Patch {
                    subresource: Some("status"),
                    body: body(&status).into(),
                },
            }));
        }
        effects
    }
}

impl Record {
    /// The newest addresses that cool down, by address. What is written already stays as it is: two computations of one
    /// time from two clocks differ by a second.
    fn cooling_down(&self, mut cooling: Vec<(IpAddr, Cooling)>, now: Now) -> Vec<CoolingDown> {
        cooling.sort_by_key(|(_, cooling)| std::cmp::Reverse(cooling.until));
        cooling.truncate(IPAddressPoolStatus::COOLING_DOWN);
        cooling.sort_by_key(|(address, _)| *address);
        let written = self.status.iter().flat_map(|status| &status.cooling_down);
        let written: BTreeMap<(&str, &str), &CoolingDown> = written
            .map(|entry| ((entry.address.as_str(), entry.service.as_str()), entry))
            .collect();
        let entry = |(address, Cooling { former, until }): (IpAddr, Cooling)| {
            let (address, service) = (address.to_string(), former.to_string());
            let left = i64::try_from((until - now.boot).as_secs()).unwrap_or(i64::MAX);
            let second = now.wall.as_second().saturating_add(left).saturating_add(1);
            let known = written.get(&(address.as_str(), service.as_str()));
            if let Some(known) = known.filter(|known| known.until.0.as_second().abs_diff(second) <= 2) {
                return (*known).clone();
            }
            let until = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            CoolingDown {
                address,
                service,
                until: Time(until),
            }
        };
        cooling.into_iter().map(entry).collect()
    }

    /// When a write may go; none while one is under way.
    fn due(&self) -> Option<Instant> {
        (!self.under_way).then(|| self.written.map_or(Instant(0), |written| written + PERIOD))
    }

    fn desired(&self, usage: PoolUsage, cooling: Vec<(IpAddr, Cooling)>, now: Now) -> IPAddressPoolStatus {
        let existing = self
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let ours = [(CONDITION_VALID, self.verdict.clone())];
        let conditions = merged(existing, &ours, self.generation, now.wall);
        IPAddressPoolStatus {
            assigned_ipv4: number(usage.v4.assigned),
            assigned_ipv6: number(usage.v6.assigned),
            available_ipv4: number(usage.v4.available()),
            available_ipv6: number(usage.v6.available()),
            cooling_down: self.cooling_down(cooling, now),
            conditions,
        }
    }
}

/// The newest of them, as many as a status has.
fn keep(freed: &mut BTreeMap<IpAddr, Cooling>, now: Instant, address: IpAddr, cooling: Cooling) {
    freed.retain(|_, known| known.until > now);
    freed.insert(address, cooling);
    if freed.len() > IPAddressPoolStatus::COOLING_DOWN {
        let oldest = freed.iter().min_by_key(|(_, known)| known.until);
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            freed.remove(&oldest);
        }
    }
}

/// A merge patch keeps what it does not name, and an empty list is not named.
fn body(status: &IPAddressPoolStatus) -> serde_json::Value {
    let mut body = json!({ "status": status });
    if status.cooling_down.is_empty() {
        body["status"]["coolingDown"] = serde_json::Value::Null;
    }
    body
}

/// Beyond 2^63 a counter stands still, as in MetalLB.
fn number(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn usage(allocator: &Allocator, pool: &str) -> Option<PoolUsage> {
    let of = |family| -> Option<Usage> { allocator.usage(pool, family) };
    Some(PoolUsage {
        v4: of(Family::V4)?,
        v6: of(Family::V6)?,
    })
}
