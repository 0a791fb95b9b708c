//! Whatever a Service says about itself: nothing panics, and nobody else loses anything by it. Shared by the fuzz target
//! `service` and the replay of its corpus.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use cortenlb_core::addr::Family;
use cortenlb_core::ipam::{
    Allocator, Assignment, Claim, Families, Port, Protocol, Request, Reservation, Rules, Standing, Terms,
};
use cortenlb_core::name::{ReservationKey, ServiceKey};
use cortenlb_core::pool::{Pool, PoolSpec, resolve};
use cortenlb_core::selector::Labels;
use cortenlb_crds::names;
use cortenlb_crds::translate::service;
use k8s_openapi::api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus};
use serde_json::json;

/// The annotations of the first lines.
const ANNOTATIONS: [&str; 10] = [
    names::ADDRESS_POOL,
    names::ADDRESS_POOL_DEPRECATED,
    names::LOAD_BALANCER_IPS,
    names::LOAD_BALANCER_IPS_DEPRECATED,
    names::ALLOW_SHARED_IP,
    names::ALLOW_SHARED_IP_DEPRECATED,
    names::IP_ALLOCATED_FROM_POOL,
    names::IP_ALLOCATED_FROM_POOL_DEPRECATED,
    names::RESERVATION,
    names::EPOCH,
];

/// The Service that these bytes say: a line for each of [`ANNOTATIONS`], then `spec.loadBalancerIP`,
/// `spec.ipFamilyPolicy`, the first of `spec.ipFamilies`, and the addresses in the status, one a line. An empty line is an
/// absent field; as a line break in an annotation, `\r` is as good as any.
fn mk_service(input: &[u8]) -> Service {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let annotations: BTreeMap<&str, &str> = ANNOTATIONS
        .iter()
        .filter_map(|name| Some((*name, next()?)))
        .collect();
    let (ip, policy, family) = (next(), next(), next());
    let service = json!({
        "metadata": { "name": "s", "namespace": "ns", "annotations": annotations },
        "spec": {
            "type": "LoadBalancer",
            "clusterIPs": ["10.96.0.1", "fd96::1"],
            "ports": [{ "port": 80 }],
            "loadBalancerIP": ip,
            "ipFamilyPolicy": policy,
            "ipFamilies": family.map(|family| vec![family]),
        },
    });
    let mut service: Service = serde_json::from_value(service).expect("a Service");
    let entry = |ip: &str| LoadBalancerIngress {
        ip: Some(ip.to_owned()),
        ..LoadBalancerIngress::default()
    };
    service.status = Some(ServiceStatus {
        load_balancer: Some(LoadBalancerStatus {
            ingress: Some(lines.take(4).map(entry).collect()),
        }),
        ..ServiceStatus::default()
    });
    service
}

fn mk_pool(name: &str, addresses: &[&str], auto_assign: bool) -> Pool {
    let spec = PoolSpec {
        name: name.to_owned(),
        addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
        auto_assign,
        ..PoolSpec::default()
    };
    Pool::new(spec).expect("a valid pool")
}

fn mk_request(address: &str, key: Option<&str>, port: u16) -> Request {
    Request {
        created: 0,
        labels: Labels::new(),
        families: Families::Single(Family::V4),
        addresses: vec![address.parse().expect("an address")],
        pool: None,
        reservations: Vec::new(),
        terms: Arc::new(Terms {
            key: key.map(str::to_owned),
            backend: String::new(),
            ports: [Port {
                protocol: Protocol::Tcp,
                number: port,
            }]
            .into(),
        }),
    }
}

/// Two pools; `alone` holds 10.0.0.0, `open` shares 10.0.0.1 with whoever has the key `k`, `kept` has 10.0.0.2.
fn mk_allocator() -> Allocator {
    let mut allocator = Allocator::new(Rules::default());
    let pools = [
        mk_pool("p", &["10.0.0.0/29", "fd00::/126"], true),
        mk_pool("q", &["10.0.1.0/31"], false),
    ];
    allocator.set_pools(resolve(pools).0);
    allocator.request(&key("alone"), mk_request("10.0.0.0", None, 80));
    allocator.request(&key("open"), mk_request("10.0.0.1", Some("k"), 81));
    let reservation = Reservation {
        created: 0,
        pool: "p".to_owned(),
        family: Family::V4,
        address: "10.0.0.2".parse().ok(),
        services: ["other".to_owned()].into(),
        retain: true,
        recorded: None,
    };
    allocator.set_reservation(&ReservationKey::new("ns", "kept"), Some(reservation));
    allocator
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("ns", name)
}

/// Everything that `s` must leave as it is.
fn others(allocator: &Allocator) -> [Option<Assignment>; 2] {
    [key("alone"), key("open")].map(|key| allocator.assignment(&key).cloned())
}

/// Whether the Service's wish makes sense.
///
/// # Panics
/// A promise is broken.
pub(crate) fn check(input: &[u8]) -> bool {
    let object = mk_service(input);
    let wants = service::load_balancer(&object, None).expect("type and class are given");
    let mut allocator = mk_allocator();
    let before = others(&allocator);
    let usage = |allocator: &Allocator| {
        ["p", "q"].map(|pool| Family::ALL.map(|family| allocator.usage(pool, family)))
    };
    let empty = usage(&allocator);
    // As the controller does when it starts.
    let addresses = service::ingress(&object);
    let pool = service::allocated_from(&object);
    let claim = Claim {
        explicit: false,
        annotated: pool.is_some(),
        created: wants.created,
        addresses,
        pool: pool.unwrap_or_default().to_owned(),
        terms: wants.terms.clone(),
    };
    allocator.adopt(BTreeMap::from([(key("s"), claim)]));
    match &wants.request {
        Ok(request) => allocator.request(&key("s"), request.clone()),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            allocator.withdraw(&key("s"));
        }
    }
    assert_eq!(others(&allocator), before);
    let held = allocator.assignment(&key("s")).map(|held| held.addresses.clone());
    let held: Vec<IpAddr> = held.unwrap_or_default();
    let holds = |text: &str| held.contains(&text.parse().expect("an address"));
    let binds = wants
        .request
        .as_ref()
        .is_ok_and(|request| request.reservations == ["kept"]);
    assert!(!holds("10.0.0.0"), "it is not shared");
    assert!(!holds("10.0.0.1") || wants.terms.key.as_deref() == Some("k"));
    if holds("10.0.0.2") && !binds {
        // Who holds it from before keeps it; the reservation waits.
        let standing = allocator.standing(&ReservationKey::new("ns", "kept"));
        assert!(!matches!(standing, Some(Standing::Available(_))));
        assert!(service::ingress(&object).contains(&"10.0.0.2".parse().expect("an address")));
    }
    if held.is_empty()
        && let Some(refusal) = allocator.refusal(&key("s"))
    {
        assert!(!refusal.to_string().is_empty() && !refusal.reason().is_empty());
    }
    allocator.release(&key("s"));
    assert_eq!(others(&allocator), before);
    assert_eq!(usage(&allocator), empty, "all is given back");
    wants.request.is_ok()
}
