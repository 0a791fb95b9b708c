//! Speakers of MetalLB that are Ready.

use super::*;

fn rival(pod: &str) -> Fact {
    Fact::Rival(pod.to_owned(), Some(()))
}

#[test]
fn while_a_speaker_of_metallb_is_ready_nobody_is_a_candidate() {
    let mut world = cluster();
    for (pods, refused_for) in [
        (&["metallb-a"][..], Some("metallb-a")),
        (&["metallb-b", "metallb-a"], Some("metallb-a")),
        (&["metallb-b"], Some("metallb-b")),
        (&[], None),
    ] {
        world.reset(Kind::Rival, pods.iter().map(|pod| rival(pod)).collect());
        let decision = decide(&world, "web");
        let refusal = refused_for.map(|pod| Refusal::MetalLbSpeaker { pod: pod.to_owned() });
        assert_eq!(decision.refusal, refusal, "{pods:?}");
        assert_eq!(decision.group.is_some(), refused_for.is_none(), "{pods:?}");
        assert_eq!(decision.owner.is_some(), refused_for.is_none(), "{pods:?}");
        assert_eq!(
            candidates(&decision).is_empty(),
            refused_for.is_some(),
            "{pods:?}"
        );
    }
}

#[test]
fn without_an_address_that_is_the_reason() {
    let decision = after([rival("metallb-a"), service("web", mk_service(&[]))]);
    assert_eq!(decision.refusal, Some(Refusal::NoAddress));
}

#[test]
fn only_the_first_of_them_concerns_services() {
    let mut world = cluster();
    assert_eq!(world.apply(rival("metallb-b")), keys(&["web"]));
    assert_eq!(world.apply(rival("metallb-c")), keys(&[]));
    assert_eq!(world.apply(rival("metallb-c").gone()), keys(&[]));
    assert_eq!(world.apply(rival("metallb-b").gone()), keys(&["web"]));
}

#[test]
fn nothing_is_decided_before_it_is_known_whether_there_are_any() {
    let mut world = World::default();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Rival) {
        world.reset(kind, vec![]);
    }
    assert!(!world.is_synced());
    world.reset(Kind::Rival, vec![]);
    assert!(world.is_synced());
}

#[test]
fn the_condition_names_the_pod_and_says_when_it_ends() {
    let summary = after([rival("metallb-a")]).obstacle().unwrap();
    assert_eq!(summary.reason, "MetalLBRunning");
    assert_eq!(
        summary.message,
        "no address is announced while a speaker of MetalLB runs (pod metallb-a): it goes when its DaemonSet is \
         replaced or deleted"
    );
}
