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
