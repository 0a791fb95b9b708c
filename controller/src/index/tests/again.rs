//! A 409 without anything newer behind it: a proxy, or a watch that is broken.

use super::*;

fn refuse(cluster: &mut Cluster, write: Write<Key>) {
    let target = write.target.clone();
    let result = Err(Refusal::Conflict { target });
    cluster.answered(write, result);
}

#[test]
fn a_conflict_after_which_nothing_newer_is_seen_is_decided_again() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let write = cluster.pending.pop_front().unwrap();
    refuse(&mut cluster, write);
    cluster.tell("s");
    cluster.pass(Duration::from_millis(499));
    assert_eq!(cluster.shown("s"), " (-)", "the newer form is awaited");
    assert!(cluster.index.poll_timeout().is_some());
    cluster.pass(Duration::from_millis(1));
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

#[test]
fn so_are_the_counters_of_a_pool() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.pass(Duration::from_secs(2));
    cluster.put_service(mk_service("s", 0));
    cluster.tell("s");
    let is_pool = |write: &Write<Key>| matches!(write.key, Key::Pool(_));
    let place = cluster.pending.iter().position(is_pool).unwrap();
    let write = cluster.pending.remove(place).unwrap();
    refuse(&mut cluster, write);
    cluster.settle();
    cluster.pass(Duration::from_secs(1));
    assert_eq!(cluster.pools["p"]["status"]["assignedIPv4"], 1);
}

/// A late write of the leader before would meet 409 as well; but only the watch tells what had landed before.
#[test]
fn a_stamp_that_meets_409_is_sent_again() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[mk_service("s", 0)]);
    cluster.input(Input::Lead(Some(Lead {
        epoch: 3,
        predecessor: Predecessor::Expired,
    })));
    let write = cluster.pending.pop_front().unwrap();
    refuse(&mut cluster, write);
    assert!(!cluster.index.is_deciding() && cluster.pending.is_empty());
    cluster.pass(Duration::from_millis(500));
    assert!(cluster.index.is_deciding());
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

/// The Lease was deleted since, and counts from the beginning: the same number comes again, and to write it again would
/// change nothing, not even the version.
#[test]
fn a_stamp_of_a_former_lease_is_no_stamp() {
    let mut service = mk_service("s", 0);
    merge(
        &mut service,
        &json!({ "metadata": { "annotations": { "cortenlb.io/epoch": "3" } } }),
    );
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[service]);
    let before = cluster.services["s"]["metadata"]["resourceVersion"].clone();
    cluster.input(Input::Lead(Some(Lead {
        epoch: 3,
        predecessor: Predecessor::Expired,
    })));
    assert!(!cluster.index.is_deciding());
    let Op::Patch { body, .. } = &cluster.pending[0].op else {
        panic!()
    };
    let body = body.read();
    let stamp = body["metadata"]["annotations"]["cortenlb.io/epoch"]
        .as_str()
        .unwrap();
    assert_eq!(stamp, format!("3.{}", before.as_str().unwrap()));
    cluster.settle();
    assert!(cluster.index.is_deciding());
}
