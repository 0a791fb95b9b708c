use super::*;

fn mk_claim(address: &str) -> Claim {
    Claim {
        explicit: false,
        annotated: false,
        created: 0,
        addresses: vec![ip(address)],
        pool: String::new(),
        terms: mk_request().terms,
    }
}

#[test]
fn what_is_found_is_kept_in_a_pool_and_outside_of_it() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/30"])]);
    let outside = Claim {
        annotated: true,
        pool: "gone".into(),
        ..mk_claim("10.9.9.9")
    };
    let losers = allocator.adopt(
        [(key("in"), mk_claim("10.0.0.0")), (key("out"), outside)]
            .into_iter()
            .collect(),
    );
    assert_eq!(losers, []);
    ask(&mut allocator, "in", mk_request());
    ask(&mut allocator, "out", mk_request());
    assert_eq!(held(&allocator, "in"), "10.0.0.0 (p)");
    assert_eq!(held(&allocator, "out"), "10.9.9.9 (gone)");
    assert_eq!(ask(&mut allocator, "new", mk_request()), "10.0.0.1 (p)");
    // The pool comes back: nothing moves.
    allocator.set_pools(mk_pools([
        mk_spec("p", &["10.0.0.0/30"]),
        mk_spec("gone", &["10.9.9.0/24"]),
    ]));
    assert_eq!(held(&allocator, "out"), "10.9.9.9 (gone)");
    assert_eq!(allocator.usage("gone", Family::V4).unwrap().assigned, 1);
}

#[test]
fn of_two_holders_the_better_claim_wins() {
    let rows = [
        (
            "explicit",
            Claim {
                explicit: true,
                created: 9,
                ..mk_claim("10.0.0.0")
            },
            Claim {
                annotated: true,
                ..mk_claim("10.0.0.0")
            },
        ),
        (
            "annotation",
            Claim {
                annotated: true,
                created: 9,
                ..mk_claim("10.0.0.0")
            },
            mk_claim("10.0.0.0"),
        ),
        (
            "older",
            Claim {
                created: 1,
                ..mk_claim("10.0.0.0")
            },
            Claim {
                created: 2,
                ..mk_claim("10.0.0.0")
            },
        ),
    ];
    for (case, winner, loser) in rows {
        let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/30"])]);
        let losers = allocator.adopt([(key("a"), loser), (key("b"), winner)].into_iter().collect());
        assert_eq!(
            losers,
            [(
                key("a"),
                InUse::Sharing {
                    service: key("a"),
                    others: vec![key("b")]
                }
            )],
            "{case}"
        );
        assert_eq!(
            (held(&allocator, "a").as_str(), held(&allocator, "b").as_str()),
            ("-", "10.0.0.0 (p)"),
            "{case}"
        );
    }
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/30"])]);
    let claims = [(key("b"), mk_claim("10.0.0.0")), (key("a"), mk_claim("10.0.0.0"))];
    allocator.adopt(claims.into_iter().collect());
    assert_eq!(held(&allocator, "a"), "10.0.0.0 (p)", "the name decides last");
}

#[test]
fn holders_that_may_share_are_both_adopted() {
    let mut allocator = mk_allocator([mk_spec("p", &["10.0.0.0/30"])]);
    let claim = |port| Claim {
        terms: mk_terms("k", port),
        ..mk_claim("10.0.0.0")
    };
    let losers = allocator.adopt(
        [(key("a"), claim(80)), (key("b"), claim(443))]
            .into_iter()
            .collect(),
    );
    assert_eq!(losers, []);
    assert_eq!(held(&allocator, "a"), held(&allocator, "b"));
}
