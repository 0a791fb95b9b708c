//! What a change concerns: exactly where it must, and never too little.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

#[test]
fn nothing_is_decided_before_every_kind_was_listed() {
    let mut world = World::default();
    for kind in Kind::ALL {
        assert!(!world.is_synced());
        world.reset(kind, vec![]);
    }
    assert!(world.is_synced());
}

#[test]
fn a_known_fact_concerns_nobody() {
    let mut world = cluster();
    for fact in [
        node("n1", &[]),
        speaker("n1", true),
        pool("pool", mk_pool("172.21.5.240-172.21.5.250")),
        service("web", mk_service(&[VIP])),
        slice("web-1", mk_slice("web", &["n1", "n2"])),
        advertisement("all", Advertisement::default()),
        node("n9", &[]).gone(),
    ] {
        assert_eq!(world.apply(fact.clone()), keys(&[]), "{fact:?}");
    }
}

#[test]
fn a_change_concerns_those_it_is_about_and_their_sharers() {
    let mut world = cluster();
    let other = Service {
        pool: Some("other".into()),
        ..mk_service(&["192.0.2.1"])
    };
    assert_eq!(world.apply(service("other", other)), keys(&["other"]));
    assert_eq!(
        world.apply(service("dns", mk_service(&[VIP]))),
        keys(&["dns", "web"])
    );
    assert_eq!(
        world.apply(slice("dns-1", mk_slice("dns", &["n1"]))),
        keys(&["dns", "web"])
    );
    assert_eq!(
        world.apply(pool("other", mk_pool("192.0.2.0/24"))),
        keys(&["other"])
    );
    let of_other = Advertisement {
        pools: set(&["other"]),
        ..Advertisement::default()
    };
    assert_eq!(world.apply(advertisement("some", of_other)), keys(&["other"]));
    assert_eq!(world.apply(speaker("n1", false)), keys(&["dns", "other", "web"]));
    assert_eq!(
        world.apply(service("dns", mk_service(&[])).gone()),
        keys(&["dns", "web"])
    );
    assert_eq!(
        world.apply(slice("dns-1", mk_slice("dns", &["n1"])).gone()),
        keys(&["dns"])
    );
}

#[test]
fn a_reset_drops_what_it_does_not_list() {
    let mut world = cluster();
    assert_eq!(
        world.reset(Kind::Service, vec![service("new", mk_service(&[VIP]))]),
        keys(&["new", "web"])
    );
    assert_eq!(world.decide(&key("web")), None);
    assert_eq!(
        world.reset(Kind::Service, vec![service("new", mk_service(&[VIP]))]),
        keys(&[])
    );
    assert_eq!(world.reset(Kind::Node, vec![]), keys(&["new"]));
}

/// Few names and values, so that the facts meet.
fn any_fact() -> impl Strategy<Value = Fact> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let zone = prop::sample::select(vec![
        vec![],
        vec![("zone", "a")],
        vec![("zone", "b"), (EXCLUDE_LABEL, "")],
    ]);
    let node_name = prop::sample::select(vec!["n1", "n2"]);
    let addresses = prop::sample::subsequence(vec!["10.0.0.1", "10.0.0.2", "10.1.0.1", "fd00::1"], 0..=2);
    let pool_name = prop::sample::select(vec![None, Some("p"), Some("q")]);
    let base = prop_oneof![
        (
            name.clone(),
            addresses,
            pool_name,
            any::<[bool; 2]>(),
            zone.clone()
        )
            .prop_map(|(name, addresses, pool, [local, shared], labels)| {
                let pool = pool.map(Arc::from);
                service(
                    name,
                    Service {
                        pool,
                        local,
                        shared,
                        labels: mk_labels(&labels),
                        ..mk_service(&addresses)
                    },
                )
            }),
        (
            name.clone(),
            name.clone(),
            prop::sample::subsequence(vec!["n1", "n2"], 0..=2)
        )
            .prop_map(|(name, of, nodes)| slice(name, mk_slice(of, &nodes))),
        (
            prop::sample::select(vec!["p", "q"]),
            prop::sample::select(vec!["10.0.0.0/24", "10.1.0.0/24"]),
            zone.clone()
        )
            .prop_map(|(name, range, labels)| pool(
                name,
                Pool {
                    labels: mk_labels(&labels),
                    ..mk_pool(range)
                }
            )),
        (
            name.clone(),
            prop::sample::subsequence(vec!["p", "q"], 0..=1),
            any::<[bool; 4]>(),
            zone.clone()
        )
            .prop_map(|(name, pools, [by_pool, by_service, by_node, listed], labels)| {
                let when = |wanted: bool| if wanted { mk_selector(&labels) } else { vec![] };
                advertisement(
                    name,
                    Advertisement {
                        pools: set(&pools),
                        pool_selectors: when(by_pool),
                        service_selectors: when(by_service),
                        node_selectors: when(by_node),
                        interfaces: set(if listed { &["eth0"] } else { &[] }),
                        ..Advertisement::default()
                    },
                )
            }),
        (node_name.clone(), zone, any::<[bool; 2]>()).prop_map(
            |(name, labels, [network_unavailable, drained])| {
                let addresses = ["10.0.0.2".parse().unwrap()].into();
                let node = Node {
                    labels: mk_labels(&labels),
                    addresses,
                    network_unavailable,
                    drained,
                    ..Node::default()
                };
                Fact::Node(name.to_owned(), Some(node))
            }
        ),
        (node_name, any::<bool>()).prop_map(|(name, ready)| speaker(name, ready)),
    ];
    (base, prop::bool::weighted(0.2)).prop_map(|(fact, gone)| if gone { fact.gone() } else { fact })
}

fn all(world: &World) -> Vec<(ServiceKey, Option<Decision>)> {
    keys(&["a", "b", "c"])
        .into_iter()
        .map(|key| (key.clone(), world.decide(&key)))
        .collect()
}

proptest! {
    /// Services outside the affected set are decided as before; no address ever has two owners; and the order
    /// in which the facts came does not matter.
    #[test]
    fn decisions_follow_the_facts(facts in prop::collection::vec(any_fact(), 1..60)) {
        let mut world = World::default();
        let mut latest: Vec<Fact> = Vec::new();
        for fact in facts {
            let before = all(&world);
            let affected = world.apply(fact.clone());
            for (key, old) in before {
                prop_assert!(affected.contains(&key) || world.decide(&key) == old, "{key} after {fact:?}");
            }
            let mut owners: Vec<(IpAddr, String)> = Vec::new();
            for (_, decision) in all(&world) {
                let Some(Decision { addresses, owner: Some(owner), .. }) = decision else { continue };
                owners.extend(addresses.into_iter().map(|address| (address, owner.clone())));
            }
            for (address, owner) in &owners {
                prop_assert!(owners.iter().all(|(other, by)| other != address || by == owner), "{owners:?}");
            }
            latest.retain(|known| (known.name(), std::mem::discriminant(known)) != (fact.name(), std::mem::discriminant(&fact)));
            latest.push(fact);
        }
        let mut fresh = World::default();
        for fact in latest.into_iter().rev() {
            fresh.apply(fact);
        }
        prop_assert_eq!(all(&fresh), all(&world));
    }
}
