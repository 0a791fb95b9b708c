use super::*;

fn mk_spec(name: &str, created: i64, addresses: &[&str]) -> PoolSpec {
    PoolSpec {
        name: name.into(),
        created,
        addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
        auto_assign: true,
        ..PoolSpec::default()
    }
}

fn mk_pool(name: &str, created: i64, addresses: &[&str]) -> Pool {
    Pool::new(mk_spec(name, created, addresses)).unwrap()
}

fn mk_labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn errors(addresses: &[&str]) -> Vec<String> {
    let errors = Pool::new(mk_spec("p", 0, addresses)).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn each_error_names_field_and_value() {
    assert_eq!(errors(&[]), ["spec.addresses: pool has no prefixes defined"]);
    assert_eq!(
        errors(&["10.0.0.0/24", "10.0.0.9-10.0.0.1", "10.0.0.128-10.0.1.3"]),
        [
            "spec.addresses[1]: invalid IP range \"10.0.0.9-10.0.0.1\": start IP 10.0.0.9 is after the end IP 10.0.0.1",
            "spec.addresses: CIDR \"10.0.0.128-10.0.1.3\" overlaps with already defined CIDR \"10.0.0.0/24\"",
        ]
    );
}

#[test]
fn of_pools_that_overlap_the_older_is_valid() {
    let (valid, rejected) = resolve([
        mk_pool("newer", 9, &["10.0.5.0/24", "10.0.0.200-10.0.1.5"]),
        mk_pool("old", 1, &["10.0.0.0/24"]),
        // Overlaps only the ignored pool, and is therefore valid.
        mk_pool("newest", 10, &["10.0.5.0/24"]),
        mk_pool("six", 9, &["fd00::/64"]),
    ]);
    assert_eq!(valid.keys().collect::<Vec<_>>(), ["newest", "old", "six"]);
    assert_eq!(rejected.len(), 1);
    assert_eq!(
        rejected[0].to_string(),
        "CIDR 10.0.0.200-10.0.1.5 in pool \"newer\" overlaps with already defined CIDR 10.0.0.0-10.0.0.255 of the \
         older pool \"old\"; pool \"newer\" is ignored until one of them is changed"
    );
}

#[test]
fn equal_age_is_decided_by_name_whatever_the_order() {
    let pools = || {
        [
            mk_pool("b", 1, &["10.0.0.0/24"]),
            mk_pool("a", 1, &["10.0.0.0/25"]),
        ]
    };
    let mut reversed = pools();
    reversed.reverse();
    for pools in [pools(), reversed] {
        let (valid, rejected) = resolve(pools);
        assert_eq!(valid.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(rejected[0].pool, "b");
    }
}

#[test]
fn admission_is_and_between_the_lists_and_or_within() {
    let selector = |key: &str, value: &str| LabelSelector::from_labels(&mk_labels(&[(key, value)]));
    let with = |allocation| {
        Pool::new(PoolSpec {
            allocation: Some(allocation),
            ..mk_spec("p", 0, &["10.0.0.0/24"])
        })
        .unwrap()
    };
    let open = mk_pool("p", 0, &["10.0.0.0/24"]);
    let empty = with(Allocation::default());
    let by_name = with(Allocation {
        namespaces: ["prod".to_owned()].into(),
        ..Allocation::default()
    });
    let by_label = with(Allocation {
        namespace_selectors: vec![selector("env", "prod")],
        ..Allocation::default()
    });
    let both = with(Allocation {
        namespaces: ["prod".to_owned()].into(),
        service_selectors: vec![selector("app", "web"), selector("app", "dns")],
        ..Allocation::default()
    });
    let prod = mk_labels(&[("env", "prod")]);
    let web = mk_labels(&[("app", "web")]);
    let dns = mk_labels(&[("app", "dns")]);
    let none = Labels::new();
    type Row<'a> = (&'a str, &'a Pool, &'a str, Option<&'a Labels>, &'a Labels, bool);
    let rows: &[Row<'_>] = &[
        ("no allocation", &open, "x", None, &none, true),
        ("empty allocation", &empty, "x", None, &none, true),
        ("namespace listed", &by_name, "prod", None, &none, true),
        ("namespace not listed", &by_name, "test", None, &none, false),
        ("namespace label", &by_label, "x", Some(&prod), &none, true),
        ("no such label", &by_label, "x", Some(&none), &none, false),
        ("unknown namespace", &by_label, "x", None, &none, false),
        ("both, first selector", &both, "prod", None, &web, true),
        ("both, second selector", &both, "prod", None, &dns, true),
        ("service does not fit", &both, "prod", None, &none, false),
        ("namespace does not fit", &both, "test", None, &web, false),
    ];
    for (case, pool, namespace, namespace_labels, labels, admitted) in rows {
        assert_eq!(
            pool.admits(namespace, *namespace_labels, labels),
            *admitted,
            "{case}"
        );
    }
}

#[test]
fn priority_zero_is_last() {
    let ranked = |priority| {
        let allocation = Some(Allocation {
            priority,
            ..Allocation::default()
        });
        Pool::new(PoolSpec {
            allocation,
            ..mk_spec("p", 0, &["10.0.0.0/24"])
        })
        .unwrap()
    };
    let mut pools = [ranked(0), ranked(20), ranked(-1), ranked(1)];
    pools.sort_by(|a, b| a.rank().cmp(&b.rank()));
    assert_eq!(pools.map(|pool| pool.rank().1), [-1, 1, 20, 0]);
}
