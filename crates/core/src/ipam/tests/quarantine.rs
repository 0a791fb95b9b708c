use std::time::Duration;

use super::*;

const TIME: Duration = Duration::from_secs(600);

fn available(allocator: &Allocator) -> u128 {
    allocator.usage("a", Family::V4).unwrap().available()
}

#[test]
fn who_asks_for_nothing_special_gets_another_address_and_nobody_the_old_one() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/30"])]);
    assert_eq!(ask(&mut allocator, "s", mk_request()), "10.0.0.0 (a)");
    allocator.quarantine(ip("10.0.0.0"), TIME);
    assert_eq!(
        held(&allocator, "s"),
        "10.0.0.0 (a)",
        "nobody has said that it is to move"
    );
    assert!(allocator.replace(&key("s")));
    assert_eq!(held(&allocator, "s"), "10.0.0.1 (a)");
    assert!(!allocator.replace(&key("s")), "that one is its own");
    assert_eq!(ask(&mut allocator, "t", mk_request()), "10.0.0.2 (a)");
    assert_eq!(ask(&mut allocator, "u", mk_request()), "10.0.0.3 (a)");
    assert_eq!(ask(&mut allocator, "v", mk_request()), "-");
    assert_eq!(available(&allocator), 0);
    assert_eq!(allocator.poll_timeout(), Some(Instant(0) + TIME));
    allocator.advance(Instant(0) + TIME);
    assert_eq!(held(&allocator, "v"), "10.0.0.0 (a)");
    assert_eq!(allocator.poll_timeout(), None);
}

#[test]
fn who_asks_for_it_by_name_has_it() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/30"])]);
    let named = || Request {
        addresses: vec![ip("10.0.0.0")],
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", named()), "10.0.0.0 (a)");
    allocator.quarantine(ip("10.0.0.0"), TIME);
    assert!(!allocator.replace(&key("s")));
    allocator.release(&key("s"));
    assert_eq!(available(&allocator), 3);
    assert_eq!(ask(&mut allocator, "t", named()), "10.0.0.0 (a)");
}

#[test]
fn what_is_reserved_stays_with_who_may_have_it() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/30"])]);
    let reservation = Reservation {
        created: 0,
        pool: "a".to_owned(),
        family: Family::V4,
        address: None,
        services: ["s".to_owned()].into(),
        retain: true,
        recorded: None,
    };
    allocator.set_reservation(&ReservationKey::new("ns", "r"), Some(reservation));
    assert_eq!(ask(&mut allocator, "s", mk_request()), "10.0.0.0 (a)");
    allocator.quarantine(ip("10.0.0.0"), TIME);
    assert!(!allocator.replace(&key("s")));
}

#[test]
fn where_there_is_no_other_address_nothing_changes() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/32"])]);
    ask(&mut allocator, "s", mk_request());
    allocator.quarantine(ip("10.0.0.0"), TIME);
    assert!(!allocator.replace(&key("s")));
    assert_eq!(held(&allocator, "s"), "10.0.0.0 (a)");
    assert_eq!(refused(&allocator, "s"), "-");
}

#[test]
fn of_two_families_the_other_one_stays() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/30", "fd00::/126"])]);
    let both = Request {
        families: Families::Dual,
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", both), "10.0.0.0 fd00:: (a)");
    allocator.quarantine(ip("fd00::"), TIME);
    assert!(allocator.replace(&key("s")));
    assert_eq!(held(&allocator, "s"), "10.0.0.0 fd00::1 (a)");
}

#[test]
fn it_is_not_shared_unasked_and_outlives_its_pool() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/31"])]);
    let sharing = |port| Request {
        terms: mk_terms("k", port),
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "s", sharing(80)), "10.0.0.0 (a)");
    allocator.quarantine(ip("10.0.0.0"), TIME);
    assert_eq!(ask(&mut allocator, "t", sharing(443)), "10.0.0.1 (a)");
    allocator.release(&key("s"));
    allocator.set_pools(BTreeMap::new());
    allocator.set_pools(mk_pools([mk_spec("a", &["10.0.0.0/31"])]));
    assert_eq!(available(&allocator), 0);
    assert_eq!(ask(&mut allocator, "u", mk_request()), "-");
}

#[test]
fn who_could_share_it_is_told_when_its_time_is_over() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/32"])]);
    let sharing = |port| Request {
        terms: mk_terms("k", port),
        ..mk_request()
    };
    ask(&mut allocator, "s", sharing(80));
    allocator.quarantine(ip("10.0.0.0"), TIME);
    assert_eq!(ask(&mut allocator, "t", sharing(443)), "-");
    allocator.advance(Instant(0) + TIME);
    assert_eq!(held(&allocator, "t"), "10.0.0.0 (a)");
}
