//! Nobody is said to have an address that another status still shows.

use super::*;

/// `a` has 10.0.0.0, which `b` asks for.
fn mk_cluster() -> Cluster {
    let mut asking = mk_service("b", 1);
    merge(&mut asking, &asking_for("10.0.0.0"));
    let cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/30"])], &[mk_service("a", 2), asking]);
    assert_eq!(cluster.shown("a"), "10.0.0.0 (p)");
    assert!(
        cluster.assigned("b").starts_with("False AddressInUse"),
        "{}",
        cluster.assigned("b")
    );
    cluster
}

/// Changes a Service without answering anything.
fn edit(cluster: &mut Cluster, name: &str, patch: &Value) {
    let mut service = cluster.services[name].clone();
    merge(&mut service, patch);
    cluster.put_service(service);
    cluster.tell(name);
}

fn pending(cluster: &Cluster) -> Vec<&str> {
    let writes = cluster.pending.iter();
    writes
        .filter_map(|write| match &write.key {
            Key::Service(key) => Some(key.name()),
            _ => None,
        })
        .collect()
}

#[test]
fn who_gets_an_address_waits_for_who_leaves_it() {
    let mut cluster = mk_cluster();
    edit(&mut cluster, "a", &asking_for("10.0.0.3"));
    assert_eq!(pending(&cluster), ["a"]);
    let write = cluster.pending.pop_front().unwrap();
    cluster.answer(write);
    assert_eq!(cluster.shown("a"), "10.0.0.3 (p)");
    assert_eq!(pending(&cluster), ["b"]);
    cluster.settle();
    assert_eq!(cluster.shown("b"), "10.0.0.0 (p)");
}

#[test]
fn a_write_that_may_still_land_is_waited_for_too() {
    let mut cluster = mk_cluster();
    // Not written yet when the user thinks better of it: what is on its way is refused, and then decided anew.
    edit(&mut cluster, "a", &asking_for("10.0.0.3"));
    edit(&mut cluster, "a", &asking_for("10.0.0.2"));
    assert_eq!(pending(&cluster), ["a"]);
    let write = cluster.pending.pop_front().unwrap();
    cluster.answer(write);
    assert_eq!(
        pending(&cluster),
        ["a"],
        "the newer form is known: decided again at once"
    );
    cluster.settle();
    assert_eq!(
        (cluster.shown("a"), cluster.shown("b")),
        ("10.0.0.2 (p)".into(), "10.0.0.0 (p)".into())
    );
}

#[test]
fn who_is_gone_is_not_waited_for() {
    let mut cluster = mk_cluster();
    edit(&mut cluster, "a", &asking_for("10.0.0.3"));
    let gone = mk_view(&cluster.services.remove("a").unwrap());
    cluster.input(Input::Services(Change::Delete(gone)));
    cluster.settle();
    assert_eq!(cluster.shown("b"), "10.0.0.0 (p)");
}

#[test]
fn who_is_no_longer_ours_is_waited_for() {
    let mut cluster = mk_cluster();
    edit(
        &mut cluster,
        "a",
        &json!({ "spec": { "loadBalancerClass": "other" } }),
    );
    assert_eq!(pending(&cluster), ["a"]);
    cluster.settle();
    assert_eq!(
        (cluster.shown("a"), cluster.shown("b")),
        (" (-)".into(), "10.0.0.0 (p)".into())
    );
}

/// Where others give the reason for a move, nothing in the Service tells that it is due. So it is told first: a leader that
/// follows after a crash knows then that a write may be under way.
#[test]
fn a_move_that_others_cause_is_told_before_it_is_made() {
    let sharing = |name: &str, age, port: u16| {
        let mut service = mk_service(name, age);
        let patch = json!({
            "metadata": { "annotations": { "metallb.io/allow-shared-ip": "k" } },
            "spec": { "ports": [{ "port": port }] },
        });
        merge(&mut service, &patch);
        service
    };
    let mut cluster = Cluster::with(
        &[mk_pool("p", &["10.0.0.0/30"])],
        &[sharing("a", 2, 80), sharing("b", 1, 81)],
    );
    assert_eq!(cluster.shown("b"), "10.0.0.0 (p)");
    cluster.take_log();
    cluster.edit("b", json!({ "spec": { "ports": [{ "port": 80 }] } }));
    assert_eq!(
        cluster.take_log(),
        [
            "patch b",
            "patch b",
            "ClearAssignment current IP for \"ns/b\" not allowed by config, will attempt for new IP assignment: port \
             TCP/80 is already in use on \"10.0.0.0\"",
            "IPAllocated Assigned IP [\"10.0.0.1\"]"
        ]
    );
    // A wish is told by the wish itself.
    cluster.edit("b", asking_for("10.0.0.2"));
    assert_eq!(
        cluster.take_log(),
        ["patch b", "IPAllocated Assigned IP [\"10.0.0.2\"]"]
    );
    cluster.edit("b", json!({ "metadata": { "annotations": { "metallb.io/loadBalancerIPs": "10.0.0.0" } }, "spec": { "ports": [{ "port": 81 }] } }));
    assert_eq!(cluster.shown("b"), "10.0.0.0 (p)");
    edit(
        &mut cluster,
        "b",
        &json!({ "metadata": { "annotations": { "metallb.io/loadBalancerIPs": null } }, "spec": { "ports": [{ "port": 80 }] } }),
    );
    let write = cluster.pending.pop_front().unwrap();
    cluster.answer(write);
    assert_eq!(
        cluster.assigned("b"),
        "True Moving: [10.0.0.0] is about to become [10.0.0.1]"
    );
    cluster.settle();
    assert_eq!(cluster.shown("b"), "10.0.0.1 (p)");
}

/// Nobody takes a foreign address away as long as there is none to replace it: to wait for that would be for ever.
#[test]
fn a_foreign_address_that_stays_is_not_waited_for() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/32"])], &[mk_service("a", 2)]);
    cluster.delete_pool("p");
    cluster.apply(mk_holder("b", 1, "10.0.0.0", ""));
    cluster.edit(
        "a",
        json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "10.9.9.9" }] } } }),
    );
    assert_eq!(cluster.shown("a"), "10.0.0.0 (p)");
}
