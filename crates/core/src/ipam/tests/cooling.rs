use std::time::Duration;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn mk_cool(addresses: &[&str]) -> PoolSpec {
    PoolSpec {
        cool_down: MINUTE,
        ..mk_spec("a", addresses)
    }
}

fn usage(allocator: &Allocator) -> (u128, u128, u128) {
    let usage = allocator.usage("a", Family::V4).unwrap();
    (usage.available(), usage.assigned, usage.withheld)
}

#[test]
fn a_freed_address_is_given_to_nobody_else_for_that_long() {
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/31"])]);
    assert_eq!(ask(&mut allocator, "s", mk_request()), "10.0.0.0 (a)");
    allocator.release(&key("s"));
    assert_eq!(usage(&allocator), (1, 0, 1));
    assert_eq!(ask(&mut allocator, "t", mk_request()), "10.0.0.1 (a)");
    assert_eq!(ask(&mut allocator, "u", mk_request()), "-");
    assert_eq!(allocator.poll_timeout(), Some(Instant(0) + MINUTE));
    allocator.advance(Instant(0) + MINUTE / 2);
    assert_eq!(held(&allocator, "u"), "-");
    allocator.advance(Instant(0) + MINUTE);
    assert_eq!(held(&allocator, "u"), "10.0.0.0 (a)");
    assert_eq!((usage(&allocator), allocator.poll_timeout()), ((0, 2, 0), None));
}

#[test]
fn who_had_it_gets_it_back() {
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/30"])]);
    for name in ["r", "s", "t"] {
        ask(&mut allocator, name, mk_request());
    }
    allocator.release(&key("s"));
    allocator.release(&key("r"));
    assert_eq!(ask(&mut allocator, "u", mk_request()), "10.0.0.3 (a)");
    assert_eq!(ask(&mut allocator, "s", mk_request()), "10.0.0.1 (a)");
}

#[test]
fn an_explicit_request_takes_it() {
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/30"])]);
    ask(&mut allocator, "s", mk_request());
    allocator.release(&key("s"));
    let asked = Request {
        addresses: vec![ip("10.0.0.0")],
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "t", asked), "10.0.0.0 (a)");
    assert!(allocator.cooling("a").is_empty());
}

#[test]
fn an_address_that_was_changed_for_another_cools_down_too() {
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/30"])]);
    ask(&mut allocator, "s", mk_request());
    let asked = Request {
        addresses: vec![ip("10.0.0.2")],
        ..mk_request()
    };
    ask(&mut allocator, "s", asked);
    assert_eq!(ask(&mut allocator, "t", mk_request()), "10.0.0.1 (a)");
    let [(address, cooling)] = &allocator.cooling("a")[..] else {
        panic!("one address cools down");
    };
    assert_eq!((*address, &cooling.former), (ip("10.0.0.0"), &key("s")));
}

#[test]
fn a_shared_address_cools_down_when_the_last_has_left() {
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/31"])]);
    for (name, port) in [("s", 80), ("t", 443)] {
        let terms = mk_terms("k", port);
        let request = Request {
            terms,
            ..mk_request()
        };
        assert_eq!(ask(&mut allocator, name, request), "10.0.0.0 (a)");
    }
    allocator.release(&key("s"));
    assert_eq!(usage(&allocator), (1, 1, 0));
    allocator.release(&key("t"));
    assert_eq!(usage(&allocator), (1, 0, 1));
}

#[test]
fn what_cooled_down_before_a_restart_goes_on_and_no_longer_than_the_pool_says() {
    let cooling = |seconds| Cooling {
        former: key("s"),
        until: Instant(0) + Duration::from_secs(seconds),
    };
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/30"])]);
    allocator.resume_cool_down(ip("10.0.0.0"), cooling(30));
    // A clock that was set back must not keep an address for ever.
    allocator.resume_cool_down(ip("10.0.0.1"), cooling(1_000_000));
    allocator.resume_cool_down(ip("192.0.2.1"), cooling(30));
    assert_eq!(usage(&allocator), (2, 0, 2));
    allocator.advance(Instant(0) + MINUTE / 2);
    assert_eq!(usage(&allocator), (3, 0, 1));
    allocator.advance(Instant(0) + MINUTE);
    assert_eq!(usage(&allocator), (4, 0, 0));
}

#[test]
fn a_shorter_cool_down_holds_for_what_cools_down_already() {
    let mut allocator = mk_allocator([mk_cool(&["10.0.0.0/31"])]);
    ask(&mut allocator, "s", mk_request());
    allocator.release(&key("s"));
    let shorter = PoolSpec {
        cool_down: MINUTE / 2,
        ..mk_cool(&["10.0.0.0/31"])
    };
    allocator.set_pools(mk_pools([shorter]));
    assert_eq!(allocator.poll_timeout(), Some(Instant(0) + MINUTE / 2));
    allocator.set_pools(mk_pools([mk_spec("a", &["10.0.0.0/31"])]));
    assert_eq!(usage(&allocator), (2, 0, 0));
}
