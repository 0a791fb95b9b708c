use super::*;

#[test]
fn first_fit_follows_the_list_and_then_the_next_pool_by_name() {
    let mut allocator = mk_allocator([
        mk_spec("b", &["10.0.1.0/31"]),
        mk_spec("a", &["10.0.0.9-10.0.0.9", "10.0.0.1-10.0.0.2"]),
    ]);
    let got: Vec<String> = ["1", "2", "3", "4", "5", "6"]
        .into_iter()
        .map(|name| ask(&mut allocator, name, mk_request()))
        .collect();
    assert_eq!(
        got,
        [
            "10.0.0.9 (a)",
            "10.0.0.1 (a)",
            "10.0.0.2 (a)",
            "10.0.1.0 (b)",
            "10.0.1.1 (b)",
            "-"
        ]
    );
    assert_eq!(
        refused(&allocator, "6"),
        "no available IPs: pool \"a\" has no free IPv4 address; pool \"b\" has no free IPv4 address"
    );
}

#[test]
fn avoid_buggy_ips_skips_zero_and_255_and_refuses_them() {
    let spec = PoolSpec {
        avoid_buggy_ips: true,
        ..mk_spec("p", &["10.0.0.254-10.0.1.1"])
    };
    let mut allocator = mk_allocator([spec]);
    assert_eq!(ask(&mut allocator, "1", mk_request()), "10.0.0.254 (p)");
    assert_eq!(ask(&mut allocator, "2", mk_request()), "10.0.1.1 (p)");
    assert_eq!(
        ask(
            &mut allocator,
            "3",
            Request {
                addresses: vec![ip("10.0.0.255")],
                ..mk_request()
            }
        ),
        "-"
    );
    assert_eq!(
        refused(&allocator, "3"),
        "[\"10.0.0.255\"] is not allowed in config: no valid IPAddressPool contains it"
    );
    let usage = allocator.usage("p", Family::V4).unwrap();
    assert_eq!(
        usage,
        Usage {
            total: 2,
            assigned: 2,
            withheld: 0,
        }
    );
}

#[test]
fn an_address_asked_for_is_given_also_without_auto_assign() {
    let mut allocator = mk_allocator([PoolSpec {
        auto_assign: false,
        ..mk_spec("manual", &["10.0.0.0/24"])
    }]);
    assert_eq!(ask(&mut allocator, "auto", mk_request()), "-");
    assert_eq!(
        refused(&allocator, "auto"),
        "no available IPs: pool \"manual\" is not assigned automatically (autoAssign)"
    );
    let asked = Request {
        addresses: vec![ip("10.0.0.77")],
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "asked", asked), "10.0.0.77 (manual)");
    let pool = Request {
        pool: Some("manual".into()),
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "pool", pool), "10.0.0.0 (manual)");
}

#[test]
fn requests_that_cannot_be_met_say_why_in_metallbs_words() {
    let only_others = Allocation {
        namespaces: ["other".to_owned()].into(),
        ..Allocation::default()
    };
    let mut allocator = mk_allocator([
        mk_spec("a", &["10.0.0.0/32"]),
        mk_spec("b", &["10.0.1.0/24"]),
        PoolSpec {
            allocation: Some(only_others),
            ..mk_spec("c", &["10.0.2.0/24"])
        },
    ]);
    ask(&mut allocator, "holder", mk_request());
    let address = |text: &str| Request {
        addresses: vec![ip(text)],
        ..mk_request()
    };
    let pool = |name: &str| Request {
        pool: Some(name.into()),
        ..mk_request()
    };
    let rows = [
        (
            address("10.9.9.9"),
            "[\"10.9.9.9\"] is not allowed in config: no valid IPAddressPool contains it",
        ),
        (
            address("fd00::1"),
            "requested loadBalancer IP(s) [\"fd00::1\"] does not match the ipFamily of the service",
        ),
        (
            Request {
                pool: Some("a".into()),
                ..address("10.0.1.1")
            },
            "requested loadBalancer IP(s) [\"10.0.1.1\"] is not compatible with requested address pool a: it belongs \
             to pool b",
        ),
        (
            address("10.0.2.1"),
            "pool c not compatible for ip assignment: its serviceAllocation does not select this service",
        ),
        (
            pool("c"),
            "pool c not compatible for ip assignment: its serviceAllocation does not select this service",
        ),
        (pool("x"), "unknown pool \"x\""),
        (pool("a"), "no available IPs in pool a for IPv4 IPFamily"),
        (
            address("10.0.0.0"),
            "can't change sharing key for \"ns/s\", address also in use by ns/holder",
        ),
        (
            Request {
                families: Families::Single(Family::V6),
                ..mk_request()
            },
            "no available IPs: pool \"a\" has no IPv6 addresses; pool \"b\" has no IPv6 addresses",
        ),
    ];
    for (request, expected) in rows {
        assert_eq!(ask(&mut allocator, "s", request), "-");
        assert_eq!(refused(&allocator, "s"), expected);
    }
    assert_eq!(held(&allocator, "holder"), "10.0.0.0 (a)");
    let mut empty = mk_allocator([]);
    ask(&mut empty, "s", mk_request());
    assert_eq!(
        refused(&empty, "s"),
        "no available IPs: there is no valid IPAddressPool for this service"
    );
}

#[test]
fn pools_of_others_are_not_named_and_change_nothing_for_those_who_wait() {
    let theirs = |name: &str| PoolSpec {
        allocation: Some(Allocation {
            namespaces: ["theirs".to_owned()].into(),
            ..Allocation::default()
        }),
        ..mk_spec(name, &["10.0.1.0/24"])
    };
    let waits = |there: &[PoolSpec], expected: &str| {
        let mut allocator = mk_allocator(there.iter().cloned());
        ask(&mut allocator, "1", mk_request());
        ask(&mut allocator, "2", mk_request());
        assert_eq!(refused(&allocator, "2"), expected);
        allocator.take_changed();
        let another = PoolSpec {
            addresses: vec!["10.0.2.0/24".to_owned()],
            ..theirs("another")
        };
        let pools = mk_pools(there.iter().cloned().chain([another]));
        for pools in [pools, mk_pools(there.iter().cloned())] {
            allocator.set_pools(pools);
            assert_eq!(names(allocator.take_changed()), Vec::<String>::new());
            assert_eq!(refused(&allocator, "2"), expected);
        }
    };
    let none = "no available IPs: there is no valid IPAddressPool for this service";
    let not_selected = format!(
        "{none}; no serviceAllocation of those that there are selects it: compare their namespaces, namespaceSelectors \
         and serviceSelectors with its namespace and with the labels of both"
    );
    waits(&[theirs("t")], &not_selected);
    waits(
        &[mk_spec("p", &["10.0.0.0/32"])],
        "no available IPs: pool \"p\" has no free IPv4 address",
    );
    // Whether there is any at all is told.
    let mut allocator = mk_allocator([]);
    ask(&mut allocator, "s", mk_request());
    assert_eq!(refused(&allocator, "s"), none);
    allocator.set_pools(mk_pools([theirs("t")]));
    assert_eq!(refused(&allocator, "s"), not_selected);
    allocator.set_pools(mk_pools([]));
    assert_eq!(refused(&allocator, "s"), none);
}

#[test]
fn a_refusal_names_eight_pools_at_the_most() {
    let specs = (0..200).map(|number| mk_spec(&format!("{}{number:03}", "p".repeat(250)), &["10.0.0.0/32"]));
    let specs = specs.enumerate().map(|(number, spec)| PoolSpec {
        addresses: vec![format!("10.0.{number}.0/32")],
        auto_assign: false,
        ..spec
    });
    let mut allocator = mk_allocator(specs);
    ask(&mut allocator, "s", mk_request());
    let text = refused(&allocator, "s");
    assert!(text.ends_with("; and 192 more"), "{text}");
    assert!(text.len() < 3_000, "{}", text.len());
}

#[test]
fn pinned_pools_come_first_by_priority_and_zero_is_last() {
    let pinned = |name: &str, addresses: &str, priority| PoolSpec {
        allocation: Some(Allocation {
            priority,
            namespaces: ["ns".to_owned()].into(),
            ..Allocation::default()
        }),
        ..mk_spec(name, &[addresses])
    };
    let mut allocator = mk_allocator([
        mk_spec("a-open", &["10.0.0.0/32"]),
        pinned("b-zero", "10.0.1.0/32", 0),
        pinned("c-twenty", "10.0.2.0/32", 20),
        pinned("d-one", "10.0.3.0/32", 1),
    ]);
    let got: Vec<String> = ["1", "2", "3", "4"]
        .into_iter()
        .map(|name| ask(&mut allocator, name, mk_request()))
        .collect();
    assert_eq!(
        got,
        [
            "10.0.3.0 (d-one)",
            "10.0.2.0 (c-twenty)",
            "10.0.1.0 (b-zero)",
            "10.0.0.0 (a-open)"
        ]
    );
}

#[test]
fn dual_stack_follows_the_policy() {
    let specs = || {
        [
            mk_spec("a-six", &["fd00:a::/126"]),
            mk_spec("b-four", &["10.0.1.0/30"]),
            mk_spec("c-both", &["10.0.2.0/32", "fd00:c::/126"]),
        ]
    };
    let dual = || Request {
        families: Families::Dual,
        ..mk_request()
    };
    let prefer = |primary| Request {
        families: Families::Prefer { primary },
        ..mk_request()
    };
    let mut allocator = mk_allocator(specs());
    assert_eq!(ask(&mut allocator, "1", dual()), "10.0.2.0 fd00:c:: (c-both)");
    // No pool has both any more.
    assert_eq!(ask(&mut allocator, "2", dual()), "-");
    assert_eq!(ask(&mut allocator, "3", prefer(Family::V4)), "10.0.1.0 (b-four)");
    assert_eq!(ask(&mut allocator, "4", prefer(Family::V6)), "fd00:a:: (a-six)");
    // Both addresses must come from one pool.
    let asked = Request {
        addresses: vec![ip("10.0.1.3"), ip("fd00:a::3")],
        ..dual()
    };
    assert_eq!(ask(&mut allocator, "5", asked), "-");
    assert!(refused(&allocator, "5").contains("is not allowed in config"));
    let one_of_two = Request {
        addresses: vec![ip("10.0.1.3")],
        ..prefer(Family::V4)
    };
    assert_eq!(ask(&mut allocator, "6", one_of_two), "-");
    assert!(refused(&allocator, "6").contains("does not match the ipFamily"));
}

#[test]
fn a_change_of_families_keeps_the_address_that_still_fits() {
    let mut allocator = mk_allocator([
        mk_spec("a", &["10.0.0.0/30", "fd00:a::/126"]),
        mk_spec("b", &["10.0.1.0/30", "fd00:b::/126"]),
    ]);
    let asked = Request {
        pool: Some("b".into()),
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", asked), "10.0.1.0 (b)");
    assert_eq!(
        ask(&mut allocator, "s", mk_request()),
        "10.0.1.0 (b)",
        "the pool is no longer asked for"
    );
    let families = |families| Request {
        families,
        ..mk_request()
    };
    assert_eq!(
        ask(&mut allocator, "s", families(Families::Dual)),
        "10.0.1.0 fd00:b:: (b)"
    );
    assert_eq!(
        ask(&mut allocator, "s", families(Families::Single(Family::V6))),
        "fd00:b:: (b)"
    );
    assert_eq!(
        ask(&mut allocator, "s", families(Families::Single(Family::V4))),
        "10.0.0.0 (a)"
    );
}

#[test]
fn what_is_asked_for_anew_replaces_what_is_held_and_a_failure_changes_nothing() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/31"]), mk_spec("b", &["10.0.1.0/32"])]);
    ask(
        &mut allocator,
        "other",
        Request {
            pool: Some("b".into()),
            ..mk_request()
        },
    );
    assert_eq!(ask(&mut allocator, "s", mk_request()), "10.0.0.0 (a)");
    assert_eq!(
        ask(
            &mut allocator,
            "s",
            Request {
                addresses: vec![ip("10.0.0.1")],
                ..mk_request()
            }
        ),
        "10.0.0.1 (a)"
    );
    allocator.take_changed();
    allocator.take_touched();
    let full = Request {
        pool: Some("b".into()),
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", full), "10.0.0.1 (a)");
    assert_eq!(
        refused(&allocator, "s"),
        "no available IPs in pool b for IPv4 IPFamily"
    );
    assert_eq!(names(allocator.take_changed()), ["s"]);
    assert!(allocator.take_touched().is_empty());
    // It still waits for what it asked for.
    allocator.release(&key("other"));
    assert_eq!(
        (held(&allocator, "s").as_str(), refused(&allocator, "s").as_str()),
        ("10.0.1.0 (b)", "-")
    );
}

#[test]
fn a_pool_that_changes_or_goes_takes_nothing_away() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/24"])]);
    ask(&mut allocator, "s", mk_request());
    ask(&mut allocator, "t", mk_request());
    let steps: [(&str, Vec<PoolSpec>, &str); 5] = [
        ("shrunk", vec![mk_spec("a", &["10.0.0.128/25"])], "10.0.0.0 (a)"),
        ("gone", vec![], "10.0.0.0 (a)"),
        ("renamed", vec![mk_spec("z", &["10.0.0.0/25"])], "10.0.0.0 (z)"),
        (
            "edges",
            vec![PoolSpec {
                avoid_buggy_ips: true,
                auto_assign: false,
                ..mk_spec("a", &["10.0.0.0/24"])
            }],
            "10.0.0.0 (a)",
        ),
        ("back", vec![mk_spec("a", &["10.0.0.0/24"])], "10.0.0.0 (a)"),
    ];
    for (case, specs, expected) in steps {
        allocator.set_pools(mk_pools(specs));
        allocator.request(&key("s"), mk_request());
        assert_eq!(held(&allocator, "s"), expected, "{case}");
        assert_eq!(refused(&allocator, "s"), "-", "{case}");
    }
    // What is held was taken out of the pool when it came back.
    assert_eq!(ask(&mut allocator, "u", mk_request()), "10.0.0.2 (a)");
    assert_eq!(
        allocator.usage("a", Family::V4),
        Some(Usage {
            total: 256,
            assigned: 3,
            withheld: 0,
        })
    );
}
