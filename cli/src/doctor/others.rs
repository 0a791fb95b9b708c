//! What others on the cluster do to addresses: kube-proxy, other load balancers, MetalLB and what it leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_crds::names;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use serde::Deserialize;

use super::{Code, Finding};
use crate::connect::chain;
use crate::facts::{Around, Facts, Workload};
use crate::page::joined;

/// What MetalLB names its webhook configuration.
const WEBHOOK: &str = "metallb-webhook-configuration";

/// k3s labels the DaemonSets of its ServiceLB with the Service's name.
const K3S_LABEL: &str = "svccontroller.k3s.cattle.io/svcname";

/// Parts of the names of images that serve Services of type LoadBalancer.
const OTHERS: [(&str, &str); 3] = [
    ("kube-vip/kube-vip", "kube-vip"),
    ("openelb", "OpenELB"),
    ("purelb/allocator", "PureLB"),
];

pub(super) fn look(facts: &Facts, around: &Around, findings: &mut Vec<Finding>, unread: &mut Vec<String>) {
    match around.kube_proxy.as_deref().map(strict_arp) {
        Some(Ok(found)) => findings.extend(found),
        Some(Err(why)) => unread.push(format!(
            "whether kube-proxy runs in IPVS mode without strictARP: {why}; where there is a kube-proxy, look at its flags \
             --proxy-mode and --ipvs-strict-arp"
        )),
        // That it may not be read is said already.
        None => {}
    }
    findings.extend(service_lb(&around.daemon_sets));
    other_load_balancers(around, findings);
    metallb(facts, around, findings);
    leftovers(around, findings);
}

/// The part of `KubeProxyConfiguration` that matters.
#[derive(Default, Deserialize)]
#[serde(default)]
struct KubeProxy {
    mode: Option<String>,
    ipvs: Ipvs,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ipvs {
    #[serde(rename = "strictARP")]
    strict_arp: Option<bool>,
}

/// Whether it is wrong; or why that cannot be said.
fn strict_arp(maps: &[ConfigMap]) -> Result<Option<Finding>, String> {
    let map = maps
        .first()
        .ok_or("there is no ConfigMap kube-system/kube-proxy")?;
    let text = map.data.as_ref().and_then(|data| data.get("config.conf"));
    let text = text.ok_or("ConfigMap kube-system/kube-proxy has no entry config.conf")?;
    let proxy: KubeProxy = serde_saphyr::from_str(text).map_err(|error| {
        format!(
            "config.conf of ConfigMap kube-system/kube-proxy makes no sense: {}",
            chain(&error)
        )
    })?;
    let is_wrong = proxy.mode.as_deref() == Some("ipvs") && proxy.ipvs.strict_arp != Some(true);
    Ok(is_wrong.then(|| {
        Finding::error(
            Code::StrictArp,
            "kube-proxy runs in IPVS mode without strictARP (ConfigMap kube-system/kube-proxy)",
            "in that mode every node has every address of a Service on an interface, and its kernel answers ARP for it: \
             neighbours reach any node, and nothing fails over",
            "set ipvs.strictARP: true: `kubectl edit configmap -n kube-system kube-proxy`, then `kubectl rollout restart \
             -n kube-system daemonset/kube-proxy`",
        )
    }))
}

fn service_lb(sets: &[DaemonSet]) -> Option<Finding> {
    let is_one =
        |set: &&DaemonSet| set.labels().contains_key(K3S_LABEL) || set.name_any().starts_with("svclb-");
    let found: Vec<String> = sets
        .iter()
        .filter(is_one)
        .map(|set| format!("{}/{}", set.namespace().unwrap_or_default(), set.name_any()))
        .collect();
    (!found.is_empty()).then(|| {
        Finding::error(
            Code::OtherLoadBalancer,
            format!("k3s ServiceLB serves Services: DaemonSet {}", joined(&found)),
            "it writes the nodes' addresses into the status of every Service of type LoadBalancer, again and again",
            "start every k3s server with `--disable servicelb` (or `disable: [servicelb]` in /etc/rancher/k3s/config.yaml), \
             and restart k3s",
        )
    })
}

fn other_load_balancers(around: &Around, findings: &mut Vec<Finding>) {
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for Workload {
        kind,
        namespace,
        name,
        pod,
        ..
    } in around.workloads()
    {
        let containers = pod.into_iter().flat_map(|pod| &pod.containers);
        let images = containers.filter_map(|container| container.image.as_deref());
        for (part, product) in OTHERS {
            if images.clone().any(|image| image.contains(part)) {
                let workloads = found.entry(product).or_default();
                workloads.insert(format!("{kind} {namespace}/{name}"));
            }
        }
    }
    findings.extend(found.into_iter().map(|(product, workloads)| {
        Finding::warning(
            Code::OtherLoadBalancer,
            format!("{product} runs: {}", joined(&workloads)),
            "if it serves the same Services, both write their status, and both may answer for one address",
            "let each serve a class of its own (spec.loadBalancerClass; our controller and speakers: --lb-class), or delete \
             one of the two",
        )
    }));
}

/// MetalLB's pods have its labels and not ours.
fn metallb(facts: &Facts, around: &Around, findings: &mut Vec<Finding>) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pod in &around.metallb_pods {
        if !pod.labels().contains_key(names::COMPONENT) {
            let pods = found.entry(pod.namespace().unwrap_or_default()).or_default();
            pods.insert(pod.name_any());
        }
    }
    for (namespace, pods) in found {
        let what = format!("MetalLB runs in namespace {namespace}: pod {}", joined(&pods));
        findings.push(if namespace == facts.system {
            Finding::error(
                Code::MetalLb,
                what,
                "while its controller runs we give no addresses, and while a speaker of it is Ready we announce none",
                format!(
                    "apply our manifest over it, which replaces both; `kubectl get deployments,daemonsets -n {namespace}` \
                     shows what is left to delete"
                ),
            )
        } else {
            Finding::error(
                Code::MetalLb,
                what,
                "a MetalLB in another namespace is not waited for: both give addresses, and both answer for them",
                format!("`kubectl get all -n {namespace}` shows what it is: delete its speakers and its controller"),
            )
        });
    }
}

fn leftovers(around: &Around, findings: &mut Vec<Finding>) {
    if around.webhooks.iter().any(|one| one.name_any() == WEBHOOK) {
        findings.push(Finding::error(
            Code::Webhook,
            format!("ValidatingWebhookConfiguration {WEBHOOK} is left from MetalLB"),
            "nobody answers it, so that the API server refuses every change of pools and advertisements; our controller \
             deletes it when it starts",
            format!("kubectl delete validatingwebhookconfiguration {WEBHOOK}"),
        ));
    }
    findings.extend(converted(around).map(|crd| {
        let crd = crd.name_any();
        Finding::error(
            Code::Conversion,
            format!("CustomResourceDefinition {crd} has a conversion webhook left from MetalLB"),
            "nobody answers it, so that BGPPeers of the other version cannot be read: `kubectl get bgppeers`, and the \
             deletion of the namespace, fail",
            conversion_fix(&crd),
        )
    }));
}

/// The definitions that convert by a webhook.
pub(crate) fn converted(around: &Around) -> impl Iterator<Item = &CustomResourceDefinition> {
    let definitions = around.definitions.iter().flatten();
    definitions.filter(|crd| {
        let conversion = crd.spec.conversion.as_ref();
        conversion.is_some_and(|conversion| conversion.strategy == "Webhook")
    })
}

/// The documented step that takes the webhook out of a definition.
pub(crate) fn conversion_fix(crd: &str) -> String {
    format!(
        "kubectl patch crd {crd} --type merge -p '{{\"spec\": {{\"conversion\": {{\"strategy\": \"None\", \"webhook\": \
         null}}}}}}'"
    )
}
