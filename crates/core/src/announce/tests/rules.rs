//! The rules about a Service, its pool and its advertisements.

use super::*;
use crate::name::NodeNames;

fn gone_pool() -> Fact {
    pool("pool", Pool::default()).gone()
}

#[test]
fn a_plain_service_has_one_owner_of_three_candidates() {
    let decision = decide(&cluster(), "web");
    assert_eq!(decision.refusal, None);
    assert_eq!(decision.pool.as_deref(), Some("pool"));
    assert_eq!(candidates(&decision), ["n1", "n2", "n3"]);
    assert_eq!(decision.obstacle(), None);
    assert!(decision.verdicts[decision.owner.as_ref().unwrap()].is_ok());
    for node in ["n1", "n2", "n3"] {
        assert_eq!(decision.interfaces_on(node), Some(&Interfaces::All));
    }
    assert_eq!(decision.interfaces_on("n4"), None);
    let group = decision.group.unwrap();
    assert_eq!(group.lowest, VIP.parse::<IpAddr>().unwrap());
    assert_eq!(group.candidates.len(), 3);
}

#[test]
fn an_unknown_service_has_no_decision() {
    assert_eq!(cluster().decide(&key("other")), None);
}

#[test]
fn a_service_without_address_is_refused() {
    let decision = after([service("web", mk_service(&[]))]);
    assert_eq!(decision.refusal, Some(Refusal::NoAddress));
    assert_eq!(decision.owner, None);
    assert!(decision.verdicts.is_empty());
}

#[test]
fn an_address_of_no_pool_is_foreign() {
    let unnamed = Service {
        pool: None,
        ..mk_service(&["192.0.2.1"])
    };
    let refusal = Refusal::ForeignAddress {
        address: "192.0.2.1".parse().unwrap(),
    };
    assert_eq!(after([service("web", unnamed)]).refusal, Some(refusal));
}

#[test]
fn a_service_that_names_no_pool_belongs_to_the_pool_of_its_address() {
    let decision = after([service(
        "web",
        Service {
            pool: None,
            ..mk_service(&[VIP])
        },
    )]);
    assert_eq!((decision.pool.as_deref(), decision.refusal), (Some("pool"), None));
}

#[test]
fn a_nodes_own_address_is_ours_only_if_a_pool_holds_it() {
    let with_address = |address: &str| {
        let addresses = [address.parse().unwrap()].into();
        Fact::Node(
            "n3".to_owned(),
            Some(Node {
                addresses,
                ..Node::default()
            }),
        )
    };
    let foreign = after([
        with_address("172.21.5.13"),
        service("web", mk_service(&["172.21.5.13"])),
    ]);
    assert_eq!(
        foreign.refusal,
        Some(Refusal::ForeignAddress {
            address: "172.21.5.13".parse().unwrap()
        })
    );
    assert_eq!(after([with_address(VIP)]).refusal, None);
}

#[test]
fn an_address_stays_announced_after_its_pool_shrank_or_went_away() {
    assert_eq!(after([pool("pool", mk_pool("192.0.2.0/24"))]).refusal, None);
    assert_eq!(after([gone_pool()]).refusal, None);

    let by_name = Advertisement {
        pools: set(&["pool"]),
        ..Advertisement::default()
    };
    assert_eq!(after([gone_pool(), advertisement("all", by_name)]).refusal, None);

    // The labels went with the object.
    let by_label = Advertisement {
        pool_selectors: mk_selector(&[("a", "b")]),
        ..Advertisement::default()
    };
    let refusal = Refusal::NoAdvertisement {
        pool: Some("pool".into()),
        passed_over: set(&[]),
    };
    assert_eq!(
        after([gone_pool(), advertisement("all", by_label)]).refusal,
        Some(refusal)
    );
}

#[test]
fn advertisements_select_pools_by_name_or_label() {
    let labelled = Pool {
        labels: mk_labels(&[("zone", "a")]),
        ..mk_pool("172.21.5.240-172.21.5.250")
    };
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], bool);
    let rows: &[Row<'_>] = &[
        // pools, pool selector, announced
        (&[], &[], true),
        (&["pool"], &[], true),
        (&["other"], &[], false),
        (&[], &[("zone", "a")], true),
        (&[], &[("zone", "b")], false),
        (&["other"], &[("zone", "a")], true),
        (&["pool"], &[("zone", "b")], true),
    ];
    for (pools, labels, announced) in rows {
        let pool_selectors = if labels.is_empty() {
            vec![]
        } else {
            mk_selector(labels)
        };
        let one = Advertisement {
            pools: set(pools),
            pool_selectors,
            ..Advertisement::default()
        };
        let decision = after([pool("pool", labelled.clone()), advertisement("all", one)]);
        assert_eq!(decision.owner.is_some(), *announced, "{pools:?} {labels:?}");
    }
}

#[test]
fn advertisements_select_services() {
    let selecting = Advertisement {
        service_selectors: mk_selector(&[("app", "web")]),
        ..Advertisement::default()
    };
    let labelled = Service {
        labels: mk_labels(&[("app", "web")]),
        ..mk_service(&[VIP])
    };
    let refusal = Refusal::NoAdvertisement {
        pool: Some("pool".into()),
        passed_over: set(&["all"]),
    };
    assert_eq!(
        after([advertisement("all", selecting.clone())]).refusal,
        Some(refusal)
    );
    assert_eq!(
        after([advertisement("all", selecting), service("web", labelled)]).refusal,
        None
    );
}

#[test]
fn sharing_and_service_selectors_exclude_each_other() {
    let selecting = Advertisement {
        service_selectors: mk_selector(&[]),
        ..Advertisement::default()
    };
    let shared = Service {
        shared: true,
        ..mk_service(&[VIP])
    };
    let refusal = Refusal::SharedAddressWithServiceSelectors {
        advertisement: "some".to_owned(),
    };
    assert_eq!(
        after([advertisement("some", selecting), service("web", shared.clone())]).refusal,
        Some(refusal)
    );
    assert_eq!(after([service("web", shared)]).refusal, None);
}

#[test]
fn one_serving_endpoint_anywhere_is_needed() {
    let empty = slice("web-1", mk_slice("web", &[]));
    assert_eq!(after([empty.clone()]).refusal, Some(Refusal::NoEndpoints));
    assert_eq!(after([empty.clone().gone()]).refusal, Some(Refusal::NoEndpoints));
    assert_eq!(
        after([empty, slice("web-2", mk_slice("web", &["n9"]))]).refusal,
        None
    );
    // An endpoint without a node serves everybody but Local.
    let nowhere = Slice {
        service: key("web"),
        serving: true,
        nodes: NodeNames::default(),
    };
    assert_eq!(after([slice("web-1", nowhere)]).refusal, None);
}

#[test]
fn what_the_user_configured_is_reported_before_what_comes_and_goes() {
    let facts = [
        slice("web-1", mk_slice("web", &[])),
        advertisement("all", Advertisement::default()).gone(),
    ];
    assert!(matches!(
        after(facts).refusal,
        Some(Refusal::NoAdvertisement { .. })
    ));
}

#[test]
fn a_group_is_on_link_if_all_advertisements_of_one_of_its_services_ask_for_it() {
    let on_link = |on_link| Advertisement {
        on_link,
        ..Advertisement::default()
    };
    for (facts, expected) in [
        (vec![advertisement("all", on_link(true))], true),
        (vec![advertisement("all", on_link(false))], false),
        (
            vec![
                advertisement("all", on_link(true)),
                advertisement("another", on_link(false)),
            ],
            false,
        ),
        (
            vec![
                advertisement("all", on_link(true)),
                advertisement("another", on_link(true)),
            ],
            true,
        ),
    ] {
        let decision = after(facts);
        assert_eq!(decision.group.unwrap().on_link, expected);
    }
}

#[test]
fn a_service_that_no_candidate_can_announce_does_not_make_its_group_on_link() {
    // Of the two no node can announce both: the first one by name is.
    let on_link = |asks: &str| {
        let facts = ["web", "dns"].map(|name| {
            let of_pool = Service {
                pool: Some(name.into()),
                local: true,
                ..mk_service(&[VIP])
            };
            let only = Advertisement {
                pools: set(&[name]),
                on_link: name == asks,
                ..Advertisement::default()
            };
            [service(name, of_pool), advertisement(name, only)]
        });
        let mut facts: Vec<Fact> = facts.into_iter().flatten().collect();
        facts.extend(["web", "dns"].map(|name| pool(name, mk_pool("172.21.5.240/32"))));
        facts.push(advertisement("all", Advertisement::default()).gone());
        facts.push(slice("dns-1", mk_slice("dns", &["n3"])));
        let group = after(facts).group.unwrap();
        assert!(group.candidates.keys().eq(["n3"]), "{:?}", group.candidates);
        group.on_link
    };
    assert!(on_link("dns"));
    assert!(!on_link("web"));
}

#[test]
fn the_addresses_of_a_group_are_those_that_its_candidates_can_announce() {
    let addresses = |facts: Vec<Fact>| -> Vec<String> {
        let group = after(facts).group.unwrap();
        group.addresses.iter().map(ToString::to_string).collect()
    };
    let shared = || {
        vec![
            service("web", mk_service(&[VIP, "fd00:5::2"])),
            service("dns", mk_service(&[VIP, "fd00:5::1"])),
        ]
    };
    assert_eq!(addresses(shared()), [VIP, "fd00:5::2"], "dns has no endpoint");
    let mut both = shared();
    both.push(slice("dns-1", mk_slice("dns", &["n3"])));
    assert_eq!(addresses(both), [VIP, "fd00:5::1", "fd00:5::2"]);
}
