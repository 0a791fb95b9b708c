use cortenlb_crds::L2Advertisement;

use super::*;
use crate::index::advertisements::PATIENCE;

fn mk_advertisement(generation: i64, pools: &[&str]) -> L2Advertisement {
    serde_json::from_value(json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": { "name": "a", "namespace": "metallb-system", "uid": "u", "generation": generation },
        "spec": { "ipAddressPools": pools },
    }))
    .unwrap()
}

/// Leads, and has told the pool's status.
fn mk_cluster() -> Cluster {
    let mut cluster = Cluster::with(&[mk_pool("default", &["10.0.0.0/24"])], &[]);
    cluster.pass(Duration::from_secs(2));
    assert_eq!(cluster.index.poll_timeout(), None);
    cluster
}

#[test]
fn an_advertisement_that_names_an_unknown_pool_is_told_once_for_each_generation() {
    let mut cluster = mk_cluster();
    let typo = || mk_advertisement(1, &["default", "defualt"]);
    cluster.input(Input::Advertisements(Change::Reset(vec![typo()])));
    assert_eq!(cluster.index.poll_timeout(), Some(cluster.now.boot + PATIENCE));
    cluster.pass(PATIENCE);
    assert_eq!(
        cluster.take_log(),
        [
            "UnknownPool there is no IPAddressPool of this name: \"defualt\" (spec.ipAddressPools[1]); until there is one, \
             it gives this advertisement no new address to announce; correct the name, or create the pool; those that exist: \
             default"
        ]
    );
    let (name, note) = cluster.notes.pop().unwrap();
    assert_eq!((name.as_str(), note.involved.uid.as_deref()), ("a", Some("u")));
    cluster.input(Input::Advertisements(Change::Apply(typo())));
    assert_eq!(cluster.index.poll_timeout(), None, "the same generation");
    cluster.input(Input::Advertisements(Change::Apply(mk_advertisement(
        2,
        &["dflt"],
    ))));
    cluster.pass(PATIENCE);
    assert_eq!(cluster.take_log().len(), 1);
    cluster.input(Input::Advertisements(Change::Apply(mk_advertisement(
        3,
        &["default"],
    ))));
    cluster.pass(PATIENCE);
    let none: [&str; 0] = [];
    assert_eq!(cluster.take_log(), none);
}

#[test]
fn a_pool_may_come_a_moment_after_its_advertisement() {
    let mut cluster = mk_cluster();
    cluster.input(Input::Advertisements(Change::Apply(mk_advertisement(
        1,
        &["late"],
    ))));
    cluster.apply_pool(mk_pool("late", &["10.0.1.0/24"]));
    cluster.pass(PATIENCE);
    let none: [&str; 0] = [];
    assert_eq!(cluster.take_log(), none);
}

#[test]
fn an_advertisement_that_is_gone_is_told_nothing() {
    let mut cluster = mk_cluster();
    let typo = || mk_advertisement(1, &["defualt"]);
    let gone = [Change::Delete(typo()), Change::Reset(Vec::new())];
    for change in gone {
        cluster.input(Input::Advertisements(Change::Apply(typo())));
        cluster.input(Input::Advertisements(change));
        assert_eq!(cluster.index.poll_timeout(), None);
    }
}

#[test]
fn a_standby_tells_no_advertisement_until_it_leads() {
    let mut cluster = Cluster::following(&[], &[]);
    cluster.input(Input::Advertisements(Change::Apply(mk_advertisement(1, &["x"]))));
    cluster.pass(PATIENCE);
    assert!(cluster.take_log().is_empty());
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    cluster.pass(PATIENCE);
    let log = cluster.take_log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].ends_with("those that exist: none"), "{log:?}");
}
