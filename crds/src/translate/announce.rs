//! The facts that decide who announces: each object reduced to what [`cortenlb_core::announce`] reads of it.

use super::selector::selector;
use crate::{IPAddressPool, L2Advertisement, L2AdvertisementSpec, names};
use cortenlb_core::addr::parse_address;
use cortenlb_core::announce::{
    Advertisement, DRAIN, Fact, Node, Pool, Preference, REQUIRE_SUBNET, Service, Slice, Speaker,
};
use cortenlb_core::few::FewList;
use cortenlb_core::name::{ServiceKey, SliceKey};
use cortenlb_core::selector::{LabelSelector, SelectorError};
use k8s_openapi::api::core::v1 as core_v1;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use kube::ResourceExt;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The speaker's flag that makes its node a candidate in spite of the exclusion label.
pub const IGNORE_EXCLUDE_LB: &str = "ignore-exclude-lb";

/// The speaker's flag that makes its node no candidate while it is cordoned.
pub const DRAIN_CORDONED: &str = "drain-cordoned";

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// Why an L2Advertisement is ignored as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("L2Advertisement {name:?} is ignored: {field} is not usable; correct it")]
pub struct AdvertisementError {
    /// The advertisement.
    pub name: String,
    /// The field of `spec` at fault.
    pub field: &'static str,
    /// What is wrong with it.
    #[source]
    pub source: SelectorError,
}

/// The key of a namespaced object.
pub fn key(object: &impl ResourceExt) -> ServiceKey {
    ServiceKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// A Service. It is a fact only if its type is LoadBalancer and its `spec.loadBalancerClass` is `class`
/// (MetalLB's `--lb-class`; without one, only Services without one, or with an empty one).
pub fn service(service: &core_v1::Service, class: Option<&str>) -> Fact {
    service_named(key(service), service, class)
}

/// The same of a Service whose key is at hand: whoever holds both holds its text once.
pub fn service_named(key: ServiceKey, service: &core_v1::Service, class: Option<&str>) -> Fact {
    let spec = service.spec.as_ref();
    let ours = spec.is_some_and(|spec| {
        spec.type_.as_deref() == Some("LoadBalancer")
            && spec.load_balancer_class.as_deref().unwrap_or_default() == class.unwrap_or_default()
    });
    let annotations = service.annotations();
    let ingress = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    // One entry that is no address, such as a host name, spoils the whole: somebody else wrote it.
    let addresses: Option<FewList<IpAddr>> = ingress
        .into_iter()
        .flatten()
        .map(|entry| parse_address(entry.ip.as_deref()?))
        .collect();
    let fact = Service {
        labels: service.labels().into(),
        addresses: addresses.unwrap_or_default(),
        pool: annotations
            .get(names::IP_ALLOCATED_FROM_POOL)
            .or_else(|| annotations.get(names::IP_ALLOCATED_FROM_POOL_DEPRECATED))
            .map(|pool| pool.as_str().into()),
        local: spec.is_some_and(|spec| spec.external_traffic_policy.as_deref() == Some("Local")),
        shared: annotations.contains_key(names::ALLOW_SHARED_IP)
            || annotations.contains_key(names::ALLOW_SHARED_IP_DEPRECATED),
    };
    Fact::Service(key, ours.then_some(fact))
}

/// An EndpointSlice; one without the label that names its Service is none.
pub fn slice(slice: &EndpointSlice) -> Fact {
    let namespace = slice.namespace().unwrap_or_default();
    let fact = slice.labels().get(SERVICE_NAME_LABEL).map(|service| {
        let serving = || slice.endpoints.iter().filter(|endpoint| can_serve(endpoint));
        Slice {
            service: ServiceKey::new(&namespace, service),
            serving: serving().next().is_some(),
            nodes: serving()
                .filter_map(|endpoint| endpoint.node_name.as_deref())
                .collect(),
        }
    });
    Fact::Slice(SliceKey::new(namespace, slice.name_any()), fact)
}

/// Unset means ready; an endpoint that is going away but still answers counts as well.
fn can_serve(endpoint: &Endpoint) -> bool {
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
    ready
        || conditions
            .and_then(|conditions| conditions.serving)
            .unwrap_or(false)
}

/// An IPAddressPool. A pool that the controller ignores still counts, by its name and by what is valid of it: its
/// addresses may have been given out before.
pub fn pool(pool: &IPAddressPool) -> Fact {
    let ranges = pool
        .spec
        .addresses
        .iter()
        .filter_map(|range| range.parse().ok())
        .collect();
    Fact::Pool(
        pool.name_any(),
        Some(Pool {
            labels: pool.labels().into(),
            ranges,
        }),
    )
}

/// An L2Advertisement.
///
/// # Errors
/// The first selector that cannot be used.
pub fn advertisement(object: &L2Advertisement) -> Result<Fact, AdvertisementError> {
    let L2AdvertisementSpec {
        ip_address_pools,
        ip_address_pool_selectors,
        node_selectors,
        preferred_node_selectors,
        interfaces,
        service_selectors,
    } = &object.spec;
    let parse = |field, written: &v1::LabelSelector| {
        selector(written).map_err(|source| AdvertisementError {
            name: object.name_any(),
            field,
            source,
        })
    };
    let all = |field, written: &[v1::LabelSelector]| -> Result<Vec<LabelSelector>, AdvertisementError> {
        written.iter().map(|written| parse(field, written)).collect()
    };
    let preferences = preferred_node_selectors.iter().map(|one| {
        let selector = parse("spec.preferredNodeSelectors", &one.preference)?;
        Ok(Preference {
            weight: one.weight,
            selector,
        })
    });
    let fact = Advertisement {
        pools: ip_address_pools.iter().cloned().collect(),
        pool_selectors: all("spec.ipAddressPoolSelectors", ip_address_pool_selectors)?,
        service_selectors: all("spec.serviceSelectors", service_selectors)?,
        node_selectors: all("spec.nodeSelectors", node_selectors)?,
        preferences: preferences.collect::<Result<_, _>>()?,
        interfaces: interfaces.iter().cloned().collect(),
        on_link: object
            .annotations()
            .get(REQUIRE_SUBNET)
            .is_some_and(|value| value == "true"),
    };
    Ok(Fact::Advertisement(object.name_any(), Some(fact)))
}

/// Of the pools that an L2Advertisement names (`spec.ipAddressPools`), those that do not exist: the place and the name.
pub fn unknown_pools(named: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let places = named.iter().enumerate();
    let unknown = places.filter(|(_, name)| !exists(name));
    unknown
        .map(|(place, name)| format!("{name:?} (spec.ipAddressPools[{place}])"))
        .collect()
}

/// A Node.
pub fn node(node: &core_v1::Node) -> Fact {
    let status = node.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let conditions = conditions.map(Vec::as_slice).unwrap_or_default();
    let addresses = status
        .and_then(|status| status.addresses.as_ref())
        .into_iter()
        .flatten();
    let fact = Node {
        labels: node.labels().into(),
        addresses: addresses
            .filter_map(|address| parse_address(&address.address))
            .collect(),
        network_unavailable: conditions
            .iter()
            .any(|condition| condition.type_ == "NetworkUnavailable" && condition.status == "True"),
        drained: node.annotations().get(DRAIN).is_some_and(|value| value == "true"),
        cordoned: node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true),
        shutting_down: conditions.iter().any(is_shutting_down),
    };
    Fact::Node(node.name_any(), Some(fact))
}

/// What the kubelet says when the machine is about to be off (graceful node shutdown): there is no reason of its own for it.
fn is_shutting_down(condition: &core_v1::NodeCondition) -> bool {
    let says_so = |message: &String| message.contains("node is shutting down");
    condition.type_ == "Ready"
        && condition.status == "False"
        && condition.message.as_ref().is_some_and(says_so)
}

/// A speaker pod; before it is scheduled it is none. A pod that is being deleted is not Ready, whatever its
/// condition says: it stops answering within moments.
pub fn speaker(pod: &core_v1::Pod) -> Fact {
    let ips = pod.status.as_ref().and_then(|status| status.pod_ips.as_ref());
    let addresses: BTreeSet<IpAddr> = ips
        .into_iter()
        .flatten()
        .filter_map(|ip| parse_address(&ip.ip))
        .collect();
    let spec = pod.spec.as_ref();
    let fact = spec.and_then(|spec| spec.node_name.clone()).map(|node| Speaker {
        node,
        ready: is_ready(pod) && pod.metadata.deletion_timestamp.is_none(),
        ignores_exclusion: runs_with(spec, IGNORE_EXCLUDE_LB),
        drains_cordoned: runs_with(spec, DRAIN_CORDONED),
        addresses: addresses.clone(),
    });
    Fact::Speaker(pod.name_any(), fact)
}

/// A pod as a speaker of MetalLB that answers: one that is Ready. A pod that is being deleted is Ready until its containers
/// have ended; on a node that is lost Kubernetes takes its readiness away.
pub fn rival(pod: &core_v1::Pod) -> Fact {
    let answers = is_metallbs(pod, "speaker") && is_ready(pod);
    Fact::Rival(pod.name_any(), answers.then_some(()))
}

/// Whether a pod is one of MetalLB's `controller` or `speaker`: by the labels of its manifests or of its Helm chart, and
/// without ours.
pub fn is_metallbs(pod: &core_v1::Pod, component: &str) -> bool {
    let has = |key: &str, value: &str| pod.labels().get(key).is_some_and(|is| is == value);
    let by_manifests = has("app", "metallb") && has("component", component);
    let by_chart = has("app.kubernetes.io/component", component)
        && (has("app.kubernetes.io/name", "metallb") || is_told_metallbs_variables(pod));
    (by_manifests || by_chart) && !pod.labels().contains_key(names::COMPONENT)
}

/// The chart's value `nameOverride` takes the place of its name in the labels. But both programs need a variable of this name.
fn is_told_metallbs_variables(pod: &core_v1::Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut variables = containers.flat_map(|container| container.env.iter().flatten());
    variables.any(|variable| variable.name == "METALLB_POD_NAME")
}

/// Whether the condition `Ready` is True.
pub fn is_ready(pod: &core_v1::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a container of the pod is started with this flag.
fn runs_with(pod: Option<&core_v1::PodSpec>, flag: &str) -> bool {
    let containers = pod.into_iter().flat_map(|pod| &pod.containers);
    let mut words =
        containers.flat_map(|container| container.command.iter().chain(&container.args).flatten());
    words.any(|word| {
        let rest = word.strip_prefix("--").and_then(|word| word.strip_prefix(flag));
        matches!(rest, Some("" | "=true"))
    })
}

#[cfg(test)]
mod tests;
