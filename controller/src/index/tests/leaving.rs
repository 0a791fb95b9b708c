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

/// Makes the Services `s0`, `s1`, … which have 10.0.0.0, 10.0.0.1, … turn their addresses round: the first has to wait
/// for its write when the others ask for what it has.
fn turn_round(count: u8) -> Cluster {
    let services: Vec<Value> = (0..count)
        .map(|number| {
            mk_holder(
                &format!("s{number}"),
                (9 - number).into(),
                &format!("10.0.0.{number}"),
                "p",
            )
        })
        .collect();
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/28"])], &services);
    for number in 1..count {
        let wish = asking_for(format!("10.0.0.{}", number - 1));
        cluster.edit(&format!("s{number}"), wish);
    }
    edit(&mut cluster, "s0", &asking_for("10.0.0.15"));
    edit(&mut cluster, "s0", &asking_for(format!("10.0.0.{}", count - 1)));
    cluster.settle();
    cluster
}

#[test]
fn services_that_swap_addresses_do_not_wait_for_each_other() {
    for count in 2..5 {
        let cluster = turn_round(count);
        for number in 0..count {
            let name = format!("s{number}");
            let wanted = (number + count - 1) % count;
            assert_eq!(
                cluster.shown(&name),
                format!("10.0.0.{wanted} (p)"),
                "{count} {}",
                cluster.assigned(&name)
            );
            assert!(cluster.assigned(&name).starts_with("True Assigned"));
        }
    }
}

/// Each of two Services with two families wants the other's address of one of them.
#[test]
fn a_swap_of_one_family_leaves_the_other_in_place() {
    let dual = |name: &str, age, last: u8| {
        let mut service = mk_service(name, age);
        let ips = json!(["10.96.0.1", "fd96::1"]);
        merge(
            &mut service,
            &json!({
                "metadata": { "annotations": { "metallb.io/ip-allocated-from-pool": "p" } },
                "spec": { "clusterIPs": ips, "ipFamilyPolicy": "RequireDualStack" },
                "status": { "loadBalancer": { "ingress": [
                    { "ip": format!("10.0.0.{last}"), "ipMode": "VIP" }, { "ip": format!("fd00::{last}"), "ipMode": "VIP" },
                ] } },
            }),
        );
        service
    };
    let pools = [mk_pool("p", &["10.0.0.0/29", "fd00::/125"])];
    let mut cluster = Cluster::with(&pools, &[dual("a", 2, 1), dual("b", 1, 2)]);
    cluster.edit("b", asking_for("10.0.0.1,fd00::2"));
    edit(&mut cluster, "a", &asking_for("10.0.0.3,fd00::1"));
    edit(&mut cluster, "a", &asking_for("10.0.0.2,fd00::1"));
    let mut least = 2;
    while let Some(write) = cluster.pending.pop_front() {
        cluster.answer(write);
        let shown = ["a", "b"].map(|name| cluster.shown(name));
        assert!(
            shown[0].contains("fd00::1") && shown[1].contains("fd00::2"),
            "{shown:?}"
        );
        least = least.min(shown.iter().filter(|shown| shown.contains("10.0.0.")).count());
    }
    assert_eq!(
        (cluster.shown("a"), cluster.shown("b"), least),
        ("10.0.0.2 fd00::1 (p)".into(), "10.0.0.1 fd00::2 (p)".into(), 1)
    );
}

fn reject(cluster: &mut Cluster, write: Write<Key>) {
    let target = write.target.clone();
    let source = Box::new(kube::Error::LinesCodecMaxLineLengthExceeded);
    let result = Err(Refusal::Rejected { target, source });
    cluster.answered(write, result);
}

#[test]
fn who_waits_for_an_address_that_cannot_be_taken_away_says_so() {
    let mut cluster = mk_cluster();
    cluster.apply(mk_service("other", 0));
    let mut far = mk_service("c", 0);
    far["metadata"]["namespace"] = "far".into();
    merge(&mut far, &asking_for("10.0.0.1"));
    cluster.apply(far);
    for (name, wish) in [("a", "10.0.0.3"), ("other", "10.0.0.2")] {
        edit(&mut cluster, name, &asking_for(wish));
        let write = cluster.pending.pop_front().unwrap();
        reject(&mut cluster, write);
        cluster.settle();
    }
    assert!(
        cluster.assigned("b").starts_with(
            "False AddressInUse: waits for [10.0.0.0], which Service ns/a still shows, since the write that takes it \
             away is refused: "
        ),
        "{}",
        cluster.assigned("b")
    );
    assert_eq!(
        cluster.assigned("far/c"),
        "False AddressInUse: waits for [10.0.0.1], which a Service in another namespace still shows, since the write \
         that takes it away is refused: the log of the controller says why; it is tried again every ten seconds"
    );
    cluster.pass(Duration::from_secs(10));
    assert_eq!(
        (cluster.shown("a"), cluster.shown("b"), cluster.shown("far/c")),
        (
            "10.0.0.3 (p)".into(),
            "10.0.0.0 (p)".into(),
            "10.0.0.1 (p)".into()
        )
    );
}
