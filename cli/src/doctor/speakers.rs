//! Our own pods: whether they are there, Ready, and hear one another.

use std::collections::BTreeSet;

use cortenlb_crds::names::COMPONENT;
use cortenlb_crds::translate::announce::is_ready;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::{Code, Finding, Severity};
use crate::facts::{Around, Facts, node_of};
use crate::page::{joined, some};

pub(super) fn look(facts: &Facts, around: &Around, findings: &mut Vec<Finding>) {
    let system = &facts.system;
    let waiting: Vec<&Pod> = facts.our_pods("speaker").filter(|pod| !is_ready(pod)).collect();
    if let Some(first) = waiting.first() {
        let names = waiting
            .iter()
            .map(|pod| format!("{} ({})", pod.name_any(), joined(node_of(pod))));
        findings.push(Finding::error(
            Code::SpeakerNotReady,
            format!("speakers that are not Ready: {}", some(names)),
            "their nodes answer for no address",
            format!(
                "`kubectl logs -n {system} {name}` and `kubectl describe pod -n {system} {name}` say why",
                name = first.name_any()
            ),
        ));
    }
    let served: BTreeSet<&str> = facts.our_pods("speaker").filter_map(node_of).collect();
    let missing = facts.nodes.iter().map(|node| node.name_any());
    let missing: Vec<String> = missing.filter(|node| !served.contains(node.as_str())).collect();
    if !missing.is_empty() {
        let finding = Finding::warning(
            Code::NoSpeaker,
            format!("nodes without a speaker: {}", some(&missing)),
            "these nodes can announce no address; a taint or the DaemonSet's nodeSelector may keep the speaker away",
            format!(
                "kubectl describe {}; kubectl describe node {}",
                workload(facts, around, "DaemonSet", "speaker"),
                missing[0]
            ),
        );
        findings.push(Finding {
            severity: if served.is_empty() {
                Severity::Error
            } else {
                Severity::Warning
            },
            ..finding
        });
    }
    if !facts.our_pods("controller").any(is_ready) {
        findings.push(Finding::error(
            Code::NoController,
            format!("no controller is Ready in namespace {system}"),
            "no Service gets an address; those that have one keep it, and are announced",
            format!(
                "kubectl get pods -n {system} -l {COMPONENT}=controller; kubectl describe {}",
                workload(facts, around, "Deployment", "controller")
            ),
        ));
    }
    let lonely = around.membership.iter();
    let lonely = lonely.filter(|told| told.answer.as_ref().is_ok_and(|hears| hears.unheard));
    let lonely: Vec<&str> = lonely.map(|told| told.node.as_str()).collect();
    if !lonely.is_empty() {
        findings.push(Finding::error(
            Code::NotHeard,
            format!("speakers that hear no other one: on {}", some(&lonely)),
            "while they do not hear one another nothing fails over; most often a firewall drops UDP port 7946",
            format!(
                "allow UDP 7946 (--ml-bindport) between the nodes; `kubectl logs -n {system} -l {COMPONENT}=speaker | grep \
                 'no other speaker'` shows since when"
            ),
        ));
    }
    findings.extend(unheard(facts, around));
}

/// Speakers that hear others, and not all. Not heard is also who does not run: only who is Ready and has answered counts.
fn unheard(facts: &Facts, around: &Around) -> Option<Finding> {
    let ready = facts.our_pods("speaker").filter(|pod| is_ready(pod));
    let ready: BTreeSet<&str> = ready.filter_map(node_of).collect();
    let answers = around.membership.iter();
    let answers = answers.filter_map(|told| Some((told.node.as_str(), told.answer.as_ref().ok()?)));
    let running: BTreeSet<&str> = answers
        .clone()
        .map(|(node, _)| node)
        .filter(|node| ready.contains(node))
        .collect();
    let hearing = answers.filter(|(_, hears)| !hears.unheard);
    let pairs = hearing.flat_map(|(node, hears)| {
        let missing = hears.missing.iter().map(String::as_str);
        missing.map(move |other| (node, other))
    });
    let pairs: BTreeSet<(&str, &str)> = pairs.filter(|(_, other)| running.contains(other)).collect();
    let (node, other) = pairs.first()?;
    let told = pairs
        .iter()
        .map(|(node, other)| format!("{node} does not hear {other}"));
    Some(Finding::warning(
        Code::NotHeard,
        format!("speakers that do not hear all others: {}", some(told)),
        "nothing moves by that while others hear both; without them one takes the other for lost, and whether anybody takes \
         over is left to the answers on the segment. Most often a firewall drops UDP port 7946 in that direction",
        format!("allow UDP 7946 (--ml-bindport) from {other} to {node}, and between all other nodes"),
    ))
}

/// Ours of this kind that runs `component`, as kubectl takes it. Its name is the manifest's, or begins with that of a release;
/// where there is none, kubectl is given none, and takes all of the kind.
fn workload(facts: &Facts, around: &Around, kind: &str, component: &str) -> String {
    let system = facts.system.as_str();
    let mut ours = around
        .workloads()
        .filter(|one| one.kind == kind && one.namespace == system && one.label(COMPONENT) == Some(component));
    let kind = kind.to_lowercase();
    match ours.next() {
        Some(one) => format!("{kind} -n {system} {}", one.name),
        None => format!("{kind} -n {system}"),
    }
}
