use super::*;
use cortenlb_core::name::NodeNames;
use cortenlb_core::selector::Labels;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn mk<T: serde::de::DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn mk_service(change: impl FnOnce(&mut Value)) -> core_v1::Service {
    let mut object = json!({
        "metadata": { "namespace": "default", "name": "web", "labels": { "app": "web" } },
        "spec": { "type": "LoadBalancer" },
        "status": { "loadBalancer": { "ingress": [{ "ip": "172.21.5.240", "ipMode": "VIP" }] } },
    });
    change(&mut object);
    mk(object)
}

/// The fact that `service` becomes, with `--lb-class` if there is one.
fn service_fact(change: impl FnOnce(&mut Value), class: Option<&str>) -> Option<Service> {
    match service(&mk_service(change), class) {
        Fact::Service(key, fact) => {
            assert_eq!(key, ServiceKey::new("default", "web"));
            fact
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_is_reduced_to_what_decides() {
    let plain = Service {
        labels: Labels::from([("app", "web")]),
        addresses: ["172.21.5.240".parse().unwrap()].into(),
        ..Service::default()
    };
    assert_eq!(service_fact(|_| {}, None), Some(plain.clone()));
    let local = |object: &mut Value| object["spec"]["externalTrafficPolicy"] = "Local".into();
    assert_eq!(
        service_fact(local, None),
        Some(Service {
            local: true,
            ..plain.clone()
        })
    );
    for shared in [names::ALLOW_SHARED_IP, names::ALLOW_SHARED_IP_DEPRECATED] {
        let annotate = |object: &mut Value| object["metadata"]["annotations"] = json!({ shared: "" });
        assert_eq!(
            service_fact(annotate, None),
            Some(Service {
                shared: true,
                ..plain.clone()
            })
        );
    }
}

#[test]
fn the_stable_annotation_names_the_pool_before_the_deprecated_one() {
    let (stable, deprecated) = (
        names::IP_ALLOCATED_FROM_POOL,
        names::IP_ALLOCATED_FROM_POOL_DEPRECATED,
    );
    for (annotations, pool) in [
        (json!({ stable: "a" }), "a"),
        (json!({ deprecated: "b" }), "b"),
        (json!({ stable: "a", deprecated: "b" }), "a"),
    ] {
        let fact = service_fact(|object| object["metadata"]["annotations"] = annotations, None);
        assert_eq!(fact.unwrap().pool.as_deref(), Some(pool));
    }
}

#[test]
fn type_and_class_say_whether_a_service_is_ours() {
    // spec.loadBalancerClass, --lb-class, ours
    let rows = [
        (None, None, true),
        (None, Some("x"), false),
        (Some("x"), None, false),
        (Some(""), None, true),
        (Some("y"), Some("x"), false),
        (Some("x"), Some("x"), true),
    ];
    for (of_service, flag, ours) in rows {
        let change = |object: &mut Value| object["spec"]["loadBalancerClass"] = json!(of_service);
        assert_eq!(
            service_fact(change, flag).is_some(),
            ours,
            "{of_service:?} {flag:?}"
        );
    }
    assert_eq!(
        service_fact(|object| object["spec"]["type"] = "NodePort".into(), None),
        None
    );
}

#[test]
fn one_entry_without_address_spoils_the_status() {
    let rows = [
        (json!([]), 0),
        (json!([{ "ip": "172.21.5.240" }, { "ip": "fd00:5::240" }]), 2),
        (json!([{ "hostname": "lb.example.com" }]), 0),
        (
            json!([{ "ip": "172.21.5.240" }, { "hostname": "lb.example.com" }]),
            0,
        ),
        (json!([{ "ip": "172.21.5" }]), 0),
    ];
    for (ingress, addresses) in rows {
        let change = |object: &mut Value| object["status"]["loadBalancer"]["ingress"] = ingress.clone();
        assert_eq!(
            service_fact(change, None).unwrap().addresses.len(),
            addresses,
            "{ingress}"
        );
    }
    let none = service_fact(|object| object["status"] = json!({}), None).unwrap();
    assert!(none.addresses.is_empty());
}

#[test]
fn endpoints_serve_when_ready_or_serving() {
    // conditions, can serve
    let rows = [
        (json!({}), true),
        (json!({ "ready": true }), true),
        (json!({ "ready": false }), false),
        (
            json!({ "ready": false, "serving": true, "terminating": true }),
            true,
        ),
        (json!({ "ready": false, "serving": false }), false),
        (json!({ "serving": false }), true),
    ];
    for (conditions, serves) in rows {
        let fact = slice(&mk(json!({
            "metadata": { "namespace": "default", "name": "web-abc", "labels": { "kubernetes.io/service-name": "web" } },
            "addressType": "IPv4",
            "endpoints": [
                { "addresses": ["10.1.1.1"], "nodeName": "n1", "conditions": conditions },
                { "addresses": ["10.1.2.1"], "nodeName": "n2", "conditions": { "ready": false } },
            ],
        })));
        let nodes = serves.then(|| "n1".to_owned()).into_iter().collect();
        let expected = Slice {
            service: ServiceKey::new("default", "web"),
            serving: serves,
            nodes,
        };
        assert_eq!(
            fact,
            Fact::Slice(SliceKey::new("default", "web-abc"), Some(expected)),
            "{conditions}"
        );
    }
}

#[test]
fn endpoints_without_node_or_service() {
    let mut object = json!({
        "metadata": { "namespace": "default", "name": "s", "labels": { "kubernetes.io/service-name": "web" } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["192.0.2.1"] }],
    });
    let key = SliceKey::new("default", "s");
    let expected = Slice {
        service: ServiceKey::new("default", "web"),
        serving: true,
        nodes: NodeNames::default(),
    };
    assert_eq!(
        slice(&mk(object.clone())),
        Fact::Slice(key.clone(), Some(expected))
    );
    object["metadata"]["labels"] = json!({});
    assert_eq!(slice(&mk(object)), Fact::Slice(key, None));
}

#[test]
fn a_pool_counts_by_what_is_valid_of_it() {
    let object: IPAddressPool = mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": { "name": "p", "labels": { "zone": "a" } },
        "spec": { "addresses": ["172.21.5.240-172.21.5.250", "nonsense", "fd00:5::/64"] },
    }));
    let Fact::Pool(name, Some(fact)) = pool(&object) else {
        panic!("no pool")
    };
    assert_eq!(name, "p");
    assert_eq!(fact.labels, Labels::from([("zone", "a")]));
    let contains = |text: &str| {
        fact.ranges
            .iter()
            .any(|range| range.contains(text.parse().unwrap()))
    };
    assert_eq!(fact.ranges.len(), 2);
    assert!(contains("172.21.5.250") && contains("fd00:5::1") && !contains("172.21.5.251"));
}

fn mk_advertisement(spec: Value) -> L2Advertisement {
    mk(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": { "name": "ad" }, "spec": spec,
    }))
}

#[test]
fn an_empty_advertisement_selects_everything() {
    let expected = Fact::Advertisement("ad".to_owned(), Some(Advertisement::default()));
    assert_eq!(advertisement(&mk_advertisement(json!({}))), Ok(expected));
}

#[test]
fn every_field_of_an_advertisement_arrives() {
    let by = |value: &str| json!({ "matchLabels": { "key": value } });
    let parsed = |value: &str| LabelSelector::from_labels(&Labels::from([("key", value)]));
    let fact = advertisement(&mk_advertisement(json!({
        "ipAddressPools": ["p", "q"],
        "ipAddressPoolSelectors": [by("pool")],
        "serviceSelectors": [by("service")],
        "nodeSelectors": [by("node")],
        "preferredNodeSelectors": [{ "weight": 7, "preference": by("preferred") }],
        "interfaces": ["eth1", "eth0"],
    })));
    let expected = Advertisement {
        pools: set(&["p", "q"]),
        pool_selectors: vec![parsed("pool")],
        service_selectors: vec![parsed("service")],
        node_selectors: vec![parsed("node")],
        preferences: vec![Preference {
            weight: 7,
            selector: parsed("preferred"),
        }],
        interfaces: set(&["eth0", "eth1"]),
        on_link: false,
    };
    assert_eq!(fact, Ok(Fact::Advertisement("ad".to_owned(), Some(expected))));
}

#[test]
fn an_annotation_asks_for_nodes_in_the_subnet() {
    for (value, expected) in [("true", true), ("false", false), ("yes", false)] {
        let mut object = mk_advertisement(json!({}));
        object
            .annotations_mut()
            .insert("cortenlb.io/require-subnet".to_owned(), value.to_owned());
        let Ok(Fact::Advertisement(_, Some(fact))) = advertisement(&object) else {
            panic!("it is one");
        };
        assert_eq!(fact.on_link, expected, "{value}");
    }
}

#[test]
fn an_advertisement_with_a_bad_selector_is_ignored_as_a_whole() {
    let bad = json!({ "matchExpressions": [{ "key": "k", "operator": "Is", "values": ["x"] }] });
    let spec = json!({ "ipAddressPools": ["p"], "nodeSelectors": [{}, bad] });
    let error = advertisement(&mk_advertisement(spec)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "L2Advertisement \"ad\" is ignored: spec.nodeSelectors is not usable; correct it"
    );
    assert!(matches!(error.source, SelectorError::Operator { .. }));
}

#[test]
fn a_heartbeat_of_a_node_changes_nothing() {
    let mk_node = |heartbeat: &str, unavailable: &str| -> core_v1::Node {
        mk(json!({
            "metadata": { "name": "n1", "labels": { "zone": "a" }, "resourceVersion": heartbeat },
            "spec": { "unschedulable": true },
            "status": {
                "addresses": [
                    { "type": "InternalIP", "address": "172.21.5.11" },
                    { "type": "Hostname", "address": "n1" },
                ],
                "conditions": [
                    { "type": "Ready", "status": "False" },
                    { "type": "NetworkUnavailable", "status": unavailable },
                ],
            },
        }))
    };
    let expected = Node {
        labels: Labels::from([("zone", "a")]),
        addresses: ["172.21.5.11".parse().unwrap()].into(),
        cordoned: true,
        ..Node::default()
    };
    assert_eq!(
        node(&mk_node("1", "False")),
        Fact::Node("n1".to_owned(), Some(expected.clone()))
    );
    assert_eq!(node(&mk_node("2", "Unknown")), node(&mk_node("1", "False")));
    let expected = Node {
        network_unavailable: true,
        ..expected
    };
    assert_eq!(
        node(&mk_node("3", "True")),
        Fact::Node("n1".to_owned(), Some(expected))
    );
}

#[test]
fn a_node_is_drained_by_annotation_cordoned_by_its_spec_and_shuts_down_as_the_kubelet_says() {
    let fact = |object: Value| match node(&mk(object)) {
        Fact::Node(_, Some(node)) => (node.drained, node.cordoned, node.shutting_down),
        other => panic!("{other:?}"),
    };
    let drain =
        |value: &str| json!({ "metadata": { "name": "n1", "annotations": { "cortenlb.io/drain": value } } });
    let ready = |status: &str, message: &str| {
        let condition = json!({ "type": "Ready", "status": status, "message": message });
        json!({ "metadata": { "name": "n1" }, "status": { "conditions": [condition] } })
    };
    assert_eq!(fact(drain("true")), (true, false, false));
    assert_eq!(fact(drain("false")), (false, false, false));
    let cordoned = json!({ "metadata": { "name": "n1" }, "spec": { "unschedulable": true } });
    assert_eq!(fact(cordoned), (false, true, false));
    assert_eq!(
        fact(ready("False", "node is shutting down")),
        (false, false, true)
    );
    assert_eq!(
        fact(ready("False", "container runtime is down")),
        (false, false, false)
    );
    assert_eq!(
        fact(ready("True", "node is shutting down")),
        (false, false, false)
    );
}

#[test]
fn a_speaker_is_ready_until_it_is_being_deleted() {
    let mk_pod = |change: &dyn Fn(&mut Value)| -> core_v1::Pod {
        let mut object = json!({
            "metadata": { "namespace": "metallb-system", "name": "speaker-1" },
            "spec": { "nodeName": "n1", "containers": [{ "name": "speaker", "command": ["/speaker"] }] },
            "status": {
                "conditions": [{ "type": "Ready", "status": "True" }],
                "podIPs": [{ "ip": "172.21.5.11" }, { "ip": "fd00:5::11" }],
            },
        });
        change(&mut object);
        mk(object)
    };
    let ready = Speaker {
        node: "n1".to_owned(),
        ready: true,
        ignores_exclusion: false,
        drains_cordoned: false,
        addresses: ["172.21.5.11", "fd00:5::11"].map(|ip| ip.parse().unwrap()).into(),
    };
    let unready = Speaker {
        ready: false,
        ..ready.clone()
    };
    let starting = Speaker {
        node: "n1".to_owned(),
        ..Speaker::default()
    };
    let ignoring = Speaker {
        ignores_exclusion: true,
        ..ready.clone()
    };
    let draining = Speaker {
        drains_cordoned: true,
        ..ready.clone()
    };
    let with_args =
        |args: Value| move |object: &mut Value| object["spec"]["containers"][0]["args"] = args.clone();
    type Row<'a> = (&'a dyn Fn(&mut Value), Option<&'a Speaker>);
    let rows: [Row<'_>; 9] = [
        (&|_| {}, Some(&ready)),
        (
            &|object| object["status"]["conditions"][0]["status"] = "False".into(),
            Some(&unready),
        ),
        (&|object| object["status"] = json!({}), Some(&starting)),
        (
            &|object| object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            Some(&unready),
        ),
        (&|object| object["spec"]["nodeName"] = Value::Null, None),
        (
            &with_args(json!(["--port=9120", "--ignore-exclude-lb"])),
            Some(&ignoring),
        ),
        (&with_args(json!(["--ignore-exclude-lb=true"])), Some(&ignoring)),
        (&with_args(json!(["--drain-cordoned"])), Some(&draining)),
        (&with_args(json!(["--ignore-exclude-lb=false"])), Some(&ready)),
    ];
    for (number, (change, expected)) in rows.into_iter().enumerate() {
        let fact = Fact::Speaker("speaker-1".to_owned(), expected.cloned());
        assert_eq!(speaker(&mk_pod(change)), fact, "row {number}");
    }
}

#[test]
fn metallbs_speakers_are_known_by_their_labels_and_readiness() {
    let manifests = json!({ "app": "metallb", "component": "speaker" });
    let chart = json!({ "app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "speaker" });
    let renamed = json!({ "app.kubernetes.io/name": "lb", "app.kubernetes.io/component": "speaker" });
    let ours = json!({ "app": "metallb", "component": "speaker", "cortenlb.io/component": "speaker" });
    let controller = json!({ "app": "metallb", "component": "controller" });
    let leaving = Some("2026-01-01T00:00:00Z");
    let rows = [
        (&manifests, "True", None, true),
        (&chart, "True", None, true),
        (&renamed, "True", None, true),
        // It answers until its containers have ended.
        (&manifests, "True", leaving, true),
        (&manifests, "False", None, false),
        (&manifests, "Unknown", None, false),
        (&ours, "True", None, false),
        (&controller, "True", None, false),
        (&json!({}), "True", None, false),
    ];
    for (number, (labels, ready, deleted, answers)) in rows.into_iter().enumerate() {
        let pod = serde_json::from_value(json!({
            "metadata": { "name": "speaker-1", "labels": labels, "deletionTimestamp": deleted },
            "spec": { "containers": [{ "name": "speaker", "env": [{ "name": "METALLB_POD_NAME" }] }] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }));
        let fact = Fact::Rival("speaker-1".to_owned(), answers.then_some(()));
        assert_eq!(rival(&pod.unwrap()), fact, "row {number}");
    }
}

/// Another chart's component may be called so as well.
#[test]
fn a_speaker_of_another_name_without_metallbs_variables_is_somebody_elses() {
    let pod = |variables: Value| -> core_v1::Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "speaker-1",
                "labels": { "app.kubernetes.io/name": "choir", "app.kubernetes.io/component": "speaker" },
            },
            "spec": { "containers": [{ "name": "speaker", "env": variables }] },
        }))
        .unwrap()
    };
    assert!(!is_metallbs(&pod(json!([{ "name": "POD_NAME" }])), "speaker"));
    assert!(!is_metallbs(&pod(json!(null)), "speaker"));
    assert!(is_metallbs(
        &pod(json!([{ "name": "METALLB_POD_NAME" }])),
        "speaker"
    ));
    assert!(!is_metallbs(
        &pod(json!([{ "name": "METALLB_POD_NAME" }])),
        "controller"
    ));
}
