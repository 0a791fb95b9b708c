//! Taking over from other nodes, and from a MetalLB that runs.

use super::*;

#[test]
fn every_service_of_a_group_that_was_taken_over_is_told() {
    let index = mk_cluster();
    let takeover = |group: &str| crate::l2::Takeover {
        group: group.parse().unwrap(),
        message: "took over".to_owned(),
    };
    let [note] = &index.took_over(&takeover(VIP))[..] else {
        panic!("one Service has the address");
    };
    assert_eq!(
        (note.reason.as_str(), note.message.as_str()),
        ("tookOver", "took over")
    );
    assert_eq!(note.involved.uid.as_deref(), Some("uid-of-web"));
    assert!(index.took_over(&takeover("172.21.5.241")).is_empty());
}

/// A pod with the labels of MetalLB's speakers.
fn mk_foreign(name: &str, ready: bool) -> Foreign {
    Foreign::of(&mk(json!({
        "metadata": {
            "namespace": "metallb-system", "name": name, "labels": { "app": "metallb", "component": "speaker" },
        },
        "status": { "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] },
    })))
}

const ANNOUNCED: [&str; 4] = [
    "table [172.21.5.240]",
    "announced default/web 172.21.5.240",
    ASSIGNED,
    "create for default/web",
];

#[test]
fn while_a_speaker_of_metallb_is_ready_there_is_nothing_to_announce_and_the_speakers_hear_each_other() {
    let mut index = mk_index();
    first_lists().into_iter().for_each(|input| index.handle(input));
    let running = vec![mk_foreign("metallb-a", true), mk_foreign("metallb-b", true)];
    index.handle(Change::Reset(running).into());
    let effects = settle(&mut index);
    let [Effect::Plan(plan)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((plan.speakers.len(), plan.groups.len()), (1, 0));
    assert!(plan.is_held);
    // It is Ready all the same: the pods are replaced one by one.
    assert!(index.is_settled());
    assert_eq!(
        after(&mut index, Change::Delete(mk_foreign("metallb-a", true))),
        [""; 0]
    );
    // The last one: at once.
    assert_eq!(
        after(&mut index, Change::Apply(mk_foreign("metallb-b", false))),
        ANNOUNCED
    );
}

#[test]
fn what_is_announced_ends_when_a_speaker_of_metallb_comes_and_goes_on_when_it_has_gone() {
    let mut index = mk_cluster();
    assert_eq!(
        after(&mut index, Change::Apply(mk_foreign("metallb-a", false))),
        [""; 0]
    );
    assert_eq!(
        after(&mut index, Change::Apply(mk_foreign("metallb-a", true))),
        ["table []", "withdrawn default/web 172.21.5.240 MetalLBRunning",]
    );
    assert_eq!(
        after(&mut index, Change::Delete(mk_foreign("metallb-a", true)))[..3],
        ANNOUNCED[..3]
    );
}
