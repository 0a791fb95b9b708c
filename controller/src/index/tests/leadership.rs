use super::*;

#[test]
fn who_does_not_lead_decides_nothing_and_follows_what_the_leader_did_when_it_leads() {
    let pool = mk_pool("p", &["10.0.0.0/24"]);
    let mut cluster = Cluster::following(&[pool], &[mk_service("a", 5), mk_service("b", 1)]);
    assert!(cluster.pending.is_empty() && cluster.index.poll_timeout().is_none());
    // The leader served the younger one first.
    cluster.put_service(mk_holder("b", 1, "10.0.0.0", "p"));
    cluster.tell("b");
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    assert_eq!(
        (cluster.shown("a").as_str(), cluster.shown("b").as_str()),
        ("10.0.0.1 (p)", "10.0.0.0 (p)")
    );
}

#[test]
fn writes_that_were_dropped_without_the_lease_are_made_anew() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    assert_eq!(cluster.pending.len(), 1);
    cluster.pending.clear();
    cluster.input(Input::Lead(None));
    cluster.tell("s");
    assert!(cluster.pending.is_empty());
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}
