use std::time::Duration;

use serde_json::json;

use super::*;

fn mk_pool(spec: serde_json::Value) -> IPAddressPool {
    serde_json::from_value(json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": "p", "namespace": "metallb-system", "creationTimestamp": "1970-01-01T00:01:00Z" },
        "spec": spec,
    }))
    .unwrap()
}

#[test]
fn every_field_is_read() {
    let selector = json!({ "matchLabels": { "a": "b" } });
    let object = mk_pool(json!({
        "addresses": ["10.0.0.0/24", "fd00::1 - fd00::9"],
        "autoAssign": false,
        "avoidBuggyIPs": true,
        "serviceAllocation": {
            "priority": 7,
            "namespaces": ["x"],
            "namespaceSelectors": [selector],
            "serviceSelectors": [selector, selector],
        },
    }));
    let parsed = LabelSelector::from_labels(&[("a", "b")].into());
    let expected = Pool::new(PoolSpec {
        name: "p".into(),
        created: 60,
        addresses: vec!["10.0.0.0/24".into(), "fd00::1-fd00::9".into()],
        auto_assign: false,
        avoid_buggy_ips: true,
        allocation: Some(Allocation {
            priority: 7,
            namespaces: ["x".to_owned()].into(),
            namespace_selectors: vec![parsed.clone()],
            service_selectors: vec![parsed.clone(), parsed],
        }),
        cool_down: Duration::ZERO,
    });
    assert_eq!(pool(&object), expected);
}

#[test]
fn the_cool_down_is_a_duration_as_go_writes_them() {
    let with = |text: &str| {
        let mut object = mk_pool(json!({ "addresses": ["10.0.0.0/24"] }));
        object.metadata.annotations = Some([("cortenlb.io/cool-down".to_owned(), text.to_owned())].into());
        object
    };
    let rows = [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("5m", 300),
        ("5m0s", 300),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1h0.5m", 3630),
        ("5000000000000000h", 18_000_000_000_000_000_000),
    ];
    for (text, seconds) in rows {
        assert_eq!(cool_down(&with(text)), Ok(Duration::from_secs(seconds)), "{text}");
        assert_eq!(
            pool(&with(text)).unwrap().cool_down().as_secs(),
            seconds,
            "{text}"
        );
    }
    let nonsense = [
        "5",
        "",
        "-5m",
        "5m-3m",
        "five minutes",
        "1d",
        "99999999999999999h",
        "5000000000000000h5000000000000000h",
        "18446744073709551615s1s",
    ];
    for text in nonsense {
        let error = cool_down(&with(text)).unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?} is no duration")), "{error}");
        assert!(pool(&with(text)).unwrap().cool_down().is_zero(), "{text}");
    }
}

#[test]
fn defaults_are_those_of_the_api() {
    let pool = pool(&mk_pool(json!({ "addresses": ["10.0.0.0/24"] }))).unwrap();
    assert!(pool.auto_assign() && !pool.avoid_buggy_ips() && !pool.is_pinned());
}

#[test]
fn all_that_is_wrong_is_named() {
    let object = mk_pool(json!({
        "addresses": ["10.0.0.1"],
        "serviceAllocation": {
            "namespaceSelectors": [{ "matchExpressions": [{ "key": "k", "operator": "Is" }] }],
        },
    }));
    let errors: Vec<String> = pool(&object)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors.len(), 2);
    assert!(
        errors[0].starts_with("spec.addresses[0]: invalid CIDR \"10.0.0.1\""),
        "{errors:?}"
    );
    assert!(
        errors[1].starts_with("spec.serviceAllocation.namespaceSelectors[0]: \"Is\""),
        "{errors:?}"
    );
}
