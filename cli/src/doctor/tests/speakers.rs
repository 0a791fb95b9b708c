//! Our own pods.

use super::*;

#[test]
fn clb009_and_clb010_speakers_that_are_not_there() {
    assert_eq!(
        found(|facts, _| facts.pods[1] = mk_pod("speaker", "n2", false)),
        ["CLB009 Error: speakers that are not Ready: speaker-n2 (n2)"]
    );
    assert_eq!(
        found(|facts, _| drop(facts.pods.remove(1))),
        ["CLB010 Warning: nodes without a speaker: n2"]
    );
    let told = found(|facts, _| {
        facts
            .pods
            .retain(|pod| pod.metadata.name.as_deref() == Some("controller-n1"));
    });
    assert!(
        told.contains(&"CLB010 Error: nodes without a speaker: n1, n2, n3".to_owned()),
        "{told:?}"
    );
}

#[test]
fn commands_name_the_workloads_as_the_release_does() {
    let fixes = |change: &dyn Fn(&mut Around)| -> Vec<String> {
        let (mut facts, mut around) = mk_healthy();
        facts.pods.clear();
        change(&mut around);
        let findings = report(&facts, &around).findings.into_iter();
        let codes = [Code::NoSpeaker, Code::NoController];
        let ours = findings.filter(|finding| codes.contains(&finding.code));
        ours.map(|finding| finding.fix).collect()
    };
    let pods = "kubectl get pods -n metallb-system -l cortenlb.io/component=controller";
    assert_eq!(
        fixes(&|_| {}),
        [
            "kubectl describe daemonset -n metallb-system speaker; kubectl describe node n1".to_owned(),
            format!("{pods}; kubectl describe deployment -n metallb-system controller"),
        ]
    );
    let released = fixes(&|around| {
        let mut other = mk_workload("elsewhere", "controller");
        other["metadata"]["namespace"] = "elsewhere".into();
        around.deployments = vec![
            from(other),
            from(mk_workload("metallb-frr", "x")),
            from(mk_workload("metallb-controller", "controller")),
        ];
        around.daemon_sets = vec![from(mk_workload("metallb-speaker", "speaker"))];
    });
    assert_eq!(
        released,
        [
            "kubectl describe daemonset -n metallb-system metallb-speaker; kubectl describe node n1"
                .to_owned(),
            format!("{pods}; kubectl describe deployment -n metallb-system metallb-controller"),
        ]
    );
    let gone = fixes(&|around| {
        around.deployments.clear();
        around.daemon_sets.clear();
    });
    assert_eq!(
        gone,
        [
            "kubectl describe daemonset -n metallb-system; kubectl describe node n1".to_owned(),
            format!("{pods}; kubectl describe deployment -n metallb-system"),
        ]
    );
}

#[test]
fn clb012_speakers_that_hear_no_other_one() {
    let told = found(|_, around| {
        for told in &mut around.membership[..2] {
            told.answer = Ok(Membership {
                unheard: true,
                ..Membership::default()
            });
        }
    });
    assert_eq!(told, ["CLB012 Error: speakers that hear no other one: on n1, n2"]);
}

/// The speaker hears no one of these.
fn misses(told: &mut Told<Membership>, nodes: &[&str]) {
    let missing = nodes.iter().map(|node| (*node).to_owned()).collect();
    told.answer = Ok(Membership {
        missing,
        ..Membership::default()
    });
}

#[test]
fn clb012_one_direction_between_two_speakers() {
    let pairs = found(|_, around| {
        misses(&mut around.membership[2], &["n2"]);
        misses(&mut around.membership[0], &["n2", "n3"]);
    });
    assert_eq!(
        pairs,
        [
            "CLB012 Warning: speakers that do not hear all others: n1 does not hear n2, n1 does not hear n3, n3 does not \
             hear n2"
        ]
    );
    let none: [&str; 0] = [];
    assert_eq!(
        found(|_, around| misses(&mut around.membership[0], &["n9"])),
        none,
        "no speaker runs there"
    );
    let not_ready = found(|facts, around| {
        misses(&mut around.membership[0], &["n2"]);
        facts.pods[1] = mk_pod("speaker", "n2", false);
    });
    assert_eq!(
        not_ready,
        ["CLB009 Error: speakers that are not Ready: speaker-n2 (n2)"]
    );
    let silent = found(|_, around| {
        misses(&mut around.membership[0], &["n2"]);
        around.membership[1].answer = Err("no answer".to_owned());
    });
    assert_eq!(silent, none, "whoever does not answer us may be stuck");
}

#[test]
fn clb012_whoever_hears_nobody_is_named_once() {
    let told = found(|_, around| {
        around.membership[0].answer = Ok(Membership {
            unheard: true,
            missing: vec!["n2".to_owned(), "n3".to_owned()],
            attached: None,
        });
    });
    assert_eq!(told, ["CLB012 Error: speakers that hear no other one: on n1"]);
}

#[test]
fn a_speaker_of_an_earlier_version_misses_none() {
    let told: Membership = crate::gather::speakers::understood(r#"{"unheard": true}"#).unwrap();
    let expected = Membership {
        unheard: true,
        ..Membership::default()
    };
    assert_eq!(told, expected);
}
