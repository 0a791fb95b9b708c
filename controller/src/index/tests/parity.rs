//! What MetalLB does, where the index and not the allocator decides: classes, the second family, its way with pools.

use super::*;

#[test]
fn a_class_that_changes_gives_the_address_back() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/32"])], &[mk_service("s", 5)]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    cluster.edit(
        "s",
        json!({ "spec": { "loadBalancerClass": "example.org/other" } }),
    );
    assert_eq!(
        (cluster.shown("s").as_str(), cluster.assigned("s").as_str()),
        (" (-)", "")
    );
    cluster.apply(mk_service("t", 1));
    assert_eq!(cluster.shown("t"), "10.0.0.0 (p)");
    // What the other controller writes then is its own.
    let theirs = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } } });
    cluster.take_log();
    cluster.edit("s", theirs);
    assert_eq!(cluster.shown("s"), "192.0.2.1 (-)");
    assert!(cluster.take_log().is_empty());
}

#[test]
fn a_service_of_another_class_is_not_touched_whatever_it_shows() {
    let mut other = mk_holder("s", 5, "10.0.0.0", "p");
    other["spec"]["loadBalancerClass"] = "example.org/other".into();
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[other]);
    assert!(cluster.take_log().is_empty());
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
}

#[test]
fn the_second_family_that_cannot_be_had_is_told_once() {
    let mut service = mk_service("s", 5);
    service["spec"]["clusterIPs"] = json!(["10.96.0.1", "fd96::1"]);
    service["spec"]["ipFamilyPolicy"] = "PreferDualStack".into();
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[service]);
    let log = cluster.take_log();
    let told = log
        .iter()
        .filter(|line| line.starts_with("AdditionalAssignFailed"));
    assert_eq!(told.count(), 1, "{log:?}");
    assert!(
        cluster
            .assigned("s")
            .starts_with("True Assigned: 10.0.0.0 from pool \"p\", which has no free IPv6")
    );
    cluster.tell("s");
    cluster.restart();
    assert!(cluster.take_log().is_empty());
}

#[test]
fn under_the_flag_a_pool_that_shrinks_takes_addresses_away_as_metallb_does() {
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/30"])], &[mk_service("s", 5)]);
    cluster.index = Index::new(Settings {
        rules: Rules {
            reassign_on_pool_change: true,
        },
        ..mk_settings()
    });
    cluster.list();
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    cluster.take_log();
    cluster.apply_pool(mk_pool("p", &["10.0.0.2/31"]));
    assert_eq!(cluster.shown("s"), "10.0.0.2 (p)");
    let log = cluster.take_log();
    assert!(
        log.contains(
            &"ClearAssignment current IP for \"ns/s\" not allowed by config, will attempt for new IP assignment: \
              [\"10.0.0.0\"] is not allowed in config"
                .to_owned()
        ),
        "{log:?}"
    );
    cluster.delete_pool("p");
    assert_eq!(cluster.shown("s"), " (-)");
}

#[test]
fn one_bad_pool_among_a_thousand_leaves_999() {
    let mut pools: Vec<Value> = (0..1000)
        .map(|number| {
            mk_pool(
                &format!("p{number:03}"),
                &[&format!("10.{}.{}.0/24", number / 250, number % 250)],
            )
        })
        .collect();
    pools[500] = mk_pool("p500", &["10.9.0.9-10.9.0.1"]);
    let cluster = Cluster::with(&pools, &[]);
    let valid = |pool: &&Value| pool["status"]["conditions"][0]["status"] == "True";
    assert_eq!(cluster.pools.values().filter(valid).count(), 999);
    assert_eq!(
        cluster.state["status"]["errorSummary"],
        "configuration error: parsing address pool p500: spec.addresses[0]: invalid IP range \"10.9.0.9-10.9.0.1\": \
         start IP 10.9.0.9 is after the end IP 10.9.0.1"
    );
    assert_eq!(cluster.state["status"]["result"], "Invalid");
    assert_eq!(cluster.state["metadata"]["name"], "controller");
}
