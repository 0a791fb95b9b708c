use std::sync::Arc;

use super::*;

fn announced(cluster: &mut Cluster, name: &str, verdict: Option<(bool, &str)>) {
    let verdict = verdict.map(|(status, reason)| {
        Arc::new(Verdict {
            status,
            reason: reason.to_owned(),
            message: "m".to_owned(),
        })
    });
    cluster.input(Input::Announced {
        service: ServiceKey::new("ns", name),
        verdict,
    });
    cluster.settle();
}

#[test]
fn the_list_of_conditions_has_one_owner_and_keeps_those_of_others() {
    let mut service = mk_service("s", 0);
    service["status"] = json!({ "conditions": [{
        "type": "example.com/Other", "status": "True", "reason": "R", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[service]);
    cluster.take_log();
    announced(&mut cluster, "s", Some((false, "NoEndpoints")));
    announced(&mut cluster, "s", Some((false, "NoEndpoints")));
    assert_eq!(cluster.take_log(), ["patch s"]);
    assert_eq!(
        cluster.condition("s", "cortenlb.io/Announced"),
        "False NoEndpoints: m"
    );
    assert_eq!(cluster.assigned("s"), "True Assigned: 10.0.0.0 from pool \"p\"");
    assert_eq!(cluster.condition("s", "example.com/Other"), "True R: ");
    announced(&mut cluster, "s", None);
    assert_eq!(cluster.condition("s", "cortenlb.io/Announced"), "");
    assert_eq!(cluster.take_log(), ["patch s"]);
}

#[test]
fn a_transition_is_dated_only_when_the_status_changes() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    let date = |cluster: &Cluster| {
        let conditions = cluster.services["s"]["status"]["conditions"].as_array().unwrap();
        let found = conditions
            .iter()
            .find(|condition| condition["type"] == "cortenlb.io/Announced")
            .unwrap();
        found["lastTransitionTime"].as_str().unwrap().to_owned()
    };
    announced(&mut cluster, "s", Some((false, "NoEndpoints")));
    let first = date(&cluster);
    cluster.now.wall = Timestamp::from_second(100).unwrap();
    announced(&mut cluster, "s", Some((false, "NoSpeaker")));
    assert_eq!(date(&cluster), first);
    announced(&mut cluster, "s", Some((true, "Announced")));
    assert_eq!(date(&cluster), "1970-01-01T00:01:40Z");
}

#[test]
fn without_address_there_is_nothing_to_announce() {
    let mut cluster = Cluster::with(&[], &[mk_service("s", 0)]);
    cluster.take_log();
    announced(&mut cluster, "s", Some((false, "NoEndpoints")));
    assert!(cluster.take_log().is_empty());
    // It is said together with the address when that comes.
    cluster.apply_pool(mk_pool("p", &["10.0.0.0/24"]));
    assert_eq!(
        cluster
            .take_log()
            .iter()
            .filter(|line| *line == "patch s")
            .count(),
        1
    );
    assert_eq!(
        cluster.condition("s", "cortenlb.io/Announced"),
        "False NoEndpoints: m"
    );
}

#[test]
fn what_was_said_before_a_restart_stays_until_it_is_known_better() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    announced(&mut cluster, "s", Some((true, "Announced")));
    cluster.take_log();
    cluster.restart();
    assert!(cluster.take_log().is_empty());
    assert_eq!(
        cluster.condition("s", "cortenlb.io/Announced"),
        "True Announced: m"
    );
}

#[test]
fn the_pool_that_goes_is_told_and_the_one_that_returns_too() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.take_log();
    cluster.delete_pool("p");
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    let message =
        "keeps 10.0.0.0, although no valid IPAddressPool contains it any more; it came from pool \"p\"";
    assert_eq!(cluster.assigned("s"), format!("True PoolGone: {message}"));
    assert_eq!(
        cluster.take_log(),
        ["patch s".to_owned(), format!("PoolGone {message}")]
    );
    cluster.restart();
    assert!(cluster.take_log().is_empty());
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    cluster.apply_pool(mk_pool("p", &["10.0.0.0/24"]));
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    assert_eq!(cluster.assigned("s"), "True Assigned: 10.0.0.0 from pool \"p\"");
    assert_eq!(cluster.take_log(), ["patch s"]);
}
