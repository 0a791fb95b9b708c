//! `plan`: what an edit of pools would do to Services. The allocator is run twice on the objects of the cluster, as the
//! controller runs it when it starts: with the pools as they are, and with those of a file put over them.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_core::name::ServiceKey;
use cortenlb_crds::IPAddressPool;
use cortenlb_crds::names::COOL_DOWN;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::doctor::not_advertised;
use crate::facts::Facts;
use crate::model::{self, Addresses};
use crate::page::{Cell, Page, Report, Table, Tone, joined};
pub(crate) use file::{Edit, read};

/// What would become of pools and Services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pools: Vec<PoolLine>,
    services: Vec<ServiceLine>,
    /// How many Services would notice nothing.
    unchanged: usize,
    /// Objects of the file that change no pool.
    passed_over: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PoolLine {
    pool: String,
    change: Change,
    /// Why it would be ignored.
    ignored: Option<String>,
}

/// What the edit does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Change {
    Created,
    Changed,
    Unchanged,
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceLine {
    service: String,
    effect: Effect,
    before: Vec<IpAddr>,
    after: Vec<IpAddr>,
    why: String,
}

/// What becomes of a Service, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Effect {
    /// It has no address any more.
    Loses,
    /// It gets another address.
    Moves,
    /// It keeps an address that no pool has any more.
    Stranded,
    /// It keeps its address, and nobody announces it any more.
    Silenced,
    /// It waits for another reason than before.
    Waits,
    /// A pool has its address again.
    Covered,
    /// It gets an address.
    Served,
}

/// What `edit` would do.
pub(crate) fn report(facts: &Facts, edit: &Edit) -> Plan {
    let (pools, changed) = edited(facts, edit);
    let mut after_facts = facts.clone();
    after_facts.pools = pools;
    for object in &edit.advertisements {
        let name = object.name_any();
        after_facts
            .advertisements
            .retain(|known| known.name_any() != name);
        after_facts.advertisements.push(object.clone());
    }
    let before = Addresses::of(facts, &facts.pools);
    let after = Addresses::of(&after_facts, &after_facts.pools);
    let pools = changed.into_iter().map(|(pool, change)| PoolLine {
        ignored: after.ignored.get(&pool).cloned(),
        pool,
        change,
    });
    let silence = Silence::between(facts, &after_facts);
    let mut services = Vec::new();
    for key in after.wants.keys() {
        services.extend(line(key, &before, &after, &silence));
    }
    let unchanged = after.wants.len() - services.len();
    services.sort_by(|a, b| (a.effect, &a.service).cmp(&(b.effect, &b.service)));
    Plan {
        pools: pools.collect(),
        services,
        unchanged,
        passed_over: edit.passed_over.clone(),
    }
}

/// The pools as they would be, and what happens to each that the edit is about.
fn edited(facts: &Facts, edit: &Edit) -> (Vec<IPAddressPool>, BTreeMap<String, Change>) {
    let mut pools: BTreeMap<String, IPAddressPool> = facts
        .pools
        .iter()
        .map(|pool| (pool.name_any(), pool.clone()))
        .collect();
    let mut changes = BTreeMap::new();
    for object in &edit.pools {
        let name = object.name_any();
        let mut object = object.clone();
        let change = match pools.get(&name) {
            Some(known) => {
                // What the API server and the controller write stays.
                object.metadata.creation_timestamp = known.metadata.creation_timestamp.clone();
                object.status = known.status.clone();
                let same = known.spec == object.spec
                    && known.labels() == object.labels()
                    && known.annotations().get(COOL_DOWN) == object.annotations().get(COOL_DOWN);
                if same { Change::Unchanged } else { Change::Changed }
            }
            None => {
                object.metadata.creation_timestamp = Some(Time(facts.now));
                Change::Created
            }
        };
        pools.insert(name.clone(), object);
        changes.insert(name, change);
    }
    if edit.prune {
        let stays: BTreeSet<String> = edit.pools.iter().map(|pool| pool.name_any()).collect();
        let gone: Vec<String> = pools
            .keys()
            .filter(|name| !stays.contains(*name))
            .cloned()
            .collect();
        for name in gone {
            pools.remove(&name);
            changes.insert(name, Change::Deleted);
        }
    }
    (pools.into_values().collect(), changes)
}

/// Whom nobody would announce any more.
struct Silence {
    /// Why, by Service.
    services: BTreeMap<ServiceKey, String>,
    /// The pools that no L2Advertisement would select.
    pools: BTreeSet<String>,
}

impl Silence {
    fn between(before: &Facts, after: &Facts) -> Self {
        let world = |facts: &Facts| model::world(facts, &facts.pools, &facts.advertisements);
        let (was, is) = (world(before), world(after));
        let keys = before.services.iter().map(crate::facts::key_of);
        let services = keys.filter_map(|key| {
            let announced = was.decide(&key)?.obstacle().is_none();
            let obstacle = is.decide(&key)?.obstacle()?;
            announced.then_some((key, obstacle.message))
        });
        Self {
            services: services.collect(),
            pools: not_advertised(after),
        }
    }
}

/// What becomes of one Service; none if it notices nothing.
fn line(key: &ServiceKey, before: &Addresses, after: &Addresses, silence: &Silence) -> Option<ServiceLine> {
    let held = |addresses: &Addresses| {
        let held = addresses.allocator.assignment(key);
        held.map(|held| (held.addresses.clone(), held.pool.to_string()))
    };
    let covered = |addresses: &Addresses, held: &[IpAddr]| {
        held.iter()
            .all(|address| addresses.allocator.pool_of(*address).is_some())
    };
    let refusal = |addresses: &Addresses| addresses.refusal(key).map(|(_, message)| message);
    let (was, is) = (held(before), held(after));
    let (effect, why) = match (&was, &is) {
        (Some(_), None) => (Effect::Loses, refusal(after).unwrap_or_default()),
        (None, Some((_, pool))) if silence.pools.contains(pool) => (
            Effect::Served,
            format!("from pool {pool:?}, which no L2Advertisement selects: nobody would announce it"),
        ),
        (None, Some((_, pool))) => (Effect::Served, format!("from pool {pool:?}")),
        (None, None) => {
            let why = refusal(after);
            (why != refusal(before)).then_some(())?;
            (Effect::Waits, why.unwrap_or_default())
        }
        (Some((old, from)), Some((new, to))) if old != new => {
            (Effect::Moves, format!("from pool {from:?} to pool {to:?}"))
        }
        (Some((_, from)), Some((held, to))) => match (covered(before, held), covered(after, held)) {
            (true, false) => (
                Effect::Stranded,
                format!(
                    "no valid pool would contain it (it came from {from:?}); it stays until the Service goes"
                ),
            ),
            (false, true) => (Effect::Covered, format!("pool {to:?} contains it")),
            _ => (Effect::Silenced, silence.services.get(key)?.clone()),
        },
    };
    let addresses =
        |held: Option<(Vec<IpAddr>, String)>| held.map(|(addresses, _)| addresses).unwrap_or_default();
    Some(ServiceLine {
        service: key.to_string(),
        effect,
        before: addresses(was),
        after: addresses(is),
        why,
    })
}

impl Effect {
    fn cell(self) -> Cell {
        match self {
            Self::Loses => Cell::new("loses its address", Tone::Bad),
            Self::Moves => Cell::new("moves", Tone::Bad),
            Self::Stranded => Cell::new("stranded", Tone::Doubtful),
            Self::Silenced => Cell::new("not announced", Tone::Bad),
            Self::Waits => Cell::new("waits", Tone::Doubtful),
            Self::Covered => Cell::new("covered again", Tone::Good),
            Self::Served => Cell::new("newly served", Tone::Good),
        }
    }

    /// Whether somebody would miss something.
    fn is_bad(self) -> bool {
        matches!(self, Self::Loses | Self::Moves | Self::Stranded | Self::Silenced)
    }
}

impl Report for Plan {
    fn print(&self, page: &mut Page) {
        page.heading("Pools");
        let mut table = Table::new(&["POOL", "CHANGE", "STATE"]);
        for PoolLine {
            pool,
            change,
            ignored,
        } in &self.pools
        {
            let (word, tone) = match change {
                Change::Created => ("created", Tone::Good),
                Change::Changed => ("changed", Tone::Doubtful),
                Change::Unchanged => ("unchanged", Tone::Dim),
                Change::Deleted => ("deleted", Tone::Bad),
            };
            let state = match (ignored, change) {
                (Some(why), _) => Cell::new(format!("ignored: {why}"), Tone::Bad),
                (None, Change::Deleted) => Cell::from("-"),
                (None, _) => Cell::new("used", Tone::Good),
            };
            table.row([pool.as_str().into(), Cell::new(word, tone), state]);
        }
        page.table_or(&table, "  none is touched");
        page.heading("Services");
        let mut table = Table::new(&["SERVICE", "EFFECT", "BEFORE", "AFTER", "WHY"]);
        for line in &self.services {
            table.row([
                line.service.as_str().into(),
                line.effect.cell(),
                joined(&line.before).into(),
                joined(&line.after).into(),
                line.why.as_str().into(),
            ]);
        }
        if !table.is_empty() {
            page.table(&table);
        }
        page.text(&format!("Services that would notice nothing: {}", self.unchanged));
        for one in &self.passed_over {
            page.line([Cell::new(format!("passed over: {one}"), Tone::Dim)]);
        }
    }

    fn has_findings(&self) -> bool {
        self.services.iter().any(|line| line.effect.is_bad())
            || self.pools.iter().any(|pool| pool.ignored.is_some())
    }
}

#[cfg(test)]
mod tests;
