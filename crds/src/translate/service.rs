//! A Service as the allocator reads it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use cortenlb_core::addr::{Family, parse_address};
use cortenlb_core::ipam::{Claim, Families, Port, Protocol, Quoted, Request, Terms};
use k8s_openapi::api::core::v1;
use kube::ResourceExt;

use crate::names;

/// The prefix of annotations that MetalLB has deprecated.
const DEPRECATED_PREFIX: &str = "metallb.universe.tf";

/// What decides about the address of a Service of type LoadBalancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// What it asks for.
    pub request: Result<Arc<Request>, RequestError>,
    /// Under which terms it shares its address, whatever it asks for.
    pub terms: Arc<Terms>,
    /// `metadata.creationTimestamp` in seconds since 1970.
    pub created: i64,
    /// An annotation with MetalLB's deprecated prefix.
    pub deprecated: Option<String>,
}

/// Why a Service's wish makes no sense. What it holds it keeps. The texts are MetalLB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Both ways of asking for an address are in use.
    #[error(
        "service can not have both {} and svc.Spec.LoadBalancerIP",
        names::LOAD_BALANCER_IPS
    )]
    BothSources,
    /// The annotation holds something that is no address.
    #[error("invalid metallb.io/loadBalancerIPs: {0:?}")]
    Annotation(String),
    /// `spec.loadBalancerIP` is no address.
    #[error("invalid spec.loadBalancerIP {0:?}")]
    Spec(String),
    /// More addresses than families.
    #[error("more than two addresses {}", Quoted(.0))]
    TooMany(Vec<IpAddr>),
    /// Two addresses of one family.
    #[error("\"{0}\" \"{1}\" has the same family")]
    SameFamily(IpAddr, IpAddr),
    /// More reservations than families.
    #[error("invalid {key}: {0:?} names more than two AddressReservations", key = names::RESERVATION)]
    TooManyReservations(String),
    /// An address and a reservation are asked for.
    #[error(
        "service can not have both {} and {}, or svc.Spec.LoadBalancerIP",
        names::RESERVATION,
        names::LOAD_BALANCER_IPS
    )]
    ReservationAndAddress,
    /// `RequireDualStack` without two cluster IPs.
    #[error("Service requires dual stack but not enough clusterips [{}]", .0.join(" "))]
    NotEnoughClusterIps(Vec<String>),
    /// The cluster IPs do not tell the family.
    #[error("the service has no cluster IP that tells its family: [{}]", .0.join(" "))]
    NoClusterIp(Vec<String>),
}

/// What the Service asks for, if it is one of type LoadBalancer and of load balancer class `class` (MetalLB's
/// `--lb-class`; without one, only Services without one, or with an empty one).
pub fn load_balancer(service: &v1::Service, class: Option<&str>) -> Option<LoadBalancer> {
    let spec = service.spec.as_ref()?;
    let same_class = spec.load_balancer_class.as_deref().unwrap_or_default() == class.unwrap_or_default();
    if !is_load_balancer(service) || !same_class {
        return None;
    }
    let created = super::created(service);
    let terms = Arc::new(terms(service, spec));
    let request = families(spec).and_then(|families| {
        let addresses = addresses(service, spec)?;
        let reservations = reservations(service)?;
        if !addresses.is_empty() && !reservations.is_empty() {
            return Err(RequestError::ReservationAndAddress);
        }
        Ok(Arc::new(Request {
            created,
            labels: service.labels().into(),
            families,
            addresses,
            reservations,
            pool: annotation(service, names::ADDRESS_POOL, names::ADDRESS_POOL_DEPRECATED),
            terms: terms.clone(),
        }))
    });
    let deprecated = service
        .annotations()
        .keys()
        .find(|key| key.starts_with(DEPRECATED_PREFIX))
        .cloned();
    Some(LoadBalancer {
        request,
        terms,
        created,
        deprecated,
    })
}

/// Whether the Service's type is LoadBalancer, of whatever class.
pub fn is_load_balancer(service: &v1::Service) -> bool {
    service
        .spec
        .as_ref()
        .is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"))
}

/// The addresses in the Service's status; entries with a host name alone are left out, as in MetalLB.
pub fn ingress(service: &v1::Service) -> Vec<IpAddr> {
    entries(service)
        .filter_map(|entry| parse_address(entry.ip.as_deref()?))
        .collect()
}

/// Whether each entry of the Service's status is as the API server stores one that was written as an address alone: it
/// gives it `ipMode: VIP`. With `Proxy` kube-proxy leaves the address alone, and ports tell of errors.
pub fn is_plain(service: &v1::Service) -> bool {
    entries(service).all(|entry| {
        entry.ip.as_deref().is_some_and(|ip| parse_address(ip).is_some())
            && entry.ip_mode.as_deref().is_none_or(|mode| mode == "VIP")
            && entry.hostname.as_deref().is_none_or(str::is_empty)
            && entry.ports.as_deref().is_none_or(<[_]>::is_empty)
    })
}

fn entries(service: &v1::Service) -> impl Iterator<Item = &v1::LoadBalancerIngress> {
    let status = service.status.as_ref();
    let entries = status.and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    entries.into_iter().flatten()
}

/// The pool that the Service's annotation says its address came from, in either spelling.
pub fn allocated_from(service: &v1::Service) -> Option<&str> {
    let annotations = service.annotations();
    let pool = annotations.get(names::IP_ALLOCATED_FROM_POOL);
    pool.or_else(|| annotations.get(names::IP_ALLOCATED_FROM_POOL_DEPRECATED))
        .map(String::as_str)
}

/// What a Service that asks so keeps at a start of what its status shows: the addresses that a pool covers, or all if the
/// annotation names the `pool` that they came from. Anything else is foreign.
pub fn claim(
    wants: &LoadBalancer,
    shown: &[IpAddr],
    pool: Option<&str>,
    covered: impl Fn(IpAddr) -> bool,
) -> Option<Claim> {
    let ours = |address: &IpAddr| pool.is_some() || covered(*address);
    let addresses: Vec<IpAddr> = shown.iter().copied().filter(ours).collect();
    let asked = wants.request.as_ref().map(|request| request.addresses.as_slice());
    let asked = asked.unwrap_or_default();
    (!addresses.is_empty()).then(|| Claim {
        explicit: addresses.iter().all(|address| asked.contains(address)),
        annotated: pool.is_some(),
        created: wants.created,
        addresses,
        pool: pool.unwrap_or_default().into(),
        terms: wants.terms.clone(),
    })
}

/// The value of an annotation that has a deprecated spelling. The current one wins whenever it is there, even empty.
fn annotation(service: &v1::Service, current: &str, deprecated: &str) -> Option<String> {
    let annotations = service.annotations();
    let value = annotations.get(current).or_else(|| annotations.get(deprecated));
    value.filter(|value| !value.is_empty()).cloned()
}

fn terms(service: &v1::Service, spec: &v1::ServiceSpec) -> Terms {
    let local = spec.external_traffic_policy.as_deref() == Some("Local");
    let selector = spec.selector.iter().flatten().filter(|_| local);
    let backend: Vec<String> = selector.map(|(key, value)| format!("{key}={value}")).collect();
    Terms {
        key: annotation(service, names::ALLOW_SHARED_IP, names::ALLOW_SHARED_IP_DEPRECATED),
        backend: backend.join(","),
        ports: spec.ports.iter().flatten().filter_map(port).collect(),
    }
}

fn port(port: &v1::ServicePort) -> Option<Port> {
    let protocol = match port.protocol.as_deref() {
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    Some(Port {
        protocol,
        number: u16::try_from(port.port).ok()?,
    })
}

/// The families of the cluster IPs, which are those of the address, read together with the policy.
fn families(spec: &v1::ServiceSpec) -> Result<Families, RequestError> {
    let texts: Vec<String> = match &spec.cluster_ips {
        Some(list) if !list.is_empty() => list.clone(),
        _ => spec
            .cluster_ip
            .iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .collect(),
    };
    let policy = spec.ip_family_policy.as_deref();
    if policy == Some("RequireDualStack") && texts.len() < 2 {
        return Err(RequestError::NotEnoughClusterIps(texts));
    }
    let found: BTreeSet<Family> = texts
        .iter()
        .filter_map(|text| parse_address(text))
        .map(Family::of)
        .collect();
    let Some(first) = texts.iter().find_map(|text| parse_address(text)).map(Family::of) else {
        return Err(RequestError::NoClusterIp(texts));
    };
    let primary = match spec.ip_families.iter().flatten().next().map(String::as_str) {
        Some("IPv6") => Family::V6,
        _ => Family::V4,
    };
    Ok(match policy {
        _ if found.len() < 2 => Families::Single(first),
        Some("PreferDualStack") => Families::Prefer { primary },
        Some("RequireDualStack") => Families::Dual,
        _ => Families::Single(first),
    })
}

fn addresses(service: &v1::Service, spec: &v1::ServiceSpec) -> Result<Vec<IpAddr>, RequestError> {
    let listed = annotation(
        service,
        names::LOAD_BALANCER_IPS,
        names::LOAD_BALANCER_IPS_DEPRECATED,
    );
    let single = spec.load_balancer_ip.clone().filter(|text| !text.is_empty());
    match (listed, single) {
        (None, None) => Ok(Vec::new()),
        (Some(_), Some(_)) => Err(RequestError::BothSources),
        (None, Some(text)) => match parse_address(&text) {
            Some(address) => Ok(vec![address]),
            None => Err(RequestError::Spec(text)),
        },
        (Some(text), None) => {
            let addresses: Option<Vec<IpAddr>> =
                text.split(',').map(|part| parse_address(part.trim())).collect();
            match addresses.as_deref() {
                None => Err(RequestError::Annotation(text)),
                Some([a, b]) if Family::of(*a) == Family::of(*b) => Err(RequestError::SameFamily(*a, *b)),
                Some(addresses) if addresses.len() > 2 => Err(RequestError::TooMany(addresses.to_vec())),
                Some(addresses) => Ok(addresses.to_vec()),
            }
        }
    }
}

/// The names of the reservations that the annotation asks for, each once.
fn reservations(service: &v1::Service) -> Result<Vec<String>, RequestError> {
    let Some(text) = service.annotations().get(names::RESERVATION) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.len() > 2 {
        return Err(RequestError::TooManyReservations(text.clone()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
