//! `--reassign-on-pool-change`: MetalLB's behaviour, beside ours, which keeps what is held.

use super::*;

fn allocator(reassign_on_pool_change: bool) -> Allocator {
    let mut allocator = Allocator::new(Rules {
        reassign_on_pool_change,
    });
    allocator.set_namespace("ns", Some(Labels::from([("tier", "web")])));
    allocator.set_pools(mk_pools([mk_spec("a", &["10.0.0.0/24"])]));
    ask(&mut allocator, "s", mk_request());
    allocator
}

#[test]
fn each_change_of_the_pools_reassigns_only_under_the_flag() {
    let only_for = |label: &str| Allocation {
        namespace_selectors: vec![LabelSelector::from_labels(&[("tier", label)].into())],
        ..Allocation::default()
    };
    let selecting = |label: &str| PoolSpec {
        allocation: Some(only_for(label)),
        ..mk_spec("a", &["10.0.0.0/24"])
    };
    let rows: [(&str, Vec<PoolSpec>, &str, &str); 8] = [
        (
            "shrunk",
            vec![mk_spec("a", &["10.0.0.128/25"])],
            "10.0.0.0 (a)",
            "10.0.0.128 (a)",
        ),
        ("removed", vec![], "10.0.0.0 (a)", "-"),
        (
            "another pool instead",
            vec![mk_spec("b", &["10.0.1.0/24"])],
            "10.0.0.0 (a)",
            "10.0.1.0 (b)",
        ),
        (
            "renamed",
            vec![mk_spec("z", &["10.0.0.0/24"])],
            "10.0.0.0 (z)",
            "10.0.0.0 (z)",
        ),
        (
            "split",
            vec![mk_spec("y", &["10.0.0.0/25"]), mk_spec("z", &["10.0.0.128/25"])],
            "10.0.0.0 (y)",
            "10.0.0.0 (y)",
        ),
        (
            "merged",
            vec![mk_spec("big", &["10.0.0.0/8"])],
            "10.0.0.0 (big)",
            "10.0.0.0 (big)",
        ),
        (
            "avoidBuggyIPs",
            vec![PoolSpec {
                avoid_buggy_ips: true,
                ..mk_spec("a", &["10.0.0.0/24"])
            }],
            "10.0.0.0 (a)",
            "10.0.0.1 (a)",
        ),
        (
            "no longer for this Service",
            vec![selecting("db")],
            "10.0.0.0 (a)",
            "-",
        ),
    ];
    for (case, specs, ours, metallbs) in rows {
        for (flag, expected) in [(false, ours), (true, metallbs)] {
            let mut allocator = allocator(flag);
            allocator.set_pools(mk_pools(specs.clone()));
            assert_eq!(held(&allocator, "s"), expected, "{case}, flag {flag}");
        }
    }
}

#[test]
fn auto_assign_switched_off_takes_nothing_away_either_way() {
    for flag in [false, true] {
        let mut allocator = allocator(flag);
        allocator.set_pools(mk_pools([PoolSpec {
            auto_assign: false,
            ..mk_spec("a", &["10.0.0.0/24"])
        }]));
        assert_eq!(held(&allocator, "s"), "10.0.0.0 (a)", "flag {flag}");
    }
}

#[test]
fn labels_of_the_namespace_reassign_only_under_the_flag() {
    for (flag, expected) in [(false, "10.0.0.0 (a)"), (true, "-")] {
        let mut allocator = allocator(flag);
        let selector = LabelSelector::from_labels(&[("tier", "web")].into());
        allocator.set_pools(mk_pools([PoolSpec {
            allocation: Some(Allocation {
                namespace_selectors: vec![selector],
                ..Allocation::default()
            }),
            ..mk_spec("a", &["10.0.0.0/24"])
        }]));
        assert_eq!(held(&allocator, "s"), "10.0.0.0 (a)");
        allocator.set_namespace("ns", Some(Labels::new()));
        assert_eq!(held(&allocator, "s"), expected, "flag {flag}");
    }
}

#[test]
fn who_lost_its_address_gets_one_when_a_pool_can_serve_it() {
    let mut allocator = allocator(true);
    allocator.set_pools(BTreeMap::new());
    assert_eq!(
        refused(&allocator, "s"),
        "no available IPs: there is no valid IPAddressPool for this service"
    );
    allocator.set_pools(mk_pools([mk_spec("b", &["10.0.1.0/24"])]));
    assert_eq!(held(&allocator, "s"), "10.0.1.0 (b)");
}
