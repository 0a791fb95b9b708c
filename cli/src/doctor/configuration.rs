//! Objects that are ignored, in the wrong place, or without effect.

use std::collections::BTreeSet;
use std::error::Error as _;

use cortenlb_crds::ConfigurationResult;
use cortenlb_crds::translate::announce;
use kube::ResourceExt;

use super::{Code, Finding};
use crate::facts::{Around, Elsewhere, Facts};
use crate::model::Addresses;
use crate::page::some;

/// Without this definition nothing is installed.
const POOLS: &str = "ipaddresspools.metallb.io";

pub(super) fn look(facts: &Facts, around: &Around, findings: &mut Vec<Finding>) {
    let installed = around.definitions.as_ref();
    if installed.is_some_and(|all| all.iter().all(|crd| crd.name_any() != POOLS)) {
        findings.push(Finding::error(
            Code::NotInstalled,
            format!("CustomResourceDefinition {POOLS} is not there"),
            "CortenLB is not installed in this cluster",
            "kubectl apply -f deploy/manifests/cortenlb.yaml",
        ));
    }
    for Elsewhere {
        kind,
        plural,
        namespace,
        name,
    } in &around.elsewhere
    {
        findings.push(Finding::error(
            Code::WrongNamespace,
            format!("{kind} {namespace}/{name} is not in namespace {}", facts.system),
            "configuration in other namespaces is not read",
            format!(
                "kubectl get {plural}.metallb.io -n {namespace} {name} -o json | jq 'del(.metadata, .status) + {{metadata: \
                 {{name: \"{name}\", namespace: \"{}\"}}}}' | kubectl create -f - && kubectl delete {plural}.metallb.io -n \
                 {namespace} {name}",
                facts.system
            ),
        ));
    }
    ignored(facts, findings);
    unknown_pools(facts, findings);
    if !around.peers.is_empty() || !around.bgp_advertisements.is_empty() {
        let peers = around
            .peers
            .iter()
            .map(|object| format!("BGPPeer {}", object.name_any()));
        let advertisements = around.bgp_advertisements.iter();
        let advertisements = advertisements.map(|object| format!("BGPAdvertisement {}", object.name_any()));
        findings.push(Finding::warning(
            Code::Bgp,
            format!("objects without effect: {}", some(peers.chain(advertisements))),
            "BGP is not supported: no router learns the addresses",
            "announce the pools by an L2Advertisement; `kubectl cortenlb migrate check` says more",
        ));
    }
}

/// L2Advertisements that name pools that do not exist.
fn unknown_pools(facts: &Facts, findings: &mut Vec<Finding>) {
    let pools: BTreeSet<String> = facts.pools.iter().map(ResourceExt::name_any).collect();
    for object in &facts.advertisements {
        let named = &object.spec.ip_address_pools;
        let unknown = announce::unknown_pools(named, |name| pools.contains(name));
        if unknown.is_empty() {
            continue;
        }
        let name = object.name_any();
        let there = if pools.is_empty() {
            "none".to_owned()
        } else {
            some(&pools)
        };
        findings.push(Finding::warning(
            Code::UnknownPool,
            format!(
                "L2Advertisement {name} names an IPAddressPool that does not exist: {}",
                some(unknown)
            ),
            "no new address comes from it, and no other pool is announced in its place",
            format!(
                "correct the name, or create the pool (those that exist: {there}): kubectl edit l2advertisement -n {} \
                 {name}",
                facts.system
            ),
        ));
    }
}

/// Objects at fault, in their own words; where they are not known, what the components say.
fn ignored(facts: &Facts, findings: &mut Vec<Finding>) {
    let before = findings.len();
    let why = "it is ignored as a whole until it is mended; the others are used";
    for (pool, error) in Addresses::of(facts, &facts.pools).ignored {
        findings.push(Finding::error(
            Code::Ignored,
            format!("IPAddressPool {pool} is ignored: {error}"),
            why,
            format!("kubectl edit ipaddresspool -n {} {pool}", facts.system),
        ));
    }
    for object in &facts.advertisements {
        if let Err(error) = announce::advertisement(object) {
            let source = error
                .source()
                .map(|source| format!(": {source}"))
                .unwrap_or_default();
            findings.push(Finding::error(
                Code::Ignored,
                format!("{error}{source}"),
                why,
                format!(
                    "kubectl edit l2advertisement -n {} {}",
                    facts.system,
                    object.name_any()
                ),
            ));
        }
    }
    if findings.len() > before {
        return;
    }
    for state in &facts.states {
        let Some(status) = &state.status else { continue };
        if status.result == Some(ConfigurationResult::Invalid) {
            findings.push(Finding::error(
                Code::Ignored,
                format!(
                    "ConfigurationState {}: {}",
                    state.name_any(),
                    status.error_summary
                ),
                "something in the configuration is ignored",
                format!(
                    "kubectl describe configurationstate -n {} {}",
                    facts.system,
                    state.name_any()
                ),
            ));
        }
    }
}
