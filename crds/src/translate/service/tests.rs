use serde_json::{Value, json};

use super::*;

/// A Service of type LoadBalancer with `spec` and `annotations` merged in.
fn mk_service(spec: Value, annotations: Value) -> v1::Service {
    let mut object = json!({
        "metadata": {
            "name": "s", "namespace": "ns", "creationTimestamp": "1970-01-01T00:00:30Z",
            "labels": { "app": "web" }, "annotations": annotations,
        },
        "spec": { "type": "LoadBalancer", "clusterIPs": ["10.96.0.1"], "ports": [{ "port": 80 }] },
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn request(spec: Value, annotations: Value) -> Result<Request, RequestError> {
    load_balancer(&mk_service(spec, annotations), None)
        .unwrap()
        .request
        .map(Arc::unwrap_or_clone)
}

#[test]
fn the_class_decides_who_is_ours() {
    let class = |class: Value| mk_service(json!({ "loadBalancerClass": class }), json!({}));
    let rows = [
        (Value::Null, None, true),
        (Value::Null, Some("x"), false),
        (json!("y"), None, false),
        (json!(""), None, true),
        (json!("y"), Some("x"), false),
        (json!("x"), Some("x"), true),
    ];
    for (written, flag, ours) in rows {
        assert_eq!(
            load_balancer(&class(written.clone()), flag).is_some(),
            ours,
            "{written} {flag:?}"
        );
    }
    assert!(load_balancer(&mk_service(json!({ "type": "ClusterIP" }), json!({})), None).is_none());
}

#[test]
fn families_follow_cluster_ips_and_policy() {
    let rows = [
        (json!({}), Ok(Families::Single(Family::V4))),
        (
            json!({ "clusterIPs": null, "clusterIP": "fd00::1" }),
            Ok(Families::Single(Family::V6)),
        ),
        (
            json!({ "clusterIPs": ["10.96.0.1", "fd00::1"], "ipFamilyPolicy": "RequireDualStack" }),
            Ok(Families::Dual),
        ),
        (
            json!({
                "clusterIPs": ["fd00::1", "10.96.0.1"], "ipFamilyPolicy": "PreferDualStack",
                "ipFamilies": ["IPv6", "IPv4"],
            }),
            Ok(Families::Prefer { primary: Family::V6 }),
        ),
        (
            json!({ "ipFamilyPolicy": "PreferDualStack" }),
            Ok(Families::Single(Family::V4)),
        ),
        (
            json!({ "ipFamilyPolicy": "RequireDualStack" }),
            Err("Service requires dual stack but not enough clusterips [10.96.0.1]"),
        ),
        (
            json!({ "clusterIPs": [] }),
            Err("the service has no cluster IP that tells its family: []"),
        ),
    ];
    for (spec, expected) in rows {
        let got = request(spec.clone(), json!({})).map(|request| request.families);
        assert_eq!(
            got.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{spec}"
        );
    }
}

#[test]
fn addresses_are_read_from_either_annotation_or_the_spec() {
    let current = names::LOAD_BALANCER_IPS;
    let deprecated = names::LOAD_BALANCER_IPS_DEPRECATED;
    type Row = (Value, Value, Result<&'static [&'static str], &'static str>);
    let rows: [Row; 10] = [
        (json!({}), json!({}), Ok(&[])),
        (json!({}), json!({ current: "192.0.2.1" }), Ok(&["192.0.2.1"])),
        (
            json!({}),
            json!({ current: " 192.0.2.1 , fd00::1" }),
            Ok(&["192.0.2.1", "fd00::1"]),
        ),
        (json!({}), json!({ deprecated: "192.0.2.2" }), Ok(&["192.0.2.2"])),
        // The current annotation wins even when it is empty.
        (
            json!({}),
            json!({ current: "", deprecated: "192.0.2.2" }),
            Ok(&[]),
        ),
        (
            json!({ "loadBalancerIP": "192.0.2.3" }),
            json!({}),
            Ok(&["192.0.2.3"]),
        ),
        (
            json!({ "loadBalancerIP": "192.0.2.3" }),
            json!({ current: "192.0.2.3" }),
            Err("service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP"),
        ),
        (
            json!({ "loadBalancerIP": "x" }),
            json!({}),
            Err("invalid spec.loadBalancerIP \"x\""),
        ),
        (
            json!({}),
            json!({ current: "192.0.2.1,x" }),
            Err("invalid metallb.io/loadBalancerIPs: \"192.0.2.1,x\""),
        ),
        (
            json!({}),
            json!({ current: "192.0.2.1,192.0.2.2" }),
            Err("\"192.0.2.1\" \"192.0.2.2\" has the same family"),
        ),
    ];
    for (spec, annotations, expected) in rows {
        let got = request(spec, annotations.clone());
        let got = got.map(|request| {
            request
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        });
        let expected = expected.map(|list| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            got.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{annotations}"
        );
    }
}

#[test]
fn terms_are_key_backend_and_ports() {
    let ports = json!([{ "port": 80 }, { "port": 53, "protocol": "UDP" }]);
    let spec = |policy| json!({ "ports": ports, "externalTrafficPolicy": policy, "selector": { "b": "2", "a": "1" } });
    let cluster = request(spec("Cluster"), json!({ names::ALLOW_SHARED_IP: "k" }))
        .unwrap()
        .terms;
    assert_eq!(
        (cluster.key.as_deref(), cluster.backend.as_str()),
        (Some("k"), "")
    );
    let shown: Vec<String> = cluster.ports.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["TCP/80", "UDP/53"]);
    let local = request(spec("Local"), json!({})).unwrap().terms;
    assert_eq!((local.key.as_deref(), local.backend.as_str()), (None, "a=1,b=2"));
}

#[test]
fn the_rest_of_the_object_is_read() {
    let annotations =
        json!({ names::ADDRESS_POOL_DEPRECATED: "p", names::IP_ALLOCATED_FROM_POOL_DEPRECATED: "q" });
    let mut service = mk_service(json!({}), annotations);
    service.status = serde_json::from_value(json!({
        "loadBalancer": { "ingress": [{ "ip": "192.0.2.1", "ipMode": "VIP" }, { "hostname": "h" }] },
    }))
    .unwrap();
    let read = load_balancer(&service, None).unwrap();
    let request = read.request.unwrap();
    assert_eq!((request.created, read.created), (30, 30));
    assert_eq!(request.pool.as_deref(), Some("p"));
    assert_eq!(request.labels.get("app"), Some("web"));
    assert_eq!(read.deprecated.as_deref(), Some(names::ADDRESS_POOL_DEPRECATED));
    assert_eq!(allocated_from(&service), Some("q"));
    assert_eq!(ingress(&service), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn an_entry_of_the_status_is_plain_if_it_is_an_address_and_nothing_else() {
    let is_plain = |ingress: Value| {
        let mut service = mk_service(json!({}), json!({}));
        service.status = serde_json::from_value(json!({ "loadBalancer": { "ingress": ingress } })).unwrap();
        is_plain(&service)
    };
    for plain in [
        json!(null),
        json!([]),
        json!([{ "ip": "192.0.2.1" }]),
        json!([{ "ip": "192.0.2.1", "ipMode": "VIP" }, { "ip": "fd00::1" }]),
        json!([{ "ip": "192.0.2.1", "hostname": "", "ports": [] }]),
    ] {
        assert!(is_plain(plain.clone()), "{plain}");
    }
    for other in [
        json!([{ "ip": "192.0.2.1", "ipMode": "Proxy" }]),
        json!([{ "ip": "192.0.2.1", "hostname": "h" }]),
        json!([{ "ip": "192.0.2.1", "ports": [{ "port": 80, "protocol": "TCP" }] }]),
        json!([{ "ip": "192.0.2.1" }, { "hostname": "h" }]),
        json!([{ "ip": "nonsense" }]),
    ] {
        assert!(!is_plain(other.clone()), "{other}");
    }
}

#[test]
fn reservations_are_asked_for_by_name() {
    let asked = |text: &str| {
        request(json!({}), json!({ "cortenlb.io/reservation": text })).map(|request| request.reservations)
    };
    assert_eq!(asked(""), Ok(vec![]));
    assert_eq!(asked("web"), Ok(vec!["web".to_owned()]));
    assert_eq!(
        asked(" web , web-v6,web"),
        Ok(vec!["web".to_owned(), "web-v6".to_owned()])
    );
    assert_eq!(
        asked("a,b,c"),
        Err(RequestError::TooManyReservations("a,b,c".to_owned()))
    );
    let both = json!({ "cortenlb.io/reservation": "web", "metallb.io/loadBalancerIPs": "10.0.0.1" });
    assert_eq!(request(json!({}), both), Err(RequestError::ReservationAndAddress));
}
