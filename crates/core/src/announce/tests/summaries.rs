//! What the user reads in the condition.

use super::*;

fn summary(facts: impl IntoIterator<Item = Fact>) -> (&'static str, String) {
    let summary = after(facts).obstacle().unwrap();
    (summary.reason, summary.message)
}

#[test]
fn no_advertisement_names_the_pool() {
    let gone = advertisement("all", Advertisement::default()).gone();
    let (reason, message) = summary([gone]);
    assert_eq!(reason, "NoAdvertisement");
    assert_eq!(
        message,
        "no L2Advertisement selects IPAddressPool \"pool\"; one with an empty spec would announce every pool"
    );
    let one = Advertisement {
        service_selectors: mk_selector(&[("a", "b")]),
        ..Advertisement::default()
    };
    assert_eq!(
        summary([advertisement("all", one)]).1,
        "the serviceSelectors of L2Advertisement all, which selects IPAddressPool \"pool\", leave this Service out"
    );
}

#[test]
fn no_endpoints_says_when_it_ends() {
    let (reason, message) = summary([slice("web-1", mk_slice("web", &[]))]);
    assert_eq!(reason, "NoEndpoints");
    assert_eq!(
        message,
        "no endpoint of the Service is ready; it is announced as soon as one is"
    );
}

#[test]
fn all_nodes_excluded_says_how_to_mend_it() {
    let excluded = |name| node(name, &[(EXCLUDE_LABEL, "")]);
    let (reason, message) = summary(["n1", "n2", "n3"].map(excluded));
    assert_eq!(reason, "AllNodesExcluded");
    assert_eq!(
        message,
        "every node that could announce the address has the label \
         node.kubernetes.io/exclude-from-external-load-balancers: n1, n2, n3; to let a node announce: \
         kubectl label node n1 node.kubernetes.io/exclude-from-external-load-balancers-"
    );
    // Nodes that no advertisement selects do not count.
    let a = Advertisement {
        node_selectors: mk_selector(&[("zone", "a")]),
        ..Advertisement::default()
    };
    let facts = [
        node("n2", &[("zone", "a"), (EXCLUDE_LABEL, "")]),
        advertisement("all", a),
    ];
    assert_eq!(summary(facts).0, "AllNodesExcluded");
}

#[test]
fn no_eligible_node_groups_the_nodes_by_reason() {
    let (reason, message) = summary([
        node("n1", &[(EXCLUDE_LABEL, "")]),
        speaker("n2", false),
        speaker("n3", false),
    ]);
    assert_eq!(reason, "NoEligibleNode");
    assert_eq!(
        message,
        "no node can announce the address; excluded by label \
         node.kubernetes.io/exclude-from-external-load-balancers: n1; the speaker is not Ready: n2, n3"
    );
    let nobody = ["n1", "n2", "n3"].map(|name| node(name, &[]).gone());
    assert_eq!(
        summary(nobody),
        ("NoEligibleNode", "the cluster has no node".to_owned())
    );
}

#[test]
fn long_lists_are_cut() {
    let many = (0..1000).flat_map(|number| [node(&format!("w{number:03}"), &[])]);
    let facts = many.chain(["n1", "n2", "n3"].map(|name| node(name, &[]).gone()));
    assert_eq!(
        summary(facts).1,
        "no node can announce the address; no speaker runs there: w000, w001, w002, w003, w004 and 995 more"
    );
}

/// One of each.
fn every_reason() -> Vec<Reason> {
    let all = vec![
        Reason::NotSelected {
            advertisements: set(&["all"]),
        },
        Reason::Excluded,
        Reason::Drained,
        Reason::Cordoned,
        Reason::ShuttingDown,
        Reason::NetworkUnavailable,
        Reason::NoSpeaker,
        Reason::SpeakerNotReady,
        Reason::NoLocalEndpoint,
        Reason::SharedAddressElsewhere { owner: "n1".into() },
    ];
    for reason in &all {
        // Who is made to add a variant here adds it above as well.
        match reason {
            Reason::NotSelected { .. }
            | Reason::Excluded
            | Reason::Drained
            | Reason::Cordoned
            | Reason::ShuttingDown
            | Reason::NetworkUnavailable
            | Reason::NoSpeaker
            | Reason::SpeakerNotReady
            | Reason::NoLocalEndpoint
            | Reason::SharedAddressElsewhere { .. } => {}
        }
    }
    all
}

#[test]
fn the_page_of_conditions_has_what_is_said_of_a_node_and_nothing_else() {
    let page = include_str!("../../../../../docs/reference-conditions.md");
    let (_, rest) = page
        .split_once("What the message of `NoEligibleNode` says of a node:")
        .unwrap();
    let table = rest.split("\n## ").next().unwrap();
    let texts = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let texts: Vec<&str> = texts.map(|text| text.trim_end_matches(" …")).collect();
    let reasons: Vec<String> = every_reason().iter().map(ToString::to_string).collect();
    for reason in &reasons {
        let listed = texts.iter().filter(|text| reason.starts_with(**text));
        assert_eq!(listed.count(), 1, "{reason}");
    }
    assert_eq!(texts.len(), reasons.len(), "{texts:?}");
}
