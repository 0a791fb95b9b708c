//! `why service`: which pools were considered and what came of it, which nodes can announce, who does, and what would
//! change that. All of it is the decision's own record, but for the interfaces of the nodes, of which the speakers tell.

mod advice;
mod announcement;
mod attachment;

use std::net::IpAddr;

use cortenlb_core::addr::Family;
use cortenlb_core::ipam::{Considered, Families, Request};
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::{CONDITION_ADDRESS_ASSIGNED, CONDITION_ADDRESS_CONFLICT, CONDITION_ANNOUNCED};
use k8s_openapi::api::core::v1::Service;
use serde::Serialize;

use crate::error::CliError;
use crate::facts::{Facts, Membership, Told};
use crate::model::Addresses;
use crate::page::{Cell, Page, Report, Table, Tone, age, joined};
use announcement::Announcement;

/// Everything that is known about one Service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Why {
    service: String,
    /// What it asks for, in words.
    asks: String,
    /// What it has by the allocator's account.
    addresses: Vec<IpAddr>,
    pool: Option<String>,
    /// Why it has no address, or not what it asks for.
    refusal: Option<Said>,
    /// What would mend that.
    change: Option<String>,
    /// What the controller has said on the Service.
    conditions: Vec<Condition>,
    /// In the order in which they are tried.
    pools: Vec<PoolLine>,
    announcement: Announcement,
}

/// A reason: one word, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Said {
    reason: String,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
    /// Seconds.
    since: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PoolLine {
    pool: String,
    verdict: Verdict,
    /// Those that it gave, or would give.
    addresses: Vec<IpAddr>,
    why: String,
}

/// What became of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    Taken,
    NotNeeded,
    Refused,
    Ignored,
}

/// Why the Service `key` has its address or none, and who can answer for it; of the nodes only `node`, if one is named. `told`
/// is what the speakers say of their nodes' interfaces.
pub(crate) fn service(
    facts: &Facts,
    told: &[Told<Membership>],
    key: &ServiceKey,
    node: Option<&str>,
) -> Result<Why, CliError> {
    let object = facts
        .service(key)
        .ok_or_else(|| CliError::NoService(key.clone()))?;
    let addresses = Addresses::of(facts, &facts.pools);
    let Some(wants) = addresses.wants.get(key) else {
        return Err(not_ours(facts, key, object));
    };
    let announcement = Announcement::of(facts, told, key, node)?;
    let request = wants.request.as_ref().ok();
    let held = addresses.allocator.assignment(key);
    let refusal = addresses.refusal(key);
    Ok(Why {
        service: key.to_string(),
        asks: request.map_or_else(|| "what makes no sense".to_owned(), |request| asks(request)),
        addresses: held.map(|held| held.addresses.clone()).unwrap_or_default(),
        pool: held
            .map(|held| held.pool.to_string())
            .filter(|pool| !pool.is_empty()),
        change: refusal.is_some().then(|| {
            let refusal = addresses.allocator.refusal(key);
            advice::of_refusal(refusal, key, &facts.system)
        }),
        refusal: refusal.map(|(reason, message)| Said { reason, message }),
        conditions: conditions(facts, object),
        pools: request
            .map(|request| pools(&addresses, key, request))
            .unwrap_or_default(),
        announcement,
    })
}

fn not_ours(facts: &Facts, key: &ServiceKey, object: &Service) -> CliError {
    let service = key.clone();
    let spec = object.spec.as_ref();
    let kind = spec.and_then(|spec| spec.type_.clone());
    match kind {
        Some(kind) if kind == "LoadBalancer" => CliError::OtherClass {
            service,
            class: spec
                .and_then(|spec| spec.load_balancer_class.clone())
                .unwrap_or_default(),
            ours: match facts.settings().class {
                Some(class) => format!("class {class:?} (--lb-class)"),
                None => "those without a class".to_owned(),
            },
        },
        kind => CliError::NoLoadBalancer {
            service,
            kind: kind.unwrap_or_else(|| "ClusterIP".to_owned()),
        },
    }
}

/// What a Service asks for, in words.
fn asks(request: &Request) -> String {
    let families = match request.families {
        Families::Single(Family::V4) => "an IPv4 address",
        Families::Single(Family::V6) => "an IPv6 address",
        Families::Dual => "an IPv4 and an IPv6 address",
        Families::Prefer { .. } => "an IPv4 and an IPv6 address, or one of them",
    };
    let mut text = if request.addresses.is_empty() {
        families.to_owned()
    } else {
        joined(&request.addresses)
    };
    if let Some(pool) = &request.pool {
        text = format!("{text} from pool {pool:?}");
    }
    if !request.reservations.is_empty() {
        text = format!("{text} of AddressReservation {}", joined(&request.reservations));
    }
    if let Some(key) = &request.terms.key {
        text = format!("{text}, shared under key {key:?}");
    }
    text
}

fn conditions(facts: &Facts, object: &Service) -> Vec<Condition> {
    let ours = [
        CONDITION_ADDRESS_ASSIGNED,
        CONDITION_ANNOUNCED,
        CONDITION_ADDRESS_CONFLICT,
    ];
    let conditions = object
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let conditions = conditions.unwrap_or_default().iter();
    let conditions = conditions.filter(|condition| ours.contains(&condition.type_.as_str()));
    let conditions = conditions.map(|condition| Condition {
        kind: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: facts.now.as_second() - condition.last_transition_time.0.as_second(),
    });
    conditions.collect()
}

/// The pools in the order in which they are tried, then those that are ignored.
fn pools(addresses: &Addresses, key: &ServiceKey, request: &Request) -> Vec<PoolLine> {
    let is_served = addresses.allocator.assignment(key).is_some();
    let considered = addresses.allocator.consider(key, request).into_iter();
    let considered = considered.map(|(pool, considered)| {
        let (verdict, addresses, why) = match considered {
            Considered::Taken(addresses) => {
                let why = format!("gave {}", joined(&addresses));
                (Verdict::Taken, addresses, why)
            }
            Considered::Able(addresses) => {
                let why = if is_served {
                    format!("would give {}; what the Service has stays", joined(&addresses))
                } else {
                    format!("would give {}", joined(&addresses))
                };
                (Verdict::NotNeeded, addresses, why)
            }
            Considered::Refused(refusal) => (Verdict::Refused, Vec::new(), refusal.to_string()),
        };
        PoolLine {
            pool: pool.to_string(),
            verdict,
            addresses,
            why,
        }
    });
    let ignored = addresses.ignored.iter().map(|(pool, why)| PoolLine {
        pool: pool.clone(),
        verdict: Verdict::Ignored,
        addresses: Vec::new(),
        why: why.clone(),
    });
    considered.chain(ignored).collect()
}

impl Verdict {
    fn cell(self) -> Cell {
        match self {
            Self::Taken => Cell::new("taken", Tone::Good),
            Self::NotNeeded => Cell::new("not needed", Tone::Dim),
            Self::Refused => Cell::new("refused", Tone::Doubtful),
            Self::Ignored => Cell::new("ignored", Tone::Bad),
        }
    }
}

impl Report for Why {
    fn print(&self, page: &mut Page) {
        let has = match &self.pool {
            Some(pool) => format!("{} from pool {pool:?}", joined(&self.addresses)),
            None => joined(&self.addresses),
        };
        let has = if self.addresses.is_empty() {
            Cell::new("no address", Tone::Bad)
        } else {
            Cell::new(has, Tone::Good)
        };
        page.heading(&format!("Service {}", self.service));
        page.fields([("asks for", Cell::from(self.asks.as_str())), ("has", has)]);
        if let Some(Said { reason, message }) = &self.refusal {
            let why = Cell::new(format!("{reason}: {message}"), Tone::Bad);
            page.fields([
                ("why", why),
                ("to change it", self.change.as_deref().unwrap_or_default().into()),
            ]);
        }
        let mut table = Table::new(&["POOL", "VERDICT", "WHY"]);
        for line in &self.pools {
            table.row([
                line.pool.as_str().into(),
                line.verdict.cell(),
                line.why.as_str().into(),
            ]);
        }
        page.heading("Pools, in the order in which they are tried");
        page.table_or(&table, "  none");
        self.announcement.print(page);
        if !self.conditions.is_empty() {
            page.heading("What the controller says on the Service");
            let mut table = Table::new(&["CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE"]);
            for one in &self.conditions {
                table.row([
                    one.kind.as_str().into(),
                    one.status.as_str().into(),
                    age(one.since).into(),
                    one.reason.as_str().into(),
                    one.message.as_str().into(),
                ]);
            }
            page.table(&table);
        }
    }

    fn has_findings(&self) -> bool {
        self.refusal.is_some() || self.addresses.is_empty() || !self.announcement.is_announced()
    }
}

#[cfg(test)]
mod tests;
