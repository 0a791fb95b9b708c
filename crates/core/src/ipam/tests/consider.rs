use super::*;

/// What each pool is to a Service that asks so, one line a pool.
fn considered(allocator: &Allocator, name: &str, request: &Request) -> Vec<String> {
    let told = |considered: Considered| match considered {
        Considered::Taken(addresses) => format!("taken {addresses:?}"),
        Considered::Able(addresses) => format!("able {addresses:?}"),
        Considered::Refused(refusal) => refusal.to_string(),
    };
    let pools = allocator.consider(&key(name), request);
    let lines = pools
        .into_iter()
        .map(|(pool, considered)| format!("{pool}: {}", told(considered)));
    lines.collect()
}

fn pinned(name: &str, addresses: &[&str], namespace: &str, priority: i64) -> PoolSpec {
    PoolSpec {
        allocation: Some(Allocation {
            priority,
            namespaces: [namespace.to_owned()].into(),
            ..Allocation::default()
        }),
        ..mk_spec(name, addresses)
    }
}

fn mk_all() -> Allocator {
    mk_allocator([
        mk_spec("a-six", &["fd00::/126"]),
        mk_spec("b-open", &["10.0.0.0/31"]),
        mk_spec("c-more", &["10.0.1.0/31"]),
        PoolSpec {
            auto_assign: false,
            ..mk_spec("asked-for", &["10.0.2.0/31"])
        },
        pinned("late", &["10.0.3.0/31"], "ns", 0),
        pinned("others", &["10.0.4.0/31"], "elsewhere", 1),
    ])
}

#[test]
fn each_pool_says_why_it_gives_nothing_in_the_order_in_which_they_are_tried() {
    let mut allocator = mk_all();
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.3.0 (late)");
    assert_eq!(
        considered(&allocator, "web", &mk_request()),
        [
            "others: its serviceAllocation does not select this service",
            "late: taken [10.0.3.0]",
            "a-six: has no IPv4 addresses",
            "b-open: able [10.0.0.0]",
            "c-more: able [10.0.1.0]",
            "asked-for: is not assigned automatically (autoAssign)",
        ]
    );
    let dual = Request {
        families: Families::Dual,
        ..mk_request()
    };
    assert_eq!(
        considered(&allocator, "two", &dual)[3],
        "b-open: has no IPv6 addresses"
    );
}

#[test]
fn a_full_pool_says_so() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32"])]);
    ask(&mut allocator, "first", mk_request());
    ask(&mut allocator, "second", mk_request());
    assert_eq!(
        considered(&allocator, "second", &mk_request()),
        ["p: has no free IPv4 address"]
    );
}

#[test]
fn what_is_asked_for_leaves_the_other_pools_out() {
    let mut allocator = mk_all();
    ask(
        &mut allocator,
        "web",
        Request {
            pool: Some("b-open".into()),
            ..mk_request()
        },
    );
    let pool = Request {
        pool: Some("asked-for".into()),
        ..mk_request()
    };
    let told = considered(&allocator, "new", &pool);
    assert_eq!(told[1], "late: the service asks for pool \"asked-for\"");
    assert_eq!(told[5], "asked-for: able [10.0.2.0]");
    let address = Request {
        addresses: vec![ip("10.0.0.0")],
        ..mk_request()
    };
    let told = considered(&allocator, "new", &address);
    assert_eq!(
        told[4],
        "c-more: the service asks for [\"10.0.0.0\"], which it does not have"
    );
    assert_eq!(
        told[3],
        "b-open: can't change sharing key for \"ns/new\", address also in use by ns/web"
    );
    let reserved = Request {
        reservations: vec!["mine".into()],
        ..mk_request()
    };
    let told = considered(&allocator, "new", &reserved);
    assert_eq!(told[3], "b-open: the service asks for AddressReservation mine");
}

/// Whoever gets an address gets the first that is able; whoever gets none sees only refusals.
#[test]
fn the_choice_is_the_first_that_is_able() {
    let requests = [
        mk_request(),
        Request {
            families: Families::Single(Family::V6),
            ..mk_request()
        },
        Request {
            families: Families::Dual,
            ..mk_request()
        },
        Request {
            pool: Some("c-more".into()),
            ..mk_request()
        },
        Request {
            addresses: vec![ip("10.0.2.1")],
            ..mk_request()
        },
        Request {
            addresses: vec![ip("10.9.9.9")],
            ..mk_request()
        },
    ];
    for request in requests {
        let mut allocator = mk_all();
        let before = allocator.consider(&key("web"), &request);
        let able = before
            .into_iter()
            .find_map(|(pool, considered)| match considered {
                Considered::Able(addresses) => Some((pool, addresses)),
                _ => None,
            });
        allocator.request(&key("web"), request.clone());
        let held = allocator.assignment(&key("web"));
        let held = held.map(|held| (held.pool.clone(), held.addresses.clone()));
        assert_eq!(held, able, "{request:?}");
    }
}
