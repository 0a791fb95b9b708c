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

/// The Lease is lost and won again while a write is under way, and the write is made anew.
#[test]
fn the_answer_to_a_write_of_an_earlier_term_is_not_taken_for_this_ones() {
    let refused = |write: &Write<Key>| {
        Err(Refusal::Conflict {
            target: write.target.clone(),
        })
    };
    let landed = |_: &Write<Key>| {
        let holder = mk_holder("s", 0, "10.0.0.0", "p");
        Ok(Some(Box::new(serde_json::from_value(holder).unwrap())))
    };
    let answers: [fn(&Write<Key>) -> Answer; 2] = [refused, landed];
    for answer in answers {
        let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
        cluster.put_service(mk_service("s", 0));
        cluster.tell("s");
        let old = cluster.pending.pop_front().unwrap();
        cluster.take_log();
        cluster.input(Input::Lead(None));
        cluster.input(Input::Lead(Some(Lead { epoch: 2, ..LEAD })));
        let writes = cluster.pending.clone();
        assert!(writes.contains(&old), "decided anew: {writes:?}");
        let result = answer(&old);
        cluster.answered_in(LEAD.epoch, old, result);
        assert_eq!(cluster.take_log(), Vec::<String>::new());
        assert_eq!(cluster.pending, writes);
        cluster.settle();
        assert_eq!(
            cluster.take_log(),
            ["patch s", "IPAllocated Assigned IP [\"10.0.0.0\"]"]
        );
    }
}
