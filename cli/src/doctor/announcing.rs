//! Pools and Services that nobody announces.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::announce::{Advertisement, Fact};
use cortenlb_crds::translate::announce;
use cortenlb_crds::translate::service::ingress;
use kube::ResourceExt as _;

use super::{Code, Finding, Severity};
use crate::facts::{Facts, key_of};
use crate::model;
use crate::page::some;

/// A speaker that has to ask for an address, or is just being started, needs so many seconds at most.
const PATIENCE: i64 = 30;

pub(super) fn look(facts: &Facts, findings: &mut Vec<Finding>) {
    let silent = not_advertised(facts);
    for pool in &silent {
        findings.push(Finding::error(
            Code::NotAdvertised,
            format!("no L2Advertisement selects IPAddressPool {pool}"),
            "Services get addresses from it, and no node answers for them",
            format!(
                "kubectl apply -f - <<< '{{\"apiVersion\": \"metallb.io/v1beta1\", \"kind\": \"L2Advertisement\", \
                 \"metadata\": {{\"name\": \"{pool}\", \"namespace\": \"{}\"}}, \"spec\": {{\"ipAddressPools\": \
                 [\"{pool}\"]}}}}'",
                facts.system
            ),
        ));
    }
    not_announced(facts, &silent, findings);
}

/// The pools that no L2Advertisement selects.
pub(crate) fn not_advertised(facts: &Facts) -> BTreeSet<String> {
    let advertisements = facts.advertisements.iter().filter_map(|object| {
        let fact = announce::advertisement(object).ok()?;
        let Fact::Advertisement(_, advertisement) = fact else {
            return None;
        };
        advertisement
    });
    let advertisements: Vec<Advertisement> = advertisements.collect();
    let silent = facts.pools.iter().filter(|object| {
        let Fact::Pool(name, pool) = announce::pool(object) else {
            return false;
        };
        let selects = |advertisement: &Advertisement| advertisement.selects_pool(Some(&name), pool.as_ref());
        !advertisements.iter().any(selects)
    });
    silent.map(|pool| pool.name_any()).collect()
}

/// Services that have an address, by what keeps everybody from announcing it.
fn not_announced(facts: &Facts, silent: &BTreeSet<String>, findings: &mut Vec<Finding>) {
    let world = model::world(facts, &facts.pools, &facts.advertisements);
    let mut obstacles: BTreeMap<&'static str, Vec<(String, String)>> = BTreeMap::new();
    for service in facts
        .services
        .iter()
        .filter(|service| !ingress(service).is_empty())
    {
        let key = key_of(service);
        let Some(decision) = world.decide(&key) else {
            continue;
        };
        let is_told = decision.pool.as_ref().is_some_and(|pool| silent.contains(pool));
        if let Some(obstacle) = decision.obstacle() {
            if !is_told {
                let services = obstacles.entry(obstacle.reason).or_default();
                services.push((key.to_string(), obstacle.message));
            }
        } else if facts.announcers_of(&key).is_empty() && waits_for_long(facts, service) {
            let services = obstacles.entry("WaitingForSpeaker").or_default();
            let message = "nodes can announce it, and none has said for a while that it does: see the logs of the speakers";
            services.push((key.to_string(), message.to_owned()));
        }
    }
    findings.extend(obstacles.into_iter().map(|(reason, services)| {
        let (first, message) = services[0].clone();
        let names = services.iter().map(|(service, _)| service);
        let finding = Finding::error(
            Code::NotAnnounced,
            format!("nobody announces ({reason}): Service {}", some(names)),
            message,
            format!(
                "`kubectl cortenlb why service {first}` says of each node why not, and what would change it"
            ),
        );
        Finding {
            // What is scaled to zero is not broken.
            severity: if reason == "NoEndpoints" {
                Severity::Warning
            } else {
                Severity::Error
            },
            ..finding
        }
    }));
}

/// Whether a Service has been without an announcer for longer than a take-over needs.
fn waits_for_long(facts: &Facts, service: &k8s_openapi::api::core::v1::Service) -> bool {
    let conditions = service
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    let since = conditions.find(|condition| condition.type_ == cortenlb_crds::names::CONDITION_ANNOUNCED);
    since.is_some_and(|condition| {
        condition.status == "False"
            && facts.now.as_second() - condition.last_transition_time.0.as_second() > PATIENCE
    })
}
