use cortenlb_crds::BGPPeer;

use super::*;

fn mk_peer(generation: i64) -> BGPPeer {
    serde_json::from_value(json!({
        "apiVersion": "metallb.io/v1beta2",
        "kind": "BGPPeer",
        "metadata": { "name": "b", "namespace": "metallb-system", "uid": "u", "generation": generation },
        "spec": { "myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1" },
    }))
    .unwrap()
}

#[test]
fn a_peer_is_told_once_for_each_generation() {
    let mut cluster = Cluster::with(&[], &[]);
    cluster.input(Input::Peers(Change::Reset(vec![mk_peer(1)])));
    cluster.input(Input::Peers(Change::Apply(mk_peer(1))));
    let log = cluster.take_log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(
        log[0].starts_with("BGPNotSupported BGP is not supported by this version"),
        "{log:?}"
    );
    cluster.input(Input::Peers(Change::Apply(mk_peer(2))));
    assert_eq!(cluster.take_log().len(), 1);
}

#[test]
fn who_does_not_lead_tells_nobody_until_it_leads() {
    let mut cluster = Cluster::following(&[], &[]);
    cluster.input(Input::Peers(Change::Reset(vec![mk_peer(1)])));
    assert!(cluster.take_log().is_empty());
    cluster.input(Input::Lead(Some(LEAD)));
    assert_eq!(cluster.take_log().len(), 1);
}
