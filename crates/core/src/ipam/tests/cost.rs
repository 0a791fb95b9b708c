//! A change costs those whom it concerns, however many wait.

use super::*;

fn single(family: Family, created: i64) -> Request {
    Request {
        created,
        families: Families::Single(family),
        ..mk_request()
    }
}

fn dual(created: i64) -> Request {
    Request {
        created,
        families: Families::Dual,
        ..mk_request()
    }
}

/// A pool with one address of each family, which `four` and `six` hold.
fn mk_full() -> Allocator {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32", "fd00::/128"])]);
    assert_eq!(ask(&mut allocator, "four", single(Family::V4, 0)), "10.0.0.0 (p)");
    assert_eq!(ask(&mut allocator, "six", single(Family::V6, 0)), "fd00:: (p)");
    allocator.take_changed();
    allocator
}

/// Who has changed by the release of `name`, the first few of them, and in how many steps.
fn told_of_release(allocator: &mut Allocator, name: &str) -> (Vec<String>, usize) {
    let steps = steps(|| allocator.release(&key(name)));
    let mut changed = names(allocator.take_changed());
    changed.truncate(4);
    (changed, steps)
}

#[test]
fn ten_thousand_that_need_both_families_cost_nothing_until_both_are_free() {
    let by_name = |created| Request {
        pool: Some("p".to_owned()),
        ..dual(created)
    };
    for request in [dual, by_name as fn(i64) -> Request] {
        let mut allocator = mk_full();
        for number in 1..=10_000 {
            ask(&mut allocator, &format!("d{number:05}"), request(number));
        }
        let text = refused(&allocator, "d00001");
        allocator.take_changed();
        let (changed, steps) = told_of_release(&mut allocator, "four");
        assert_eq!(changed, ["four"]);
        assert!(steps < 50, "{steps} steps for an address that is of no use alone");
        // Nor when it is the other one.
        ask(&mut allocator, "four", single(Family::V4, 0));
        allocator.take_changed();
        let (changed, steps) = told_of_release(&mut allocator, "six");
        assert_eq!(changed, ["six"]);
        assert!(steps < 50, "{steps} steps for an address that is of no use alone");
        assert_eq!(refused(&allocator, "d00001"), text);
        let (changed, steps) = told_of_release(&mut allocator, "four");
        assert_eq!(changed, ["d00001", "four"], "the oldest that waits");
        assert!(steps < 50, "{steps} steps to serve one");
        assert_eq!(held(&allocator, "d00001"), "10.0.0.0 fd00:: (p)");
        assert_eq!(refused(&allocator, "d10000"), text);
    }
}

#[test]
fn who_needs_one_family_does_not_stand_behind_those_who_need_both() {
    let mut allocator = mk_full();
    for number in 1..=1_000 {
        ask(&mut allocator, &format!("d{number:04}"), dual(number));
    }
    ask(&mut allocator, "young4", single(Family::V4, 5_000));
    ask(&mut allocator, "younger4", single(Family::V4, 5_001));
    allocator.take_changed();
    let (changed, steps) = told_of_release(&mut allocator, "four");
    assert_eq!(changed, ["four", "young4"]);
    assert!(steps < 50, "{steps} steps");
    assert_eq!(held(&allocator, "young4"), "10.0.0.0 (p)");
    // The other family is free as well now: the oldest of all is served, and needs both.
    assert_eq!(told_of_release(&mut allocator, "six").0, ["six"]);
    let (changed, steps) = told_of_release(&mut allocator, "young4");
    assert_eq!(changed, ["d0001", "young4"]);
    assert!(steps < 50, "{steps} steps");
    // Both are free at once: the younger one has nothing by that.
    assert_eq!(told_of_release(&mut allocator, "d0001").0, ["d0001", "d0002"]);
    assert_eq!(held(&allocator, "younger4"), "-");
}

#[test]
fn the_oldest_of_those_who_can_be_served_is_served_whatever_it_needs() {
    let mut allocator = mk_full();
    ask(&mut allocator, "b-four", single(Family::V4, 2));
    ask(&mut allocator, "c-both", dual(3));
    ask(
        &mut allocator,
        "d-either",
        Request {
            families: Families::Prefer { primary: Family::V4 },
            ..dual(4)
        },
    );
    allocator.release(&key("four"));
    assert_eq!(held(&allocator, "b-four"), "10.0.0.0 (p)");
    // It needs both, and the next one takes either.
    allocator.release(&key("six"));
    assert_eq!(held(&allocator, "c-both"), "-");
    assert_eq!(held(&allocator, "d-either"), "fd00:: (p)");
    // Of the one who holds one and prefers both and the one who needs both only the first can have it.
    allocator.release(&key("b-four"));
    assert_eq!(held(&allocator, "d-either"), "10.0.0.0 fd00:: (p)");
    allocator.release(&key("d-either"));
    assert_eq!(held(&allocator, "c-both"), "10.0.0.0 fd00:: (p)");
}

#[test]
fn who_has_one_family_from_elsewhere_waits_for_the_other_alone() {
    let mut allocator = mk_full();
    // It holds the one.
    ask(&mut allocator, "four", dual(1));
    assert_eq!(held(&allocator, "four"), "10.0.0.0 (p)");
    allocator.release(&key("six"));
    assert_eq!(held(&allocator, "four"), "10.0.0.0 fd00:: (p)");
    // It may share the one.
    let sharing = |port, request: Request| Request {
        terms: mk_terms("k", port),
        ..request
    };
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32", "fd00::/128"])]);
    ask(&mut allocator, "four", sharing(80, single(Family::V4, 0)));
    ask(&mut allocator, "six", single(Family::V6, 0));
    assert_eq!(ask(&mut allocator, "s", sharing(81, dual(1))), "-");
    allocator.release(&key("six"));
    assert_eq!(held(&allocator, "s"), "10.0.0.0 fd00:: (p)");
}

#[test]
fn a_refusal_names_all_families_that_are_missing_and_stays_true() {
    let rows = [
        (
            dual(1),
            "no available IPs: pool \"p\" has not both an IPv4 and an IPv6 address free",
        ),
        (
            Request {
                pool: Some("p".to_owned()),
                ..dual(1)
            },
            "no available IPs in pool p for IPv4 and IPv6 IPFamily",
        ),
        (
            Request {
                families: Families::Prefer { primary: Family::V6 },
                ..dual(1)
            },
            "no available IPs: pool \"p\" has no free IPv4 or IPv6 address",
        ),
    ];
    for (request, expected) in rows {
        let mut allocator = mk_full();
        ask(&mut allocator, "s", request);
        assert_eq!(refused(&allocator, "s"), expected);
    }
    // What the pool never had is all that there is to say.
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32"])]);
    ask(&mut allocator, "four", mk_request());
    ask(&mut allocator, "s", dual(1));
    assert_eq!(
        refused(&allocator, "s"),
        "no available IPs: pool \"p\" has no IPv6 addresses"
    );
}

/// A pool for the Services of namespace `tenant` alone.
fn mk_pool_of(tenant: usize, addresses: &[&str]) -> PoolSpec {
    PoolSpec {
        allocation: Some(Allocation {
            namespaces: [format!("t{tenant:03}")].into(),
            ..Allocation::default()
        }),
        ..mk_spec(&format!("p{tenant:03}"), addresses)
    }
}

#[test]
fn a_pool_that_comes_concerns_only_those_whom_it_would_serve() {
    const TENANTS: usize = 100;
    const OF_EACH: usize = 10;
    let service =
        |tenant: usize, number: usize| ServiceKey::new(format!("t{tenant:03}"), format!("s{number}"));
    let mut pools = vec![mk_spec("full", &["10.1.0.0/32"])];
    let mut allocator = mk_allocator(pools.clone());
    ask(&mut allocator, "holder", mk_request());
    for tenant in 0..TENANTS {
        for number in 0..OF_EACH {
            let created = number as i64;
            allocator.request(
                &service(tenant, number),
                Request {
                    created,
                    ..mk_request()
                },
            );
        }
    }
    allocator.take_changed();
    let steps = steps(|| {
        for tenant in 0..TENANTS {
            pools.push(mk_pool_of(tenant, &[&format!("10.0.{tenant}.0/32")]));
            allocator.set_pools(mk_pools(pools.iter().cloned()));
            let changed = allocator.take_changed();
            assert_eq!(
                changed,
                (0..OF_EACH).map(|number| service(tenant, number)).collect()
            );
            assert!(allocator.assignment(&service(tenant, 0)).is_some(), "the oldest");
            assert!(allocator.assignment(&service(tenant, 1)).is_none());
        }
    });
    // Whether the pool is for it is asked once of each that waits; the other pools are looked at for ten alone.
    let most = TENANTS * (TENANTS * OF_EACH) + TENANTS * OF_EACH * 2 * TENANTS;
    assert!(steps < most, "{steps} steps");
}

#[test]
fn a_pool_that_goes_or_no_longer_serves_them_is_news_for_those_who_waited_for_it() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/32"]), mk_spec("b", &["10.0.1.0/32"])]);
    for name in ["1", "2", "w"] {
        ask(&mut allocator, name, mk_request());
    }
    let full = |pools: &[&str]| {
        let texts = pools
            .iter()
            .map(|pool| format!("pool {pool:?} has no free IPv4 address"));
        format!("no available IPs: {}", texts.collect::<Vec<_>>().join("; "))
    };
    assert_eq!(refused(&allocator, "w"), full(&["a", "b"]));
    let theirs = PoolSpec {
        name: "b".into(),
        ..mk_pool_of(0, &["10.0.1.0/32"])
    };
    allocator.set_pools(mk_pools([mk_spec("a", &["10.0.0.0/32"]), theirs.clone()]));
    assert_eq!(refused(&allocator, "w"), full(&["a"]));
    allocator.set_pools(mk_pools([theirs]));
    assert!(refused(&allocator, "w").contains("no serviceAllocation of those that there are"));
    allocator.set_pools(mk_pools([mk_spec("b", &["10.0.1.0/32"])]));
    assert_eq!(refused(&allocator, "w"), full(&["b"]));
}
