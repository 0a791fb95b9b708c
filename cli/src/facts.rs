//! What the cluster holds: objects as they were listed, of one moment.

mod workload;

use std::net::IpAddr;

use cortenlb_core::addr::parse_address;
use cortenlb_core::ipam::Rules;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::translate::announce::is_metallbs;
use cortenlb_crds::{
    AddressReservation, BFDProfile, BGPAdvertisement, BGPPeer, Community, ConfigurationState, IPAddressPool,
    L2Advertisement, ServiceL2Status, names,
};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Container, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Deserialize;

pub(crate) use workload::Workload;

/// What decides about addresses and about who announces them, and what was recorded of both.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// When the lists were made.
    pub(crate) now: Timestamp,
    /// The namespace of the configuration, of the controller and of the speakers.
    pub(crate) system: String,
    pub(crate) services: Vec<Service>,
    pub(crate) slices: Vec<EndpointSlice>,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) nodes: Vec<Node>,
    /// The pods of the system namespace.
    pub(crate) pods: Vec<Pod>,
    pub(crate) pools: Vec<IPAddressPool>,
    pub(crate) advertisements: Vec<L2Advertisement>,
    pub(crate) reservations: Vec<AddressReservation>,
    pub(crate) announcers: Vec<ServiceL2Status>,
    pub(crate) states: Vec<ConfigurationState>,
}

/// The reason of [`Around::claims`].
pub(crate) const CLAIMED: &str = "AddressClaimed";

/// How a speaker hears the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Membership {
    /// It hears none, although their pods are there.
    pub(crate) unheard: bool,
    /// The nodes of single ones that it should hear and does not. A speaker of an earlier version does not say.
    #[serde(default)]
    pub(crate) missing: Vec<String>,
    /// Its node's interfaces towards addresses, as the others know them; none: it does not say.
    #[serde(default)]
    pub(crate) attached: Option<Vec<Attached>>,
}

/// An interface of a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Attached {
    /// It is up and has carrier.
    pub(crate) carrier: bool,
    /// CIDRs that it reaches without a gateway.
    pub(crate) prefixes: Vec<String>,
}

/// What is around the configuration: other load balancers, kube-proxy, objects in wrong places, leftovers of MetalLB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    /// kube-proxy's configuration, where it is a ConfigMap; none if that may not be read.
    pub(crate) kube_proxy: Option<Vec<ConfigMap>>,
    pub(crate) daemon_sets: Vec<DaemonSet>,
    pub(crate) deployments: Vec<Deployment>,
    /// The pods that run, in all namespaces, but for those on their nodes' networks.
    pub(crate) running: Vec<Running>,
    /// Pods of MetalLB's, in all namespaces.
    pub(crate) metallb_pods: Vec<Pod>,
    pub(crate) webhooks: Vec<ValidatingWebhookConfiguration>,
    /// Of groups `metallb.io` and `cortenlb.io`; none if they may not be read.
    pub(crate) definitions: Option<Vec<CustomResourceDefinition>>,
    /// Objects of `metallb.io` outside of the configuration's namespace.
    pub(crate) elsewhere: Vec<Elsewhere>,
    pub(crate) peers: Vec<BGPPeer>,
    pub(crate) bgp_advertisements: Vec<BGPAdvertisement>,
    pub(crate) bfd_profiles: Vec<BFDProfile>,
    pub(crate) communities: Vec<Community>,
    /// Events by which speakers tell that another station claimed an address of a Service.
    pub(crate) claims: Vec<Event>,
    /// How each speaker hears the others.
    pub(crate) membership: Vec<Told<Membership>>,
    /// What could not be read, and why.
    pub(crate) unread: Vec<String>,
}

/// What matters of a pod that runs and has addresses of its own: there may be very many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) key: ServiceKey,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Running {
    /// None for one that is on its node's network.
    pub(crate) fn of(pod: &Pod) -> Option<Self> {
        let on_node = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        let status = pod.status.iter();
        let addresses = status.flat_map(|status| status.pod_ips.iter().flatten());
        (!on_node).then(|| Self {
            key: key_of(pod),
            addresses: addresses
                .filter_map(|address| parse_address(&address.ip))
                .collect(),
        })
    }
}

/// An object of the configuration in a wrong namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) kind: String,
    /// As kubectl takes it.
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What one speaker says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told<T> {
    pub(crate) pod: String,
    pub(crate) node: String,
    /// Or why it could not be asked.
    pub(crate) answer: Result<T, String>,
}

/// How the controller was started, as far as it decides about addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `--lb-class`.
    pub(crate) class: Option<String>,
    /// How addresses are given.
    pub(crate) rules: Rules,
}

impl Facts {
    /// The pods of ours that are `component`: `controller` or `speaker`.
    pub(crate) fn our_pods<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Pod> + Clone {
        let is_ours = move |pod: &&Pod| {
            let label = pod.labels().get(names::COMPONENT);
            label.is_some_and(|label| label == component)
        };
        self.pods.iter().filter(is_ours)
    }

    /// By the flags of a controller's pod: ours, or MetalLB's where there is none; the defaults without either.
    pub(crate) fn settings(&self) -> Settings {
        let metallbs = self.pods.iter().filter(|pod| is_metallbs(pod, "controller"));
        let containers = self.our_pods("controller").chain(metallbs).flat_map(containers);
        let flag = |name: &str| containers.clone().find_map(|container| flag(container, name));
        Settings {
            class: flag("lb-class").filter(|class| !class.is_empty()),
            rules: Rules {
                reassign_on_pool_change: flag("reassign-on-pool-change")
                    .is_some_and(|value| value != "false"),
            },
        }
    }

    pub(crate) fn service(&self, key: &ServiceKey) -> Option<&Service> {
        let is_it = |service: &&Service| key_of(*service) == *key;
        self.services.iter().find(is_it)
    }

    /// The records of the speakers that say that they announce this Service.
    pub(crate) fn announcers_of(&self, key: &ServiceKey) -> Vec<&ServiceL2Status> {
        let says = |object: &&ServiceL2Status| {
            object.status.as_ref().is_some_and(|status| {
                !status.node.is_empty()
                    && status.service_namespace == key.namespace()
                    && status.service_name == key.name()
            })
        };
        self.announcers.iter().filter(says).collect()
    }
}

/// The name of a namespaced object.
pub(crate) fn key_of(object: &impl ResourceExt) -> ServiceKey {
    ServiceKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// The node that a pod is on.
pub(crate) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> + Clone {
    pod.spec.iter().flat_map(|spec| &spec.containers)
}

/// The value of a flag, however it is written; empty if it is given without one.
pub(crate) fn flag(container: &Container, name: &str) -> Option<String> {
    let words = container.command.iter().chain(&container.args).flatten();
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let Some(rest) = word.strip_prefix("--").and_then(|word| word.strip_prefix(name)) else {
            continue;
        };
        if let Some(value) = rest.strip_prefix('=') {
            return Some(value.to_owned());
        }
        if rest.is_empty() {
            let value = words.next().filter(|next| !next.starts_with("--"));
            return Some(value.cloned().unwrap_or_default());
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests;
