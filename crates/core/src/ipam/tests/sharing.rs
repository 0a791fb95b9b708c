use super::*;

fn sharing(sharing: &str, port: u16) -> Request {
    Request {
        terms: mk_terms(sharing, port),
        ..mk_request()
    }
}

#[test]
fn services_share_with_one_key_one_backend_and_different_ports() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/29"])]);
    assert_eq!(ask(&mut allocator, "1", sharing("k", 80)), "10.0.0.0 (p)");
    assert_eq!(ask(&mut allocator, "2", sharing("k", 443)), "10.0.0.0 (p)");
    assert_eq!(
        ask(&mut allocator, "3", sharing("k", 80)),
        "10.0.0.1 (p)",
        "the port is taken"
    );
    assert_eq!(ask(&mut allocator, "4", sharing("other", 53)), "10.0.0.2 (p)");
    let mut local = sharing("k", 8080);
    Arc::make_mut(&mut local.terms).backend = "app=web".into();
    assert_eq!(ask(&mut allocator, "5", local), "10.0.0.3 (p)", "another backend");
    assert_eq!(
        allocator.usage("p", Family::V4).unwrap().assigned,
        4,
        "a shared address counts once"
    );
    let taken = Request {
        addresses: vec![ip("10.0.0.0")],
        ..sharing("k", 443)
    };
    ask(&mut allocator, "6", taken);
    assert_eq!(
        refused(&allocator, "6"),
        "port TCP/443 is already in use on \"10.0.0.0\""
    );
    // The address is free when its last holder goes.
    allocator.release(&key("1"));
    assert_eq!(allocator.usage("p", Family::V4).unwrap().assigned, 4);
    allocator.release(&key("2"));
    assert_eq!(held(&allocator, "6"), "10.0.0.0 (p)");
}

#[test]
fn the_only_holder_changes_its_key_in_place() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/31"])]);
    ask(&mut allocator, "1", sharing("k", 80));
    assert_eq!(ask(&mut allocator, "1", sharing("l", 80)), "10.0.0.0 (p)");
    assert_eq!(ask(&mut allocator, "2", sharing("k", 443)), "10.0.0.1 (p)");
    assert_eq!(ask(&mut allocator, "3", sharing("l", 443)), "10.0.0.0 (p)");
}

#[test]
fn who_changes_its_terms_leaves_the_shared_address() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/31"])]);
    ask(&mut allocator, "1", sharing("k", 80));
    ask(&mut allocator, "2", sharing("k", 443));
    assert_eq!(ask(&mut allocator, "2", sharing("k", 80)), "10.0.0.1 (p)");
    assert_eq!(ask(&mut allocator, "3", sharing("k", 443)), "10.0.0.0 (p)");
    // With no address left it has none: it may not stay where it is.
    assert_eq!(ask(&mut allocator, "3", sharing("k", 80)), "-");
    assert_eq!(held(&allocator, "1"), "10.0.0.0 (p)");
    // Who waits is served when a holder that stood in the way gives up its port.
    assert_eq!(ask(&mut allocator, "1", sharing("k", 8080)), "10.0.0.0 (p)");
    assert_eq!(held(&allocator, "3"), "10.0.0.0 (p)");
}

#[test]
fn of_many_with_one_key_and_port_only_the_oldest_is_told_of_a_free_address() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/24"])]);
    let names: Vec<String> = (0..2_000).map(|number| format!("{number:04}")).collect();
    for name in &names {
        ask(&mut allocator, name, sharing("k", 80));
    }
    assert_eq!(held(&allocator, "0255"), "10.0.0.255 (p)");
    assert_eq!(held(&allocator, "0256"), "-");
    allocator.take_changed();
    allocator.release(&key("0007"));
    assert_eq!(held(&allocator, "0256"), "10.0.0.7 (p)");
    assert_eq!(allocator.take_changed(), [key("0007"), key("0256")].into());
    // Another port finds room beside the first of them, and is of no use to those who wait.
    assert_eq!(ask(&mut allocator, "other", sharing("k", 443)), "10.0.0.0 (p)");
    assert_eq!(allocator.take_changed(), [key("other")].into());
    // A third one, and whoever leaves makes room for its own port only.
    ask(&mut allocator, "third", sharing("k", 443));
    assert_eq!(held(&allocator, "third"), "10.0.0.1 (p)");
    allocator.release(&key("other"));
    assert_eq!(held(&allocator, "third"), "10.0.0.1 (p)", "what is held stays");
    assert_eq!(ask(&mut allocator, "fourth", sharing("k", 443)), "10.0.0.0 (p)");
}

#[test]
fn who_waits_with_several_ports_shares_when_all_of_them_are_free() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32"])]);
    ask(&mut allocator, "http", sharing("k", 80));
    ask(&mut allocator, "dns", sharing("k", 53));
    let mut both = sharing("k", 80);
    Arc::make_mut(&mut both.terms).ports.insert(tcp(53));
    assert_eq!(ask(&mut allocator, "both", both), "-");
    allocator.release(&key("dns"));
    assert_eq!(held(&allocator, "both"), "-");
    ask(&mut allocator, "other", sharing("k", 8080));
    allocator.release(&key("http"));
    assert_eq!(held(&allocator, "both"), "10.0.0.0 (p)");
}

/// Each of `count` Services asks, and then each goes.
fn steps_of(count: u16, ports: impl Fn(u16) -> Vec<u16>) -> (usize, usize) {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/16"])]);
    let name = |number: u16| format!("{number:05}");
    let come = steps(|| {
        for number in 0..count {
            let mut request = sharing("k", 0);
            Arc::make_mut(&mut request.terms).ports = ports(number).into_iter().map(tcp).collect();
            assert_ne!(ask(&mut allocator, &name(number), request), "-");
        }
    });
    let go = steps(|| (0..count).for_each(|number| allocator.release(&key(&name(number)))));
    (come, go)
}

#[test]
fn the_choice_among_many_sharers_costs_what_it_finds() {
    const COUNT: u16 = 2_000;
    type Ports = fn(u16) -> Vec<u16>;
    // How many steps for each Service at the most: a word holds 64 addresses, so that there are 31 of them.
    let shapes: [(&str, Ports, usize); 5] = [
        ("one port for all", |_| vec![80], 8),
        ("a port of its own for each", |number| vec![10_000 + number], 8),
        (
            "one for all, and one of its own",
            |number| vec![80, 10_000 + number],
            8,
        ),
        (
            "one for half, then another",
            |number| vec![if number < COUNT / 2 { 80 } else { 443 }],
            24,
        ),
        (
            "one, another, and both by turns",
            |number| [vec![80], vec![443], vec![80, 443]][usize::from(number % 3)].clone(),
            24,
        ),
    ];
    for (shape, ports, most) in shapes {
        let (come, go) = steps_of(COUNT, ports);
        assert!(come < most * usize::from(COUNT), "{shape}: {come} steps to come");
        assert!(go < most * usize::from(COUNT), "{shape}: {go} steps to go");
    }
}

#[test]
fn a_change_wakes_only_those_whom_it_could_help() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/24"])]);
    for number in 0..256 {
        ask(&mut allocator, &format!("a{number:03}"), sharing("k", 443));
    }
    for number in 0..2_000 {
        let mut both = sharing("k", 80);
        Arc::make_mut(&mut both.terms).ports.insert(tcp(443));
        assert_eq!(ask(&mut allocator, &format!("b{number:04}"), both), "-");
    }
    // Port 80 is to be had everywhere, and 443 nowhere: whoever comes and goes beside it helps nobody.
    let idle = steps(|| {
        for _ in 0..100 {
            ask(&mut allocator, "c", sharing("k", 53));
            allocator.release(&key("c"));
        }
    });
    assert!(idle < 1_000, "{idle} steps");
    allocator.take_changed();
    let served = steps(|| allocator.release(&key("a007")));
    assert!(served < 100, "{served} steps");
    assert_eq!(allocator.take_changed(), [key("a007"), key("b0000")].into());
    assert_eq!(held(&allocator, "b0000"), "10.0.0.7 (p)");
}

#[test]
fn the_oldest_shares_first_whichever_of_the_ports_it_waits_for() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32"])]);
    let ask_with = |allocator: &mut Allocator, name: &str, created: i64, ports: &[u16]| {
        let mut request = Request {
            created,
            ..sharing("k", 0)
        };
        Arc::make_mut(&mut request.terms).ports = ports.iter().copied().map(tcp).collect();
        ask(allocator, name, request)
    };
    ask_with(&mut allocator, "stays", 0, &[8080]);
    ask_with(&mut allocator, "goes", 0, &[53, 80]);
    assert_eq!(ask_with(&mut allocator, "young", 9, &[53, 80]), "-");
    assert_eq!(ask_with(&mut allocator, "old", 5, &[80]), "-");
    allocator.release(&key("goes"));
    assert_eq!(
        (
            held(&allocator, "old").as_str(),
            held(&allocator, "young").as_str()
        ),
        ("10.0.0.0 (p)", "-")
    );
}

#[test]
fn a_reservation_binds_to_what_one_of_many_sharers_is_left_with() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/31"])]);
    for (number, name) in ["mine", "1", "2"].into_iter().enumerate() {
        ask(&mut allocator, name, sharing("k", 80 + number as u16));
    }
    ask(&mut allocator, "alone", mk_request());
    let spec = Reservation {
        created: 0,
        pool: "p".to_owned(),
        family: Family::V4,
        address: None,
        services: ["mine".to_owned()].into(),
        retain: true,
        recorded: None,
    };
    let reservation = ReservationKey::new("ns", "r");
    allocator.set_reservation(&reservation, Some(spec));
    let standing = |allocator: &Allocator| allocator.standing(&reservation);
    assert!(matches!(
        standing(&allocator),
        Some(Standing::Pending(Pending::Exhausted { .. }, None))
    ));
    allocator.release(&key("1"));
    assert!(matches!(standing(&allocator), Some(Standing::Pending(..))));
    allocator.release(&key("2"));
    assert_eq!(
        standing(&allocator),
        Some(Standing::Bound(ip("10.0.0.0"), vec![key("mine")]))
    );
}

#[test]
fn of_many_who_share_an_address_a_refusal_names_eight() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/32"])]);
    for number in 1..=8 {
        ask(&mut allocator, &number.to_string(), sharing("k", number));
    }
    let alone = Request {
        addresses: vec![ip("10.0.0.0")],
        ..mk_request()
    };
    ask(&mut allocator, "alone", alone);
    let eight = "can't change sharing key for \"ns/alone\", address also in use by \
                 ns/1,ns/2,ns/3,ns/4,ns/5,ns/6,ns/7,ns/8";
    assert_eq!(refused(&allocator, "alone"), eight);
    for number in 10..100 {
        ask(&mut allocator, &format!("9{number}"), sharing("k", number));
    }
    assert_eq!(refused(&allocator, "alone"), eight, "nothing has changed for it");
    ask(&mut allocator, "other", sharing("l", 80));
    let other = Request {
        addresses: vec![ip("10.0.0.0")],
        ..sharing("l", 81)
    };
    ask(&mut allocator, "other", other);
    let many = eight.replace("alone", "other") + " and others";
    assert_eq!(refused(&allocator, "other"), many);
}
