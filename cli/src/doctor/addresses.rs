//! Addresses that cannot be used, and Services that get none.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cortenlb_core::addr::{AddrRange, parse_address};
use cortenlb_crds::IPAddressPool;
use cortenlb_crds::names::CONDITION_ADDRESS_CONFLICT;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::{Code, Finding};
use crate::facts::{Around, CLAIMED, Facts, key_of};
use crate::model::Addresses;
use crate::page::{age, some};

/// What the Events of our speakers name as their source.
const SPEAKER: &str = "metallb-speaker";

/// So many seconds a claim is told of. The API server forgets Events after an hour, if it is not told otherwise.
const RECENT: i64 = 3_600;

pub(super) fn look(facts: &Facts, around: &Around, findings: &mut Vec<Finding>) {
    for pool in &facts.pools {
        findings.extend(on_nodes(facts, pool));
        findings.extend(on_pods(facts, around, pool));
    }
    conflicts(facts, around, findings);
    pending(facts, findings);
}

/// The entries of a pool that can be read.
fn ranges(pool: &IPAddressPool) -> Vec<AddrRange> {
    let entries = pool.spec.addresses.iter();
    entries.filter_map(|entry| entry.parse().ok()).collect()
}

fn edit(facts: &Facts, pool: &str) -> String {
    format!("kubectl edit ipaddresspool -n {} {pool}", facts.system)
}

/// The addresses of nodes that the pool has as well.
fn on_nodes(facts: &Facts, pool: &IPAddressPool) -> Option<Finding> {
    let ranges = ranges(pool);
    let mut found = Vec::new();
    for node in &facts.nodes {
        let addresses = node.status.as_ref().and_then(|status| status.addresses.as_ref());
        let addresses = addresses.into_iter().flatten();
        let addresses = addresses.filter_map(|address| parse_address(&address.address));
        let mut addresses: Vec<IpAddr> = addresses.collect();
        addresses.retain(|address| ranges.iter().any(|range| range.contains(*address)));
        found.extend(
            addresses
                .iter()
                .map(|address| format!("{address} ({})", node.name_any())),
        );
    }
    let name = pool.name_any();
    (!found.is_empty()).then(|| {
        Finding::error(
            Code::PoolHasNode,
            format!("IPAddressPool {name} has addresses of nodes: {}", some(&found)),
            "a Service that is given such an address takes it away from the node, which is then cut off",
            format!("leave them out of spec.addresses: {}", edit(facts, &name)),
        )
    })
}

/// The networks and addresses of pods that the pool overlaps. Nodes have a network where Kubernetes gives each one; plug-ins
/// with an allocator of their own, such as Calico, leave that empty.
fn on_pods(facts: &Facts, around: &Around, pool: &IPAddressPool) -> Option<Finding> {
    let ranges = ranges(pool);
    let networks = facts.nodes.iter().flat_map(|node| {
        let spec = node.spec.as_ref();
        let networks = spec.and_then(|spec| spec.pod_cidrs.clone());
        let networks = networks.or_else(|| Some(vec![spec?.pod_cidr.clone()?]));
        let name = node.name_any();
        let networks = networks.unwrap_or_default().into_iter();
        networks.filter_map(move |network| Some((name.clone(), network.parse::<AddrRange>().ok()?, network)))
    });
    let overlapping: Vec<(String, AddrRange, String)> = networks
        .filter(|(_, network, _)| ranges.iter().any(|range| range.overlaps(network)))
        .collect();
    let is_told = |address: IpAddr| {
        overlapping
            .iter()
            .any(|(_, network, _)| network.contains(address))
    };
    let running = around.running.iter();
    let pods = running
        .flat_map(|pod| pod.addresses.iter().map(move |address| (&pod.key, *address)))
        .filter(|(_, address)| !is_told(*address) && ranges.iter().any(|range| range.contains(*address)));
    let pods: Vec<String> = pods.map(|(pod, address)| format!("{address} ({pod})")).collect();
    let networks = overlapping
        .iter()
        .map(|(node, _, network)| format!("{network} ({node})"));
    let found: Vec<String> = networks.chain(pods).collect();
    let name = pool.name_any();
    (!found.is_empty()).then(|| {
        Finding::error(
            Code::PoolHasPods,
            format!(
                "IPAddressPool {name} overlaps the network of pods: {}",
                some(&found)
            ),
            "what is sent to such an address goes to a pod, or to the node that has its network",
            format!(
                "choose addresses of the segment that nobody uses: {}",
                edit(facts, &name)
            ),
        )
    })
}

/// Services whose address somebody else on the segment has: found before its first use, which a condition says, or claimed
/// since, which Events say.
fn conflicts(facts: &Facts, around: &Around, findings: &mut Vec<Finding>) {
    let claims = claims(facts, around);
    for service in &facts.services {
        let key = key_of(service);
        let conditions = service
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_deref());
        let mut conditions = conditions.unwrap_or_default().iter();
        let said = conditions
            .find(|condition| condition.type_ == CONDITION_ADDRESS_CONFLICT && condition.status == "True");
        let (message, why) = if let Some(said) = said {
            (
                said.message.clone(),
                "no node answers for the address while that station has it",
            )
        } else if let Some((at, message)) = service.uid().and_then(|uid| claims.get(&uid)) {
            let ago = age(facts.now.as_second() - at.as_second());
            (
                format!("{message} ({ago} ago)"),
                "what neighbours send to the address may reach that station",
            )
        } else {
            continue;
        };
        findings.push(Finding::error(
            Code::AddressConflict,
            format!("Service {key}: {message}"),
            why,
            "find the station by its MAC and give it another address, or take this one out of the pool: `kubectl edit \
             ipaddresspool`",
        ));
    }
}

/// The newest claim of an address of each Service, by its UID, of those that are recent: another Service may have had the name.
fn claims(facts: &Facts, around: &Around) -> BTreeMap<String, (Timestamp, String)> {
    let mut newest: BTreeMap<String, (Timestamp, String)> = BTreeMap::new();
    for event in &around.claims {
        let (Some(Time(at)), Some(uid)) = (&event.last_timestamp, &event.involved_object.uid) else {
            continue;
        };
        let is_ours =
            event.reporting_component.as_deref() == Some(SPEAKER) && event.reason.as_deref() == Some(CLAIMED);
        if !is_ours || facts.now.as_second() - at.as_second() > RECENT {
            continue;
        }
        if newest.get(uid).is_none_or(|(known, _)| known < at) {
            newest.insert(uid.clone(), (*at, event.message.clone().unwrap_or_default()));
        }
    }
    newest
}

/// Services without an address, by the reason.
fn pending(facts: &Facts, findings: &mut Vec<Finding>) {
    let addresses = Addresses::of(facts, &facts.pools);
    let mut waiting: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for key in addresses.wants.keys() {
        if addresses.allocator.assignment(key).is_some() {
            continue;
        }
        if let Some((reason, message)) = addresses.refusal(key) {
            waiting
                .entry(reason)
                .or_default()
                .push((key.to_string(), message));
        }
    }
    findings.extend(waiting.into_iter().map(|(reason, services)| {
        let (first, message) = services[0].clone();
        let names = services.iter().map(|(service, _)| service);
        Finding::error(
            Code::Pending,
            format!("no address ({reason}): Service {}", some(names)),
            message,
            format!(
                "`kubectl cortenlb why service {first}` says of each pool why not, and what would change it"
            ),
        )
    }));
}
