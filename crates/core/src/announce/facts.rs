//! What the cluster says, as far as announcing depends on it. Parsed already: no Kubernetes type is left.
//!
//! An object is reduced to what the decision reads, so that two equal facts are one: a heartbeat of a node or a
//! touched annotation changes nothing and costs nothing.

use crate::addr::AddrRange;
use crate::few::FewList;
use crate::name::{NodeNames, ServiceKey, SliceKey};
use crate::placement::NodeName;
use crate::selector::{LabelSelector, Labels};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A Service of type LoadBalancer that this installation is responsible for (`spec.loadBalancerClass`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// `metadata.labels`.
    pub labels: Labels,
    /// `status.loadBalancer.ingress[].ip`, in order. Empty if one entry has no valid address.
    pub addresses: FewList<IpAddr>,
    /// The pool that the addresses came from (annotation `metallb.io/ip-allocated-from-pool`).
    pub pool: Option<Arc<str>>,
    /// `spec.externalTrafficPolicy: Local`.
    pub local: bool,
    /// Whether the annotation `allow-shared-ip` is there, even empty.
    pub shared: bool,
}

/// An IPAddressPool, also one that the controller ignores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// `metadata.labels`.
    pub labels: Labels,
    /// The valid ones of `spec.addresses`.
    pub ranges: Vec<AddrRange>,
}

/// An L2Advertisement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertisement {
    /// `spec.ipAddressPools`.
    pub pools: BTreeSet<String>,
    /// `spec.ipAddressPoolSelectors`: or'ed, and or'ed with `pools`.
    pub pool_selectors: Vec<LabelSelector>,
    /// `spec.serviceSelectors`: or'ed; empty selects every Service.
    pub service_selectors: Vec<LabelSelector>,
    /// `spec.nodeSelectors`: or'ed; empty selects every node.
    pub node_selectors: Vec<LabelSelector>,
    /// `spec.preferredNodeSelectors`.
    pub preferences: Vec<Preference>,
    /// `spec.interfaces`: exact names; empty means all.
    pub interfaces: BTreeSet<String>,
    /// Annotation `cortenlb.io/require-subnet: "true"`: only nodes with an interface in the address's subnet announce it.
    pub on_link: bool,
}

/// One of `spec.preferredNodeSelectors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// 1 to 100.
    pub weight: i32,
    /// The nodes that it favours, among those that the advertisement selects.
    pub selector: LabelSelector,
}

/// A Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `metadata.labels`.
    pub labels: Labels,
    /// `status.addresses`.
    pub addresses: BTreeSet<IpAddr>,
    /// Condition `NetworkUnavailable` is True.
    pub network_unavailable: bool,
    /// Annotation [`DRAIN`](super::DRAIN).
    pub drained: bool,
    /// `spec.unschedulable`: `kubectl cordon`.
    pub cordoned: bool,
    /// The kubelet says that the node is shutting down (graceful node shutdown).
    pub shutting_down: bool,
}

/// An EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The Service that the slice belongs to (label `kubernetes.io/service-name`).
    pub service: ServiceKey,
    /// Whether any endpoint can serve: `ready` is true or unset, or `serving` is true.
    pub serving: bool,
    /// The nodes with an endpoint that can serve.
    pub nodes: NodeNames,
}

/// A speaker pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speaker {
    /// `spec.nodeName`.
    pub node: NodeName,
    /// Condition `Ready` is True and the pod is not being deleted.
    pub ready: bool,
    /// The pod runs with `--ignore-exclude-lb`. Read from the pod, so that all who decide know it alike.
    pub ignores_exclusion: bool,
    /// The pod runs with `--drain-cordoned`; read from the pod likewise.
    pub drains_cordoned: bool,
    /// `status.podIPs`: the node's own, since the pod is in the node's network.
    pub addresses: BTreeSet<IpAddr>,
}

/// One fact that the cluster told: an object by its name, or that there is no such object (`None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A Service.
    Service(ServiceKey, Option<Service>),
    /// An EndpointSlice, by its own name.
    Slice(SliceKey, Option<Slice>),
    /// An IPAddressPool, by name.
    Pool(String, Option<Pool>),
    /// An L2Advertisement, by name.
    Advertisement(String, Option<Advertisement>),
    /// A Node, by name.
    Node(NodeName, Option<Node>),
    /// A speaker pod, by name.
    Speaker(String, Option<Speaker>),
    /// A speaker pod of MetalLB that is Ready, by name.
    Rival(String, Option<()>),
}

/// The kinds of facts, each from one watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Services.
    Service,
    /// EndpointSlices.
    Slice,
    /// IPAddressPools.
    Pool,
    /// L2Advertisements.
    Advertisement,
    /// Nodes.
    Node,
    /// Speaker pods.
    Speaker,
    /// Speaker pods of MetalLB.
    Rival,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Service,
        Self::Slice,
        Self::Pool,
        Self::Advertisement,
        Self::Node,
        Self::Speaker,
        Self::Rival,
    ];
}

impl Fact {
    /// The namespace (empty for kinds that live in one or none) and the name of the object.
    pub fn name(&self) -> (&str, &str) {
        match self {
            Self::Service(key, _) => (key.namespace(), key.name()),
            Self::Slice(key, _) => (key.namespace(), key.name()),
            Self::Pool(name, _)
            | Self::Advertisement(name, _)
            | Self::Node(name, _)
            | Self::Speaker(name, _)
            | Self::Rival(name, _) => ("", name),
        }
    }

    /// That the object of this fact is gone.
    pub fn gone(self) -> Self {
        match self {
            Self::Service(key, _) => Self::Service(key, None),
            Self::Slice(key, _) => Self::Slice(key, None),
            Self::Pool(key, _) => Self::Pool(key, None),
            Self::Advertisement(key, _) => Self::Advertisement(key, None),
            Self::Node(key, _) => Self::Node(key, None),
            Self::Speaker(key, _) => Self::Speaker(key, None),
            Self::Rival(key, _) => Self::Rival(key, None),
        }
    }
}

impl Advertisement {
    /// Whether it announces the addresses of the pool `name`; `pool` is `None` if there is no such object (any
    /// more), so that its labels are unknown. An advertisement that names no pool announces all.
    pub fn selects_pool(&self, name: Option<&str>, pool: Option<&Pool>) -> bool {
        (self.pools.is_empty() && self.pool_selectors.is_empty())
            || name.is_some_and(|name| self.pools.contains(name))
            || pool.is_some_and(|pool| {
                self.pool_selectors
                    .iter()
                    .any(|selector| selector.matches(&pool.labels))
            })
    }

    /// Whether it announces a Service with these labels.
    pub fn selects_service(&self, labels: &Labels) -> bool {
        any_or_empty(&self.service_selectors, labels)
    }

    /// Whether it announces from a node with these labels.
    pub fn selects_node(&self, labels: &Labels) -> bool {
        any_or_empty(&self.node_selectors, labels)
    }

    /// How much it favours a node with these labels that it selects: the sum of the matching weights.
    pub fn preference_for(&self, labels: &Labels) -> i64 {
        let matching = self
            .preferences
            .iter()
            .filter(|preference| preference.selector.matches(labels));
        matching.map(|preference| i64::from(preference.weight)).sum()
    }
}

fn any_or_empty(selectors: &[LabelSelector], labels: &Labels) -> bool {
    selectors.is_empty() || selectors.iter().any(|selector| selector.matches(labels))
}
