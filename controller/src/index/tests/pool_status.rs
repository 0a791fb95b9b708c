use super::*;

/// The status of a pool: assigned and available of both families, and its condition.
fn status(cluster: &Cluster, name: &str) -> String {
    let status = &cluster.pools[name]["status"];
    let condition = &status["conditions"][0];
    format!(
        "{} {} {} {} {} {}",
        status["assignedIPv4"],
        status["assignedIPv6"],
        status["availableIPv4"],
        status["availableIPv6"],
        condition["status"].as_str().unwrap_or_default(),
        condition["reason"].as_str().unwrap_or_default()
    )
}

#[test]
fn counters_are_metallbs_and_stand_still_at_the_largest_number() {
    let mut cluster = Cluster::with(
        &[mk_pool("p", &["10.0.0.0/24", "fd00::/64"])],
        &[mk_service("s", 0)],
    );
    assert_eq!(status(&cluster, "p"), "1 0 255 9223372036854775807 True Valid");
    cluster.pass(Duration::from_secs(2));
    cluster.delete("s");
    cluster.pass(Duration::from_secs(2));
    assert_eq!(status(&cluster, "p"), "0 0 256 9223372036854775807 True Valid");
}

#[test]
fn a_pool_is_written_at_most_once_a_second() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    assert_eq!(status(&cluster, "p"), "0 0 256 0 True Valid");
    for number in 0..5 {
        cluster.apply(mk_service(&format!("s{number}"), 0));
    }
    assert_eq!(status(&cluster, "p"), "0 0 256 0 True Valid");
    assert_eq!(cluster.index.poll_timeout(), Some(Instant(1_000_000_000)));
    cluster.pass(Duration::from_millis(999));
    assert_eq!(status(&cluster, "p"), "0 0 256 0 True Valid");
    cluster.pass(Duration::from_millis(1));
    assert_eq!(status(&cluster, "p"), "5 0 251 0 True Valid");
    assert_eq!(cluster.index.poll_timeout(), None);
}

#[test]
fn a_status_edited_by_somebody_is_put_right() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.pass(Duration::from_secs(2));
    let mut edited = cluster.pools["p"].clone();
    edited["status"]["assignedIPv4"] = 7.into();
    cluster.apply_pool(edited);
    assert_eq!(status(&cluster, "p"), "0 0 256 0 True Valid");
}

#[test]
fn an_invalid_pool_is_ignored_alone_and_says_why() {
    let pools = [mk_pool("bad", &["10.0.9.9"]), mk_pool("good", &["10.0.0.0/24"])];
    let mut cluster = Cluster::with(&pools, &[mk_service("s", 0)]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (good)");
    assert_eq!(status(&cluster, "bad"), "0 0 0 0 False Invalid");
    let message = cluster.pools["bad"]["status"]["conditions"][0]["message"]
        .as_str()
        .unwrap();
    assert!(
        message.starts_with("the pool is ignored: spec.addresses[0]: invalid CIDR \"10.0.9.9\""),
        "{message}"
    );
    cluster.pass(Duration::from_secs(2));
    cluster.apply_pool(mk_pool("bad", &["10.0.9.0/24"]));
    cluster.pass(Duration::from_secs(2));
    assert_eq!(status(&cluster, "bad"), "0 0 256 0 True Valid");
}

#[test]
fn a_pool_that_overlaps_an_older_one_names_it() {
    let mut older = mk_pool("b", &["10.0.0.0/24"]);
    older["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    let mut newer = mk_pool("a", &["10.0.0.128/25"]);
    newer["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z".into();
    let mut cluster = Cluster::with(&[older, newer], &[]);
    assert_eq!(status(&cluster, "a"), "0 0 0 0 False Overlap");
    assert_eq!(status(&cluster, "b"), "0 0 256 0 True Valid");
    let message = cluster.pools["a"]["status"]["conditions"][0]["message"]
        .as_str()
        .unwrap();
    assert!(message.contains("older pool \"b\""), "{message}");
    cluster.pass(Duration::from_secs(2));
    cluster.delete_pool("b");
    assert_eq!(status(&cluster, "a"), "0 0 128 0 True Valid");
}

#[test]
fn many_mistakes_fit_into_one_message() {
    let addresses: Vec<String> = (0..300).map(|number| format!("10.0.0.{number}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let cluster = Cluster::with(&[mk_pool("p", &addresses)], &[]);
    let message = cluster.pools["p"]["status"]["conditions"][0]["message"]
        .as_str()
        .unwrap();
    assert!(
        message.contains("spec.addresses[7]") && !message.contains("spec.addresses[8]"),
        "{message}"
    );
    assert!(message.ends_with(" and 292 more"), "{message}");
}
