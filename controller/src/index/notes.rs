//! The Events that go with a write, in MetalLB's words. They follow from what changes, so that a restart repeats none.

use std::net::IpAddr;

use cortenlb_core::ipam::{Allocator, Quoted};
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::CONDITION_ADDRESS_ASSIGNED;
use cortenlb_crds::translate::service::RequestError;
use cortenlb_kit::events::{Note, Severity};
use k8s_openapi::api::core::v1::ObjectReference;

use super::desired::{Desired, MOVING};
use super::record::{Record, Seen};

pub(super) fn of(key: &ServiceKey, record: &Record, desired: &Desired, allocator: &Allocator) -> Vec<Note> {
    let mut notes = Vec::new();
    let seen = &record.seen;
    let mut say = |severity: Severity, reason: &str, message: String| {
        notes.push(Note {
            involved: involved(key, seen),
            severity,
            reason: reason.to_owned(),
            message,
        });
    };
    let new = desired.addresses.as_deref().unwrap_or_default();
    let changed = desired.addresses.is_some() && *new != *seen.addresses;
    if changed && let Some(reason) = deprecated(seen) {
        say(Severity::Warning, "deprecatedAnnotation", reason);
    }
    if changed && let Some(why) = taken_away(key, record, allocator) {
        let message = format!(
            "current IP for \"{key}\" not allowed by config, will attempt for new IP assignment: {why}"
        );
        say(Severity::Normal, "ClearAssignment", message);
    }
    let added: Vec<IpAddr> = new
        .iter()
        .copied()
        .filter(|address| !seen.addresses.contains(address))
        .collect();
    if let [address] = added.as_slice()
        && new.len() == 2
        && !seen.addresses.is_empty()
        && seen.addresses.iter().all(|address| new.contains(address))
    {
        say(
            Severity::Normal,
            "IPAllocated",
            format!("Assigned additional IP \"{address}\""),
        );
    } else if !added.is_empty() {
        say(
            Severity::Normal,
            "IPAllocated",
            format!("Assigned IP {}", Quoted(new)),
        );
    }
    if let Some((severity, reason, message)) = complaint(key, record, desired, allocator) {
        say(severity, reason, message);
    }
    notes
}

/// What is wrong, if that has not been said before.
fn complaint(
    key: &ServiceKey,
    record: &Record,
    desired: &Desired,
    allocator: &Allocator,
) -> Option<(Severity, &'static str, String)> {
    let verdict = desired.condition(CONDITION_ADDRESS_ASSIGNED)?;
    if verdict.reason == MOVING {
        return None;
    }
    let said = record.seen.condition(CONDITION_ADDRESS_ASSIGNED);
    if said.is_some_and(|said| said.reason == verdict.reason && said.message == verdict.message) {
        return None;
    }
    let warning = |reason, message| Some((Severity::Warning, reason, message));
    if record.has_yielded() {
        return warning("OtherController", verdict.message.clone());
    }
    let has_address = allocator.assignment(key).is_some();
    match &record.seen.wants.as_ref()?.request {
        Err(error @ RequestError::NotEnoughClusterIps(_)) => {
            warning("not enough clusterips", error.to_string())
        }
        Err(error @ RequestError::NoClusterIp(texts)) => warning(
            "noclusterIPsIPFamily",
            format!("Failed to retrieve ClusterIPs IPFamily for {texts:?}: {error}"),
        ),
        Err(error) if has_address => warning(
            "LoadBalancerFailed",
            format!("invalid requested loadbalancer IPs: {error}"),
        ),
        Err(error) => warning(
            "AllocationFailed",
            format!("Failed to allocate IP for \"{key}\": {error}"),
        ),
        Ok(_) => match allocator.refusal(key) {
            Some(refusal) => warning(
                "AllocationFailed",
                format!("Failed to allocate IP for \"{key}\": {refusal}"),
            ),
            None if verdict.reason == "PoolGone" => warning("PoolGone", verdict.message.clone()),
            // The family that it prefers to have as well.
            None => allocator.lacking(key).map(|family| {
                let message = format!(
                    "cannot assign additional IP in PreferDualStack: no free {family} address in its pool"
                );
                (Severity::Normal, "AdditionalAssignFailed", message)
            }),
        },
    }
}

/// Why the addresses in the status cannot stay, other than by the user's wish.
fn taken_away(key: &ServiceKey, record: &Record, allocator: &Allocator) -> Option<String> {
    let seen = &record.seen;
    if let Some(in_use) = &record.lost {
        return Some(in_use.to_string());
    }
    let shows = seen.wants.is_some() && !seen.addresses.is_empty();
    let foreign = || {
        seen.claim(|address| allocator.pool_of(address).is_some())
            .is_none()
    };
    (shows && (foreign() || !allocator.leaves(key, &seen.addresses)))
        .then(|| format!("{} is not allowed in config", Quoted(&seen.addresses)))
}

fn deprecated(seen: &Seen) -> Option<String> {
    let annotation = seen.wants.as_ref()?.deprecated.as_ref()?;
    Some(format!("Service uses deprecated annotation {annotation}"))
}

fn involved(key: &ServiceKey, seen: &Seen) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Service".to_owned()),
        namespace: Some(key.namespace().to_owned()),
        name: Some(key.name().to_owned()),
        uid: seen.uid.as_ref().map(ToString::to_string),
        resource_version: Some(seen.version.to_string()),
        field_path: None,
    }
}
