//! The rules about nodes: who is a candidate, over which interfaces, and who of them is preferred.

use super::*;

fn verdict(decision: &Decision, node: &str) -> Result<Interfaces, Reason> {
    decision.verdicts[node]
        .clone()
        .map(|candidate| candidate.interfaces)
}

fn mk_node(change: impl FnOnce(&mut Node)) -> Fact {
    let mut node = Node::default();
    change(&mut node);
    Fact::Node("n1".to_owned(), Some(node))
}

/// Each fact takes n1 out, for its own reason, and nobody else.
#[test]
fn a_node_is_no_candidate_for_each_of_these_reasons() {
    let not_n1 = LabelSelector::default()
        .and_expression("not", "DoesNotExist", [])
        .unwrap();
    let draining = Speaker {
        drains_cordoned: true,
        ..mk_speaker("n1", true)
    };
    let rows: Vec<(Vec<Fact>, Reason)> = vec![
        (vec![node("n1", &[(EXCLUDE_LABEL, "")])], Reason::Excluded),
        (vec![node("n1", &[(EXCLUDE_LABEL, "false")])], Reason::Excluded),
        (
            vec![mk_node(|node| node.network_unavailable = true)],
            Reason::NetworkUnavailable,
        ),
        (vec![mk_node(|node| node.drained = true)], Reason::Drained),
        (
            vec![mk_node(|node| node.shutting_down = true)],
            Reason::ShuttingDown,
        ),
        (
            vec![
                mk_node(|node| node.cordoned = true),
                Fact::Speaker("speaker-n1".to_owned(), Some(draining)),
            ],
            Reason::Cordoned,
        ),
        (vec![speaker("n1", true).gone()], Reason::NoSpeaker),
        (vec![speaker("n1", false)], Reason::SpeakerNotReady),
        (
            vec![
                node("n1", &[("not", "me")]),
                advertisement(
                    "all",
                    Advertisement {
                        node_selectors: vec![not_n1],
                        ..Advertisement::default()
                    },
                ),
            ],
            Reason::NotSelected {
                advertisements: set(&["all"]),
            },
        ),
        (
            vec![
                service(
                    "web",
                    Service {
                        local: true,
                        ..mk_service(&[VIP])
                    },
                ),
                slice("web-1", mk_slice("web", &["n2", "n3"])),
            ],
            Reason::NoLocalEndpoint,
        ),
    ];
    for (facts, reason) in rows {
        let decision = after(facts);
        assert_eq!(verdict(&decision, "n1"), Err(reason.clone()));
        assert_eq!(candidates(&decision), ["n2", "n3"], "{reason}");
        assert_ne!(decision.owner.as_deref(), Some("n1"));
        assert!(decision.owner.is_some());
    }
}

#[test]
fn a_node_that_went_away_is_not_mentioned() {
    let decision = after([node("n1", &[]).gone()]);
    assert_eq!(decision.verdicts.into_keys().collect::<Vec<_>>(), ["n2", "n3"]);
}

#[test]
fn one_ready_pod_is_enough_while_a_speaker_is_being_replaced() {
    let new = Fact::Speaker("speaker-new".to_owned(), Some(mk_speaker("n1", true)));
    assert_eq!(
        candidates(&after([speaker("n1", false), new])),
        ["n1", "n2", "n3"]
    );
}

#[test]
fn a_cordoned_node_is_a_candidate_unless_the_speakers_are_told_otherwise() {
    let decision = after([mk_node(|node| node.cordoned = true)]);
    assert_eq!(candidates(&decision), ["n1", "n2", "n3"]);
}

#[test]
fn a_speaker_can_be_told_to_ignore_the_exclusion() {
    let ignoring = Speaker {
        ignores_exclusion: true,
        ..mk_speaker("n1", true)
    };
    let facts = [
        node("n1", &[(EXCLUDE_LABEL, "")]),
        node("n2", &[(EXCLUDE_LABEL, "")]),
        Fact::Speaker("speaker-n1".to_owned(), Some(ignoring)),
    ];
    assert_eq!(candidates(&after(facts)), ["n1", "n3"]);
}

#[test]
fn interfaces_are_the_union_over_the_advertisements_of_the_node() {
    let on = |interfaces: &[&str], zone: &str| Advertisement {
        interfaces: set(interfaces),
        node_selectors: mk_selector(&[("zone", zone)]),
        ..Advertisement::default()
    };
    let decision = after([
        advertisement("all", Advertisement::default()).gone(),
        node("n1", &[("zone", "a")]),
        node("n2", &[("zone", "b")]),
        advertisement("a-eth1", on(&["eth1"], "a")),
        advertisement("a-eth2", on(&["eth2"], "a")),
        advertisement("b-eth1", on(&["eth1"], "b")),
        advertisement("b-any", on(&[], "b")),
    ]);
    assert_eq!(
        verdict(&decision, "n1"),
        Ok(Interfaces::Listed(set(&["eth1", "eth2"])))
    );
    assert_eq!(verdict(&decision, "n2"), Ok(Interfaces::All));
    assert!(matches!(
        verdict(&decision, "n3"),
        Err(Reason::NotSelected { .. })
    ));
}

#[test]
fn preferred_nodes_go_first_while_they_can() {
    let favour = |weight, zone| Preference {
        weight,
        selector: LabelSelector::from_labels(&mk_labels(&[("zone", zone)])),
    };
    for favourite in ["n1", "n2", "n3"] {
        let rest = if favourite == "n1" { "n2" } else { "n1" };
        let facts = [
            advertisement(
                "all",
                Advertisement {
                    preferences: vec![favour(1, "b"), favour(100, "a")],
                    ..Advertisement::default()
                },
            ),
            node(favourite, &[("zone", "a")]),
            node(rest, &[("zone", "b")]),
        ];
        assert_eq!(after(facts.clone()).owner.as_deref(), Some(favourite));
        assert_eq!(
            after(facts.into_iter().chain([speaker(favourite, false)]))
                .owner
                .as_deref(),
            Some(rest)
        );
    }
}

#[test]
fn services_that_share_an_address_have_one_owner() {
    for last in 240..=250 {
        let vip = format!("172.21.5.{last}");
        let mut world = cluster();
        world.apply(service("web", mk_service(&[&vip, "fd00:5::240"])));
        world.apply(service("dns", mk_service(&["fd00:5::240"])));
        world.apply(slice("dns-1", mk_slice("dns", &["n3"])));
        let owner = decide(&world, "web").owner;
        assert!(owner.is_some());
        assert_eq!(decide(&world, "dns").owner, owner);
    }
}

/// A shared key says nothing about the pods behind two Local Services of different namespaces.
#[test]
fn a_service_whose_nodes_cannot_announce_its_sharers_gives_way() {
    let local = Service {
        local: true,
        ..mk_service(&[VIP])
    };
    let mut world = cluster();
    world.apply(service("web", local.clone()));
    world.apply(service("dns", local));
    world.apply(slice("dns-1", mk_slice("dns", &["n2", "n3"])));
    assert_eq!(decide(&world, "web").owner.as_deref(), Some("n2"));
    assert_eq!(decide(&world, "dns").owner.as_deref(), Some("n2"));

    world.apply(slice("dns-1", mk_slice("dns", &["n3"])));
    assert_eq!(decide(&world, "dns").owner.as_deref(), Some("n3"));
    let web = decide(&world, "web");
    assert_eq!(web.owner, None);
    assert_eq!(
        verdict(&web, "n1"),
        Err(Reason::SharedAddressElsewhere {
            owner: "n3".to_owned()
        })
    );

    world.apply(slice("dns-1", mk_slice("dns", &[])));
    assert!(decide(&world, "web").owner.is_some());
}

/// Who hears the speakers knows better than the API server which ones live.
#[test]
fn a_speaker_that_is_heard_need_not_be_ready() {
    let mut world = fill(World::of_heard_speakers());
    world.apply(speaker("n1", false));
    let decision = decide(&world, "web");
    assert_eq!(candidates(&decision), ["n1", "n2", "n3"]);
    assert_eq!(decision.group.unwrap().candidates.len(), 3);
    assert_eq!(
        world.speakers().into_keys().collect::<Vec<_>>(),
        ["n1", "n2", "n3"]
    );
}
