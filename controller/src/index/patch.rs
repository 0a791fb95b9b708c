//! The difference between what a Service says and what it should say, as one JSON merge patch on `services/status`.

use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::{IP_ALLOCATED_FROM_POOL, IP_ALLOCATED_FROM_POOL_DEPRECATED};
use cortenlb_kit::write::{Op, Priority, Target, Write};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::desired::Desired;
use super::input::{Key, Verdict};
use super::record::Seen;

/// The write that makes it so; none if it is so.
///
/// It carries the version that it was decided from: a form that nobody here has seen is never overwritten. Entries of
/// `ingress` are only written when the addresses differ or somebody has added to them, so that what the API server adds
/// (`ipMode: VIP`) is never taken for a difference.
pub(super) fn write(key: &ServiceKey, seen: &Seen, desired: &Desired, wall: Timestamp) -> Option<Write<Key>> {
    let mut status = Map::new();
    let addresses = desired.addresses.as_ref();
    if let Some(addresses) =
        addresses.filter(|addresses| !seen.is_plain || addresses.as_slice() != seen.addresses.as_slice())
    {
        let entries: Vec<Value> = addresses.iter().map(|address| json!({ "ip": address })).collect();
        let ingress = if entries.is_empty() {
            Value::Null
        } else {
            Value::Array(entries)
        };
        status.insert("loadBalancer".into(), json!({ "ingress": ingress }));
    }
    if !desired.is_said_by(seen) {
        let conditions = merged(
            &seen.conditions.list(),
            &desired.conditions,
            seen.generation,
            wall,
        );
        status.insert("conditions".into(), json!(conditions));
    }
    let mut annotations = Map::new();
    if let Some(pool) = &desired.pool {
        let current = seen
            .pool
            .as_deref()
            .filter(|_| !seen.deprecated_pool)
            .unwrap_or_default();
        if pool != current {
            let value = if pool.is_empty() { Value::Null } else { json!(pool) };
            annotations.insert(IP_ALLOCATED_FROM_POOL.into(), value);
        }
        if seen.deprecated_pool {
            annotations.insert(IP_ALLOCATED_FROM_POOL_DEPRECATED.into(), Value::Null);
        }
    }
    if status.is_empty() && annotations.is_empty() {
        return None;
    }
    // Users wait for addresses.
    let priority = if status.contains_key("loadBalancer") {
        Priority::High
    } else {
        Priority::Normal
    };
    let mut body = json!({ "metadata": { "resourceVersion": seen.version.to_string() } });
    if !annotations.is_empty() {
        body["metadata"]["annotations"] = Value::Object(annotations);
    }
    if !status.is_empty() {
        body["status"] = Value::Object(status);
    }
    Some(Write {
        key: Key::Service(key.clone()),
        priority,
        supersede: false,
        target: Target::of::<Service>(Some(key.namespace()), key.name()),
        op: Op::Patch {
            subresource: Some("status"),
            body: body.into(),
        },
    })
}

/// The whole list of conditions, since a merge patch replaces lists: ours as they should be, the others as they are.
pub(super) fn merged(
    existing: &[Condition],
    ours: &[(&'static str, Option<Verdict>)],
    generation: Option<i64>,
    wall: Timestamp,
) -> Vec<Condition> {
    let is_ours = |condition: &Condition| ours.iter().any(|(type_, _)| *type_ == condition.type_);
    let mut conditions: Vec<Condition> = existing
        .iter()
        .filter(|condition| !is_ours(condition))
        .cloned()
        .collect();
    for (type_, verdict) in ours {
        let Some(verdict) = verdict else { continue };
        let before = existing
            .iter()
            .find(|condition| condition.type_ == *type_ && condition.status == verdict.status());
        let since = before.map_or(Time(wall), |before| before.last_transition_time.clone());
        conditions.push(verdict.condition(type_, since, generation));
    }
    conditions
}

/// How many a message lists at most.
const LISTED: usize = 8;

/// The first of them, and how many more there are: a message is bounded.
pub(super) fn listed(mut all: Vec<String>, separator: &str) -> String {
    let more = all.len().saturating_sub(LISTED);
    all.truncate(LISTED);
    let text = all.join(separator);
    if more == 0 {
        text
    } else {
        format!("{text} and {more} more")
    }
}
