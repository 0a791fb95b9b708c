//! Everything that an install needs, named, labelled and selected as by MetalLB, so that installing it over MetalLB replaces
//! that: for `deploy/manifests/cortenlb.yaml` as in its plain manifests, for `deploy/chart` as in its chart.

mod naming;
mod rbac;
mod workloads;

use std::collections::BTreeMap;

use cortenlb_crds::names::SYSTEM_NAMESPACE;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::api::ObjectMeta;
use serde_json::Value;

use super::json;
pub(super) use naming::Naming;

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

/// Documents that go together, by the name of the chart's file of them.
pub(super) type Part = (&'static str, Vec<Value>);

/// Everything after the namespace and the definitions, in the order in which it is needed.
pub(super) fn parts(naming: Naming, image: &str) -> Vec<Part> {
    let [controller, speaker] = Component::ALL;
    vec![
        (
            "admission",
            vec![
                json(&cortenlb_crds::admission::policy(naming.namespace())),
                json(&cortenlb_crds::admission::binding()),
            ],
        ),
        (
            "account-controller",
            vec![json(&service_account(naming, controller))],
        ),
        ("account-speaker", vec![json(&service_account(naming, speaker))]),
        ("rbac-controller", rbac::of_one(naming, controller)),
        ("rbac-speaker", rbac::of_one(naming, speaker)),
        ("rbac-both", rbac::of_both(naming)),
        ("excluded-interfaces", vec![json(&excluded_interfaces(naming))]),
        (
            "disruption-budget",
            vec![json(&workloads::disruption_budget(naming))],
        ),
        ("controller", vec![json(&workloads::controller(naming, image))]),
        ("speaker", vec![json(&workloads::speaker(naming, image))]),
    ]
}

fn service_account(naming: Naming, component: Component) -> ServiceAccount {
    ServiceAccount {
        metadata: ObjectMeta {
            namespace: Some(naming.namespace().to_owned()),
            ..naming.metadata(naming.account(component))
        },
        ..Default::default()
    }
}

/// Interfaces that never announce: those of container runtimes and overlays, as in MetalLB.
fn excluded_interfaces(naming: Naming) -> ConfigMap {
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
        metadata: ObjectMeta {
            namespace: Some(naming.namespace().to_owned()),
            ..naming.metadata("metallb-excludel2".to_owned())
        },
        data: Some(BTreeMap::from([(
            "excludel2.yaml".to_owned(),
            format!("announcedInterfacesToExclude:\n{text}"),
        )])),
        ..Default::default()
    }
}
