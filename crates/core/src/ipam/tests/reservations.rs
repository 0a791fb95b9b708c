use super::*;

fn mk_reservation(services: &[&str]) -> Reservation {
    Reservation {
        created: 0,
        pool: "a".to_owned(),
        family: Family::V4,
        address: None,
        services: services.iter().map(|name| (*name).to_owned()).collect(),
        retain: true,
        recorded: None,
    }
}

fn at(address: &str, services: &[&str]) -> Reservation {
    Reservation {
        address: Some(ip(address)),
        ..mk_reservation(services)
    }
}

fn reserve(allocator: &mut Allocator, name: &str, reservation: Reservation) -> String {
    allocator.set_reservation(&ReservationKey::new("ns", name), Some(reservation));
    standing(allocator, name)
}

/// As `kubectl` shows it, with the reason while it is pending.
fn standing(allocator: &Allocator, name: &str) -> String {
    match allocator.standing(&ReservationKey::new("ns", name)) {
        None => "-".to_owned(),
        Some(Standing::Pending(pending, _)) => format!("Pending: {pending}"),
        Some(Standing::Available(address)) => format!("Available {address}"),
        Some(Standing::Released(address)) => format!("Released {address}"),
        Some(Standing::Bound(address, services)) => {
            let names: Vec<String> = services.into_iter().map(|key| key.name().to_owned()).collect();
            format!("Bound {address} {}", names.join(","))
        }
    }
}

fn asking(reservations: &[&str]) -> Request {
    Request {
        reservations: reservations.iter().map(|name| (*name).to_owned()).collect(),
        ..mk_request()
    }
}

#[test]
fn a_service_deleted_and_created_again_has_the_same_address() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    ask(&mut allocator, "first", mk_request());
    assert_eq!(
        reserve(&mut allocator, "r", mk_reservation(&["web"])),
        "Available 10.0.0.1"
    );
    assert_eq!(ask(&mut allocator, "other", mk_request()), "10.0.0.2 (a)");
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.1 (a)");
    assert_eq!(standing(&allocator, "r"), "Bound 10.0.0.1 web");
    allocator.release(&key("first"));
    allocator.release(&key("web"));
    assert_eq!(standing(&allocator, "r"), "Available 10.0.0.1");
    assert_eq!(ask(&mut allocator, "third", mk_request()), "10.0.0.0 (a)");
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.1 (a)");
}

#[test]
fn a_service_asks_by_annotation_under_any_name() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    assert_eq!(
        reserve(&mut allocator, "r", at("10.0.0.5", &[])),
        "Available 10.0.0.5"
    );
    assert_eq!(ask(&mut allocator, "old-name", asking(&["r"])), "10.0.0.5 (a)");
    // A renamed Service waits while the old one is there.
    assert_eq!(ask(&mut allocator, "new-name", asking(&["r"])), "-");
    assert_eq!(
        refused(&allocator, "new-name"),
        "can't change sharing key for \"ns/new-name\", address also in use by ns/old-name"
    );
    allocator.release(&key("old-name"));
    assert_eq!(held(&allocator, "new-name"), "10.0.0.5 (a)");
    assert_eq!(standing(&allocator, "r"), "Bound 10.0.0.5 new-name");
}

#[test]
fn what_a_service_asks_for_by_annotation_it_moves_to() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.0 (a)");
    assert_eq!(ask(&mut allocator, "web", asking(&["r"])), "10.0.0.0 (a)");
    assert_eq!(refused(&allocator, "web"), "there is no AddressReservation ns/r");
    reserve(&mut allocator, "r", at("10.0.0.5", &[]));
    assert_eq!(held(&allocator, "web"), "10.0.0.5 (a)");
}

#[test]
fn a_reservation_binds_to_who_has_the_address_if_it_may() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    ask(&mut allocator, "other", mk_request());
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.1 (a)");
    // Without an address of its own it takes what its Service has.
    assert_eq!(
        reserve(&mut allocator, "r", mk_reservation(&["web"])),
        "Bound 10.0.0.1 web"
    );
    assert_eq!(
        reserve(&mut allocator, "q", at("10.0.0.0", &["web"])),
        "Pending: 10.0.0.0 is in use by ns/other, which may not bind to this reservation"
    );
    assert_eq!(
        reserve(&mut allocator, "p", at("10.0.0.1", &["web"])),
        "Pending: 10.0.0.1 is reserved by ns/r"
    );
    // It waits, and comes before whoever else wants an address.
    allocator.release(&key("other"));
    assert_eq!(standing(&allocator, "q"), "Available 10.0.0.0");
    // A Service keeps what it has, although a reservation offers it another address.
    assert_eq!(held(&allocator, "web"), "10.0.0.1 (a)");
}

#[test]
fn a_reservation_that_cannot_be_had_says_why_and_waits() {
    let pinned = PoolSpec {
        allocation: Some(Allocation {
            namespaces: ["elsewhere".to_owned()].into(),
            ..Allocation::default()
        }),
        ..mk_spec("c", &["10.0.2.0/24"])
    };
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/32"]), pinned]);
    ask(&mut allocator, "holder", mk_request());
    let rows = [
        (
            Reservation {
                pool: "x".into(),
                ..mk_reservation(&[])
            },
            "Pending: spec.pool: there is no valid IPAddressPool \"x\"",
        ),
        (
            Reservation {
                pool: "c".into(),
                ..mk_reservation(&[])
            },
            "Pending: spec.pool: the serviceAllocation of pool \"c\" does not select this namespace",
        ),
        (
            at("10.0.2.1", &[]),
            "Pending: spec.address 10.0.2.1 is not in pool \"a\"",
        ),
        (
            Reservation {
                family: Family::V6,
                ..at("10.0.0.0", &[])
            },
            "Pending: spec.address 10.0.0.0 is not of family IPv6",
        ),
        (
            mk_reservation(&[]),
            "Pending: pool \"a\" has no free IPv4 address",
        ),
    ];
    for (reservation, expected) in rows {
        assert_eq!(reserve(&mut allocator, "r", reservation), expected);
    }
    // The last row waits.
    allocator.set_pools(mk_pools([mk_spec("a", &["10.0.0.0/31"])]));
    assert_eq!(standing(&allocator, "r"), "Available 10.0.0.1");
}

#[test]
fn an_address_that_is_reserved_cannot_be_asked_for_by_others() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    reserve(&mut allocator, "r", at("10.0.0.5", &["web"]));
    let explicit = Request {
        addresses: vec![ip("10.0.0.5")],
        ..mk_request()
    };
    assert_eq!(ask(&mut allocator, "thief", explicit.clone()), "-");
    assert!(refused(&allocator, "thief").starts_with("\"10.0.0.5\" is reserved by AddressReservation ns/r"));
    assert_eq!(ask(&mut allocator, "web", explicit), "10.0.0.5 (a)");
    allocator.release(&key("web"));
    allocator.set_reservation(&ReservationKey::new("ns", "r"), None);
    assert_eq!(held(&allocator, "thief"), "10.0.0.5 (a)");
}

#[test]
fn release_gives_the_address_back_with_the_service_and_retain_does_not() {
    for (retain, after, other) in [
        (true, "Available 10.0.0.0", "-"),
        (false, "Released 10.0.0.0", "10.0.0.0 (a)"),
    ] {
        let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/32"])]);
        let reservation = Reservation {
            retain,
            ..mk_reservation(&["web"])
        };
        assert_eq!(reserve(&mut allocator, "r", reservation), "Available 10.0.0.0");
        ask(&mut allocator, "web", mk_request());
        allocator.release(&key("web"));
        assert_eq!(standing(&allocator, "r"), after);
        assert_eq!(ask(&mut allocator, "other", mk_request()), other);
    }
}

#[test]
fn a_released_reservation_has_the_same_address_again_while_nobody_has_taken_it() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/30"])]);
    let reservation = Reservation {
        retain: false,
        ..at("10.0.0.2", &["web"])
    };
    reserve(&mut allocator, "r", reservation);
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.2 (a)");
    allocator.release(&key("web"));
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.2 (a)");
    assert_eq!(standing(&allocator, "r"), "Bound 10.0.0.2 web");
}

#[test]
fn retain_survives_the_removal_of_the_pool() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    reserve(&mut allocator, "r", at("10.0.0.5", &["web"]));
    ask(&mut allocator, "web", mk_request());
    allocator.set_pools(BTreeMap::new());
    allocator.release(&key("web"));
    assert_eq!(standing(&allocator, "r"), "Available 10.0.0.5");
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.5 (a)");
    allocator.release(&key("web"));
    allocator.set_pools(mk_pools([mk_spec("b", &["10.0.0.4/30"])]));
    assert_eq!(ask(&mut allocator, "other", mk_request()), "10.0.0.4 (b)");
    assert_eq!(ask(&mut allocator, "another", mk_request()), "10.0.0.6 (b)");
    assert_eq!(ask(&mut allocator, "web", mk_request()), "10.0.0.5 (b)");
}

#[test]
fn one_reservation_for_each_family() {
    let mut allocator = mk_allocator([
        mk_spec("a", &["10.0.0.0/29", "fd00:a::/125"]),
        mk_spec("b", &["fd00:b::/125"]),
    ]);
    reserve(&mut allocator, "four", at("10.0.0.5", &["web"]));
    let dual = Request {
        families: Families::Dual,
        ..mk_request()
    };
    // The family that is not reserved comes from the same pool.
    assert_eq!(ask(&mut allocator, "web", dual.clone()), "10.0.0.5 fd00:a:: (a)");
    allocator.release(&key("web"));
    let six = Reservation {
        pool: "b".into(),
        family: Family::V6,
        ..mk_reservation(&["web"])
    };
    assert_eq!(reserve(&mut allocator, "six", six), "Available fd00:b::");
    let got = ask(&mut allocator, "web", dual);
    assert!(got.starts_with("10.0.0.5 fd00:b:: "), "{got}");
}

#[test]
fn services_that_share_bind_together() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    reserve(&mut allocator, "r", at("10.0.0.5", &["http", "https"]));
    for (name, port) in [("http", 80), ("https", 443)] {
        let terms = mk_terms("k", port);
        assert_eq!(
            ask(
                &mut allocator,
                name,
                Request {
                    terms,
                    ..mk_request()
                }
            ),
            "10.0.0.5 (a)"
        );
    }
    assert_eq!(standing(&allocator, "r"), "Bound 10.0.0.5 http,https");
    let terms = mk_terms("k", 8080);
    assert_eq!(
        ask(
            &mut allocator,
            "stranger",
            Request {
                terms,
                ..mk_request()
            }
        ),
        "10.0.0.0 (a)"
    );
}

#[test]
fn a_reservation_opens_no_pool_that_is_not_for_the_service() {
    let selecting = PoolSpec {
        allocation: Some(Allocation {
            service_selectors: vec![LabelSelector::from_labels(&[("tier", "web")].into())],
            ..Allocation::default()
        }),
        ..mk_spec("a", &["10.0.0.0/29"])
    };
    let mut allocator = mk_allocator([selecting]);
    assert_eq!(
        reserve(&mut allocator, "r", at("10.0.0.5", &[])),
        "Available 10.0.0.5"
    );
    assert_eq!(ask(&mut allocator, "s", asking(&["r"])), "-");
    assert!(refused(&allocator, "s").starts_with("pool a not compatible"));
}

#[test]
fn who_waits_for_an_address_is_told_that_it_came_to_be_reserved() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29"])]);
    let mut request = mk_request();
    request.addresses = vec![ip("10.0.0.1")];
    ask(&mut allocator, "web", request.clone());
    allocator.request(&key("waits"), request);
    let reason = |allocator: &Allocator| allocator.refusal(&key("waits")).map(Refusal::reason);
    assert_eq!(reason(&allocator), Some("AddressInUse"));
    allocator.take_changed();
    reserve(&mut allocator, "r", mk_reservation(&["web"]));
    assert_eq!(reason(&allocator), Some("AddressReserved"));
    assert!(allocator.take_changed().contains(&key("waits")));
}

#[test]
fn a_family_that_is_given_up_takes_no_reserved_address_with_it() {
    let mut allocator = mk_allocator([mk_spec("a", &["10.0.0.0/29", "fd00::/125"])]);
    let reservation = Reservation {
        family: Family::V6,
        ..at("fd00::5", &["web"])
    };
    reserve(&mut allocator, "r", reservation);
    let both = Request {
        families: Families::Dual,
        ..asking(&["r"])
    };
    assert_eq!(ask(&mut allocator, "web", both), "10.0.0.0 fd00::5 (a)");
    // It no longer has IPv6, and asks for an IPv6 address: a request that fails changes nothing.
    assert_eq!(ask(&mut allocator, "web", asking(&["r"])), "10.0.0.0 fd00::5 (a)");
    assert_eq!(
        refused(&allocator, "web"),
        "requested loadBalancer IP(s) [\"fd00::5\"] does not match the ipFamily of the service"
    );
    assert_eq!(standing(&allocator, "r"), "Bound fd00::5 web");
}
