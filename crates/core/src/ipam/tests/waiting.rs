use super::*;

#[test]
fn the_oldest_who_waits_gets_what_becomes_free_and_nobody_else_changes() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32"])]);
    ask(&mut allocator, "first", mk_request());
    for (name, created) in [("young", 9), ("old", 5), ("middle", 7)] {
        assert_eq!(
            ask(
                &mut allocator,
                name,
                Request {
                    created,
                    ..mk_request()
                }
            ),
            "-"
        );
    }
    allocator.take_changed();
    allocator.release(&key("first"));
    assert_eq!(names(allocator.take_changed()), ["first", "old"]);
    assert_eq!(held(&allocator, "old"), "10.0.0.0 (p)");
    allocator.release(&key("old"));
    assert_eq!(held(&allocator, "middle"), "10.0.0.0 (p)");
}

#[test]
fn who_waits_for_one_address_is_not_woken_by_another() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/31"])]);
    ask(&mut allocator, "1", mk_request());
    ask(&mut allocator, "2", mk_request());
    ask(
        &mut allocator,
        "w",
        Request {
            addresses: vec![ip("10.0.0.0")],
            ..mk_request()
        },
    );
    allocator.take_changed();
    allocator.release(&key("2"));
    assert_eq!(names(allocator.take_changed()), ["2"]);
    allocator.release(&key("1"));
    assert_eq!(held(&allocator, "w"), "10.0.0.0 (p)");
}

#[test]
fn each_change_of_pools_helps_those_whom_it_can_help() {
    let mut allocator = mk_allocator([]);
    ask(&mut allocator, "any", mk_request());
    ask(
        &mut allocator,
        "named",
        Request {
            pool: Some("b".into()),
            ..mk_request()
        },
    );
    ask(
        &mut allocator,
        "address",
        Request {
            addresses: vec![ip("10.0.2.7")],
            ..mk_request()
        },
    );
    allocator.set_pools(mk_pools([mk_spec("a", &["10.0.0.0/32"])]));
    assert_eq!(held(&allocator, "any"), "10.0.0.0 (a)");
    assert_eq!(
        (held(&allocator, "named"), held(&allocator, "address")),
        ("-".into(), "-".into())
    );
    allocator.set_pools(mk_pools([
        mk_spec("a", &["10.0.0.0/32"]),
        mk_spec("b", &["10.0.1.0/32"]),
    ]));
    assert_eq!(held(&allocator, "named"), "10.0.1.0 (b)");
    allocator.set_pools(mk_pools([mk_spec("b", &["10.0.1.0/32", "10.0.2.0/24"])]));
    assert_eq!(held(&allocator, "address"), "10.0.2.7 (b)");
    assert_eq!(held(&allocator, "any"), "10.0.0.0 (a)");
}

#[test]
fn labels_of_the_namespace_can_open_a_pool() {
    let prod = Labels::from([("env", "prod")]);
    let allocation = Allocation {
        namespace_selectors: vec![LabelSelector::from_labels(&prod)],
        ..Allocation::default()
    };
    let mut allocator = mk_allocator([PoolSpec {
        allocation: Some(allocation),
        ..mk_spec("p", &["10.0.0.0/31"])
    }]);
    assert_eq!(ask(&mut allocator, "s", mk_request()), "-");
    allocator.set_namespace("other", Some(prod.clone()));
    assert_eq!(held(&allocator, "s"), "-");
    allocator.set_namespace("ns", Some(prod));
    assert_eq!(held(&allocator, "s"), "10.0.0.0 (p)");
    // And a namespace that is no longer selected keeps what it has.
    allocator.set_namespace("ns", None);
    allocator.request(
        &key("s"),
        Request {
            created: 1,
            ..mk_request()
        },
    );
    assert_eq!(held(&allocator, "s"), "10.0.0.0 (p)");
}

#[test]
fn the_second_address_follows_when_the_pool_has_one() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/24"])]);
    let prefer = Request {
        families: Families::Prefer { primary: Family::V4 },
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", prefer.clone()), "10.0.0.0 (p)");
    allocator.set_pools(mk_pools([mk_spec("p", &["10.0.0.0/24", "fd00::/128"])]));
    assert_eq!(held(&allocator, "s"), "10.0.0.0 fd00:: (p)");
    assert_eq!(ask(&mut allocator, "t", prefer), "10.0.0.1 (p)");
    allocator.release(&key("s"));
    assert_eq!(held(&allocator, "t"), "10.0.0.1 fd00:: (p)");
}

#[test]
fn a_pool_that_is_no_longer_for_a_service_gives_it_no_second_address() {
    let only_prod = PoolSpec {
        allocation: Some(Allocation {
            namespaces: ["prod".to_owned()].into(),
            ..Allocation::default()
        }),
        ..mk_spec("p", &["10.0.0.0/24", "fd00::/120"])
    };
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/24", "fd00::/120"])]);
    ask(&mut allocator, "s", mk_request());
    allocator.set_pools(mk_pools([only_prod]));
    let prefer = Request {
        families: Families::Prefer { primary: Family::V4 },
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", prefer), "10.0.0.0 (p)");
    allocator.set_pools(mk_pools([mk_spec("p", &["10.0.0.0/24", "fd00::/120"])]));
    assert_eq!(held(&allocator, "s"), "10.0.0.0 fd00:: (p)");
}

#[test]
fn who_asks_for_nothing_sensible_keeps_what_it_has_and_waits_for_nothing() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/31"])]);
    ask(&mut allocator, "1", mk_request());
    ask(&mut allocator, "2", mk_request());
    ask(&mut allocator, "3", mk_request());
    allocator.withdraw(&key("1"));
    allocator.withdraw(&key("3"));
    allocator.release(&key("2"));
    assert_eq!(
        (held(&allocator, "1").as_str(), held(&allocator, "3").as_str()),
        ("10.0.0.0 (p)", "-")
    );
}
