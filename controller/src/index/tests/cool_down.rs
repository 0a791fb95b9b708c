//! Addresses that become free while this process does not lead.

use super::*;

/// A pool of two addresses, of which `s` has one, followed by a process that does not lead.
fn mk_standby() -> Cluster {
    let mut pool = mk_pool("p", &["10.0.0.0/31"]);
    pool["metadata"]["annotations"] = json!({ "cortenlb.io/cool-down": "5m" });
    Cluster::following(&[pool], &[mk_holder("s", 9, "10.0.0.0", "p")])
}

/// Takes over and creates two Services.
fn take_over(cluster: &mut Cluster) -> [String; 2] {
    cluster.input(Input::Lead(Some(Lead {
        epoch: 2,
        predecessor: Predecessor::Expired,
    })));
    cluster.settle();
    cluster.apply(mk_service("other", 5));
    cluster.apply(mk_service("third", 5));
    ["other", "third"].map(|name| cluster.shown(name))
}

#[test]
fn what_goes_while_nobody_leads_cools_down() {
    let mut cluster = mk_standby();
    cluster.delete("s");
    cluster.pass(Duration::from_secs(60));
    assert_eq!(take_over(&mut cluster), ["10.0.0.1 (p)", " (-)"]);
    cluster.pass(Duration::from_secs(239));
    assert_eq!(cluster.shown("third"), " (-)");
    cluster.pass(Duration::from_secs(1));
    assert_eq!(cluster.shown("third"), "10.0.0.0 (p)");
}

#[test]
fn so_does_what_is_no_load_balancer_any_more() {
    let mut cluster = mk_standby();
    cluster.edit(
        "s",
        json!({ "spec": { "type": "ClusterIP" }, "status": { "loadBalancer": null } }),
    );
    assert_eq!(take_over(&mut cluster), ["10.0.0.1 (p)", " (-)"]);
}

#[test]
fn its_own_service_has_it_back() {
    let mut cluster = mk_standby();
    cluster.delete("s");
    cluster.apply(mk_service("s", 1));
    assert_eq!(take_over(&mut cluster), ["10.0.0.1 (p)", " (-)"]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

#[test]
fn what_was_given_back_before_the_lease_was_lost_is_not_forgotten() {
    let mut cluster = mk_standby();
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    cluster.delete("s");
    // Within a second, so that no status says so.
    assert!(cluster.pools["p"]["status"]["coolingDown"].is_null());
    cluster.input(Input::Lead(None));
    assert_eq!(take_over(&mut cluster), ["10.0.0.1 (p)", " (-)"]);
}

#[test]
fn a_standby_remembers_as_many_as_a_status_has() {
    let mut pool = mk_pool("p", &["10.0.0.0/23"]);
    pool["metadata"]["annotations"] = json!({ "cortenlb.io/cool-down": "5m" });
    let holders: Vec<Value> = (0..300)
        .map(|number| {
            let address = format!("10.0.{}.{}", number / 256, number % 256);
            mk_holder(&format!("s{number:03}"), 9, &address, "p")
        })
        .collect();
    let mut cluster = Cluster::following(&[pool], &holders);
    for number in 0..300 {
        cluster.now.boot = cluster.now.boot + Duration::from_millis(10);
        cluster.delete(&format!("s{number:03}"));
    }
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    let cooling = cluster.pools["p"]["status"]["coolingDown"].as_array().unwrap();
    assert_eq!(
        (cooling.len(), &cooling[0]["address"]),
        (256, &json!("10.0.0.44"))
    );
}
