//! What a Service's status should say.

use std::fmt;
use std::net::IpAddr;

use cortenlb_core::addr::Family;
use cortenlb_core::ipam::{Allocator, Assignment, Refusal};
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::{CONDITION_ADDRESS_ASSIGNED, CONDITION_ADDRESS_CONFLICT, CONDITION_ANNOUNCED};
use cortenlb_crds::translate::service::RequestError;

use super::input::Verdict;
use super::leaving::Wait;
use super::record::{Record, Seen};

/// The reason of a Service that has what it asks for.
const ASSIGNED: &str = "Assigned";

/// The reason of a Service whose address is about to change for a reason that others gave.
pub(super) const MOVING: &str = "Moving";

/// How many characters a condition quotes of why the API server refuses a write.
const REFUSAL: usize = 512;

/// Addresses, separated by commas.
struct Listed<'a>(&'a [IpAddr]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, address) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

/// What should be there. None: what is there stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// `status.loadBalancer.ingress`, by address.
    pub(super) addresses: Option<Vec<IpAddr>>,
    /// The annotation `metallb.io/ip-allocated-from-pool`; empty: none.
    pub(super) pool: Option<String>,
    /// Conditions of ours by type; None: the condition goes.
    pub(super) conditions: Vec<(&'static str, Option<Verdict>)>,
}

impl Desired {
    pub(super) fn condition(&self, type_: &str) -> Option<&Verdict> {
        self.conditions
            .iter()
            .find(|(known, _)| *known == type_)?
            .1
            .as_ref()
    }

    /// The same with what the condition about somebody else's use of an address says, if that is known. A Service that
    /// is left alone says nothing of it either.
    pub(super) fn with_conflict(mut self, verdict: Option<Option<Verdict>>) -> Self {
        if let Some(verdict) = verdict.filter(|_| !self.conditions.is_empty()) {
            self.conditions.push((CONDITION_ADDRESS_CONFLICT, verdict));
        }
        self
    }

    /// Whether the conditions are in place.
    pub(super) fn is_said_by(&self, seen: &Seen) -> bool {
        self.conditions
            .iter()
            .all(|(type_, verdict)| seen.condition(type_) == verdict.as_ref())
    }
}

/// What `key` should say.
pub(super) fn of(key: &ServiceKey, record: &Record, allocator: &Allocator) -> Desired {
    let seen = &record.seen;
    let Some(wants) = &seen.wants else {
        return cleared(record);
    };
    if record.has_yielded() {
        return Desired {
            addresses: None,
            // A restart must not take the other's address for one of ours.
            pool: Some(String::new()),
            conditions: vec![
                (CONDITION_ADDRESS_ASSIGNED, Some(other_controller(seen))),
                (CONDITION_ANNOUNCED, None),
            ],
        };
    }
    let refusal = allocator.refusal(key);
    let error = wants.request.as_ref().err();
    let Some(held) = allocator.assignment(key) else {
        let ours = seen
            .claim(|address| allocator.pool_of(address).is_some())
            .is_some();
        return Desired {
            // A foreign address stays until there is one to replace it.
            addresses: (ours || seen.addresses.is_empty()).then(Vec::new),
            pool: Some(String::new()),
            conditions: vec![
                (CONDITION_ADDRESS_ASSIGNED, not_assigned(refusal, error)),
                (CONDITION_ANNOUNCED, None),
            ],
        };
    };
    let mut conditions = vec![(
        CONDITION_ADDRESS_ASSIGNED,
        Some(assigned(key, held, refusal, error, allocator)),
    )];
    if let Some(announced) = &record.announced {
        conditions.push((CONDITION_ANNOUNCED, announced.as_deref().cloned()));
    }
    Desired {
        addresses: Some(held.addresses.clone()),
        pool: Some(held.pool.to_string()).filter(|pool| !pool.is_empty()),
        conditions,
    }
}

/// Whether this form says by itself that its addresses are what it asks for. From such a form no leader may have decided
/// anything else, so that the next one need not fence it off.
pub(super) fn is_at_rest(seen: &Seen) -> bool {
    let Some(Ok(request)) = seen.wants.as_ref().map(|wants| &wants.request) else {
        return false;
    };
    // A Service that was never told anything, as from MetalLB, has no condition.
    let says_so = seen.condition(CONDITION_ADDRESS_ASSIGNED).is_none_or(|said| {
        let listed = Listed(&seen.addresses);
        said.status && said.reason == ASSIGNED && said.message.starts_with(&format!("{listed} from pool "))
    });
    let addresses = &seen.addresses;
    let wanted = request.families.wanted();
    let asked = &request.addresses;
    says_so
        && seen.pool.is_some()
        && seen.is_plain
        && addresses.len() == wanted.len()
        && addresses
            .iter()
            .all(|address| wanted.contains(&Family::of(*address)))
        && (asked.is_empty() || addresses.iter().all(|address| asked.contains(address)))
        && request
            .pool
            .as_ref()
            .is_none_or(|asked| seen.pool.as_deref() == Some(asked))
}

/// What a Service should say that is at rest, and whose addresses others have decided about (it may not share one any
/// longer, say): first that they will change. If that write were the change itself, and late, a leader that knows
/// nothing of the reason any more would not fence it off.
pub(super) fn before(desired: Desired, seen: &Seen) -> Desired {
    let changes = desired
        .addresses
        .as_ref()
        .filter(|addresses| addresses.as_slice() != seen.addresses.as_slice());
    let Some(next) = changes.filter(|_| is_at_rest(seen)) else {
        return desired;
    };
    let verdict = Verdict {
        status: true,
        reason: MOVING.to_owned(),
        message: format!(
            "[{}] is about to become [{}]",
            Listed(&seen.addresses),
            Listed(next)
        ),
    };
    Desired {
        conditions: vec![(CONDITION_ADDRESS_ASSIGNED, Some(verdict))],
        ..Desired::default()
    }
}

/// The part of what a Service should say that needs not wait for those who still show its other addresses.
pub(super) fn without(desired: &Desired, key: &ServiceKey, seen: &Seen, wait: &Wait) -> Desired {
    let all = desired.addresses.as_deref().unwrap_or_default();
    let free = all.iter().filter(|address| !wait.addresses.contains(address));
    let free: Vec<IpAddr> = free.copied().collect();
    let message = format!(
        "[{}] is about to become [{}], as soon as [{}] is no longer shown by {}",
        Listed(&seen.addresses),
        Listed(all),
        Listed(&wait.addresses),
        named_for(key, &wait.shown_by)
    );
    // Its own write must not change what it says.
    let said = seen.condition(CONDITION_ADDRESS_ASSIGNED);
    let said = said.filter(|said| said.reason == MOVING && *seen.addresses == *free);
    Desired {
        pool: if free.is_empty() {
            Some(String::new())
        } else {
            desired.pool.clone()
        },
        conditions: vec![(
            CONDITION_ADDRESS_ASSIGNED,
            Some(Verdict {
                status: !free.is_empty(),
                reason: MOVING.to_owned(),
                message: said.map_or(message, |said| said.message.clone()),
            }),
        )],
        addresses: Some(free),
    }
}

/// What a Service says while others show its addresses: why, if that is known to last.
pub(super) fn in_the_way(key: &ServiceKey, seen: &Seen, wait: &Wait) -> Desired {
    let Some(why) = &wait.stuck else {
        return Desired::default();
    };
    let why: String = if key.namespace() == wait.shown_by.namespace() {
        why.chars().take(REFUSAL).collect()
    } else {
        "the log of the controller says why".to_owned()
    };
    let message = format!(
        "waits for [{}], which {} still shows, since the write that takes it away is refused: {why}; it is tried again \
         every ten seconds",
        Listed(&wait.addresses),
        named_for(key, &wait.shown_by)
    );
    let verdict = Verdict {
        status: !seen.addresses.is_empty(),
        reason: "AddressInUse".to_owned(),
        message,
    };
    Desired {
        conditions: vec![(CONDITION_ADDRESS_ASSIGNED, Some(verdict))],
        ..Desired::default()
    }
}

/// How another Service is named to `key`: those of other tenants are not.
fn named_for(key: &ServiceKey, other: &ServiceKey) -> String {
    if key.namespace() == other.namespace() {
        format!("Service {other}")
    } else {
        "a Service in another namespace".to_owned()
    }
}

/// Whether what the status shows goes away when it is not held. A foreign address stays until there is one to replace it.
pub(super) fn is_ours_to_clear(key: &ServiceKey, record: &Record, allocator: &Allocator) -> bool {
    let covered = |address| allocator.pool_of(address).is_some();
    match &record.seen.wants {
        None => cleared(record).addresses.is_some(),
        Some(_) => allocator.assignment(key).is_some() || record.seen.claim(covered).is_some(),
    }
}

/// A Service that is ours no longer. One of another class is another controller's, and is not touched, except for
/// what we gave it while it was ours. Of one that left while nobody looked the addresses stay: they may be the other's.
fn cleared(record: &Record) -> Desired {
    let seen = &record.seen;
    let ours = seen.pool.is_some()
        || [CONDITION_ADDRESS_ASSIGNED, CONDITION_ANNOUNCED]
            .iter()
            .any(|type_| seen.condition(type_).is_some());
    if !ours || (seen.is_load_balancer && !record.left && !record.relic) {
        return Desired::default();
    }
    Desired {
        addresses: (!seen.is_load_balancer || record.left).then(Vec::new),
        pool: Some(String::new()),
        conditions: vec![(CONDITION_ADDRESS_ASSIGNED, None), (CONDITION_ANNOUNCED, None)],
    }
}

/// What a Service without an address should say while MetalLB's controller runs.
pub(super) fn while_metallb_runs(seen: &Seen, verdict: Verdict) -> Desired {
    if seen.wants.is_none() || !seen.addresses.is_empty() {
        return Desired::default();
    }
    Desired {
        conditions: vec![(CONDITION_ADDRESS_ASSIGNED, Some(verdict))],
        ..Desired::default()
    }
}

fn not_assigned(refusal: Option<&Refusal>, error: Option<&RequestError>) -> Option<Verdict> {
    let (reason, message) = match (error, refusal) {
        (Some(error), _) => ("InvalidRequest", error.to_string()),
        (None, Some(refusal)) => (refusal.reason(), refusal.to_string()),
        (None, None) => return None,
    };
    Some(Verdict {
        status: false,
        reason: reason.to_owned(),
        message,
    })
}

fn assigned(
    key: &ServiceKey,
    held: &Assignment,
    refusal: Option<&Refusal>,
    error: Option<&RequestError>,
    allocator: &Allocator,
) -> Verdict {
    let Assignment { addresses, pool } = held;
    let listed = Listed(addresses);
    let outside = addresses
        .iter()
        .any(|address| allocator.pool_of(*address).is_none());
    let (reason, message) = if let Some(error) = error {
        ("InvalidRequest", format!("keeps {listed}: {error}"))
    } else if let Some(refusal) = refusal {
        (
            refusal.reason(),
            format!("keeps {listed}, since what it asks for cannot be had: {refusal}"),
        )
    } else if outside {
        (
            "PoolGone",
            format!(
                "keeps {listed}, although no valid IPAddressPool contains it any more; it came from pool {pool:?}"
            ),
        )
    } else if let Some(family) = allocator.lacking(key) {
        let message = format!(
            "{listed} from pool {pool:?}, which has no free {family} address that it would have as well"
        );
        (ASSIGNED, message)
    } else {
        (ASSIGNED, format!("{listed} from pool {pool:?}"))
    };
    Verdict {
        status: true,
        reason: reason.to_owned(),
        message,
    }
}

fn other_controller(seen: &Seen) -> Verdict {
    let listed = Listed(&seen.addresses);
    Verdict {
        status: false,
        reason: "OtherController".to_owned(),
        message: format!(
            "another controller writes [{listed}] into this status again and again; switch it off for this service, \
             or give the service a loadBalancerClass, then change the service or restart the controller"
        ),
    }
}
