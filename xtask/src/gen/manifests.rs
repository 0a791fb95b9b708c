//! `deploy/manifests/cortenlb.yaml`: everything that an install needs, named, labelled and selected as MetalLB's plain
//! manifests, so that applying it over those replaces them.

mod rbac;
mod workloads;

use std::collections::BTreeMap;

use cortenlb_crds::names::SYSTEM_NAMESPACE;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::api::ObjectMeta;
use serde_json::Value;

use super::json;

/// The Secret with the key by which the speakers know one another, named as in MetalLB's plain manifests. It is not among
/// the documents: the controller makes it, so that the key is each cluster's own.
const SPEAKERS_KEY: &str = "memberlist";

/// The two programs.
#[derive(Clone, Copy)]
enum Component {
    Controller,
    Speaker,
}

impl Component {
    const ALL: [Self; 2] = [Self::Controller, Self::Speaker];

    fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Speaker => "speaker",
        }
    }
}

/// The namespace, which must be there before all else. The speaker is on the node's network, which the pod security
/// standards call privileged.
pub(super) fn namespace() -> Namespace {
    let levels = ["audit", "enforce", "warn"];
    let levels = levels.map(|mode| {
        (
            format!("pod-security.kubernetes.io/{mode}"),
            "privileged".to_owned(),
        )
    });
    Namespace {
        metadata: ObjectMeta {
            name: Some(SYSTEM_NAMESPACE.to_owned()),
            labels: Some(levels.into()),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// Everything after the namespace and the definitions, in the order in which it is needed.
pub(super) fn rest(image: &str) -> Vec<Value> {
    let mut documents = vec![
        json(&cortenlb_crds::admission::policy()),
        json(&cortenlb_crds::admission::binding()),
    ];
    documents.extend(Component::ALL.map(|component| json(&service_account(component))));
    documents.extend(rbac::documents());
    documents.push(json(&excluded_interfaces()));
    documents.push(json(&workloads::disruption_budget()));
    documents.push(json(&workloads::controller(image)));
    documents.push(json(&workloads::speaker(image)));
    documents
}

fn service_account(component: Component) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(component.name()),
        ..Default::default()
    }
}

/// Interfaces that never announce: those of container runtimes and overlays, as in MetalLB.
fn excluded_interfaces() -> ConfigMap {
    let patterns = [
        "^docker.*",
        "^cbr.*",
        "^dummy.*",
        "^virbr.*",
        "^lxcbr.*",
        "^veth.*",
        "^lo$",
        "^cali.*",
        "^tunl.*",
        "^flannel.*",
        "^kube-ipvs.*",
        "^cni.*",
        "^nodelocaldns.*",
        "^lxc.*",
    ];
    let text: String = patterns.iter().map(|pattern| format!("- {pattern}\n")).collect();
    ConfigMap {
        metadata: metadata("metallb-excludel2"),
        data: Some(BTreeMap::from([(
            "excludel2.yaml".to_owned(),
            format!("announcedInterfacesToExclude:\n{text}"),
        )])),
        ..Default::default()
    }
}

/// The metadata of an object in our namespace.
fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(SYSTEM_NAMESPACE.to_owned()),
        ..cluster_metadata(name)
    }
}

/// The metadata of an object of the cluster.
fn cluster_metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(BTreeMap::from([("app".to_owned(), "metallb".to_owned())])),
        ..Default::default()
    }
}
