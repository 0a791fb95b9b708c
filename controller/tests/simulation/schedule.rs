//! The schedule against which the fence stands: the leader decides, its write is held back, it falls silent past its
//! Lease, another one leads and gives the same address to somebody else, and then the write lands.
//!
//! What makes the two decide differently is a Service that is older and comes to ask while nobody leads: the oldest is
//! served first.

use std::time::Duration;

use cortenlb_kit::fake::{Call, Fault, Held};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::objects::{LEASE, asking_for, merge, mk_pool, mk_service, pool_path, service_path};

const SECOND: Duration = Duration::from_secs(1);

/// Whether this is the write that gives `web` an address.
fn gives(call: &Call) -> bool {
    call.path == service_path("web") + "/status"
        && call.body.pointer("/status/loadBalancer/ingress").is_some()
}

/// One pool of these addresses. `old` leads, `new` stands by, `web` is served, and `older` does not ask yet.
async fn begin(addresses: &str) -> Cluster {
    let mut cluster = Cluster::new(&[("p", mk_pool(&[addresses]))]);
    cluster.start("old");
    leads(&cluster, "old", SECOND).await;
    cluster.start("new");
    let mut older = mk_service(1);
    merge(&mut older, &json!({ "spec": { "type": "ClusterIP" } }));
    cluster.put("older", older);
    cluster.put("web", mk_service(2));
    cluster.until_right(SECOND).await;
    cluster
}

/// Waits until this one leads; returns how long it took.
async fn leads(cluster: &Cluster, pod: &str, limit: Duration) -> Duration {
    let what = format!("{pod} leads");
    cluster
        .until(limit, &what, |cluster| cluster.leader().as_deref() == Some(pod))
        .await
}

/// The write that gives `web` an address is held back.
async fn decided(cluster: &Cluster) -> Held {
    let mut held = Vec::new();
    cluster
        .until(SECOND, "old decides", |cluster| {
            held.extend(cluster.fake.held());
            !held.is_empty()
        })
        .await;
    assert_eq!(held.len(), 1);
    held.pop().unwrap()
}

/// `web` is deleted and created anew, so that it needs an address.
fn recreate_web(cluster: &Cluster) {
    cluster.delete("web");
    cluster.put("web", mk_service(2));
}

/// `older` asks for an address from now on.
fn older_asks(cluster: &Cluster) {
    cluster.edit("older", &json!({ "spec": { "type": "LoadBalancer" } }));
}

/// `old` decides about `web`, by what `change` does to it, and is not heard of any more: its write is under way, and
/// whatever else it asks has no answer.
async fn silence(cluster: &Cluster, change: impl FnOnce(&Cluster)) -> Held {
    hold_back(cluster);
    change(cluster);
    decided(cluster).await
}

fn hold_back(cluster: &Cluster) {
    cluster.fake.policy(|call| {
        let of_web = call.path.starts_with(&service_path("web"));
        let is_old = call.client == "old" && call.method != "GET" && (gives(call) || !of_web);
        // The condition that tells why there is no address would be as good as a stamp, if it came in time.
        let tells = call.client == "new" && !gives(call) && of_web;
        let is_stamp = call
            .body
            .pointer("/metadata/annotations/cortenlb.io~1epoch")
            .is_some();
        match gives(call) {
            true if is_old => Some(Fault::Held),
            _ if is_old || (tells && !is_stamp) => Some(Fault::Silence),
            _ => None,
        }
    });
}

fn is_stamped(cluster: &Cluster, name: &str) -> bool {
    let service = cluster.service(name).unwrap();
    service["metadata"]["annotations"]["cortenlb.io/epoch"].is_string()
}

async fn served_by_new(cluster: &Cluster, name: &str, address: &str) {
    let limit = Duration::from_secs(6);
    cluster
        .until(limit, "the older Service is served", |cluster| {
            cluster.shown(name) == address
        })
        .await;
    assert_eq!(cluster.leader().as_deref(), Some("new"));
}

#[tokio::test(start_paused = true)]
async fn the_late_write_of_a_deposed_leader_does_not_land() {
    let cluster = begin("10.0.0.0/32").await;
    let write = silence(&cluster, recreate_web).await;
    older_asks(&cluster);
    served_by_new(&cluster, "older", "10.0.0.0").await;
    assert!(is_stamped(&cluster, "web"));
    assert_eq!(write.deliver(), Some(409));
    cluster.observer.check();
    assert_eq!(cluster.shown("web"), "");
}

#[tokio::test(start_paused = true)]
async fn the_late_write_of_a_change_does_not_land() {
    let cluster = begin("10.0.0.0/31").await;
    let write = silence(&cluster, |cluster| {
        cluster.edit("web", &asking_for("10.0.0.1"));
    })
    .await;
    cluster.edit("older", &asking_for("10.0.0.1"));
    older_asks(&cluster);
    served_by_new(&cluster, "older", "10.0.0.1").await;
    assert!(is_stamped(&cluster, "web"));
    assert_eq!(write.deliver(), Some(409));
    cluster.observer.check();
    assert_eq!(
        cluster.shown("web"),
        "10.0.0.0",
        "a wish that cannot be had changes nothing"
    );
}

/// The same without the fence, so that it is known to be what helps: somebody empties the Lease, which says that no
/// write of the old leader is under way, and the new one believes it.
#[tokio::test(start_paused = true)]
async fn the_observer_sees_what_the_fence_prevents() {
    let cluster = begin("10.0.0.0/32").await;
    let write = silence(&cluster, recreate_web).await;
    older_asks(&cluster);
    let mut lease = cluster.fake.object(LEASE).unwrap();
    lease["spec"]["holderIdentity"] = Value::String(String::new());
    cluster.fake.put(LEASE, lease);
    served_by_new(&cluster, "older", "10.0.0.0").await;
    assert_eq!(write.deliver(), Some(200));
    let violations = cluster.observer.violations();
    assert!(
        violations.len() == 1 && violations[0].contains("10.0.0.0 is held by"),
        "{violations:?}"
    );
}

/// A leader that is stopped in good order waits for its write before it gives the Lease back.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_leaves_nothing_under_way() {
    let mut cluster = Cluster::new(&[("p", mk_pool(&["10.0.0.0/32"]))]);
    cluster.start("old");
    leads(&cluster, "old", SECOND).await;
    cluster.start("new");
    cluster
        .fake
        .policy(|call| (call.client == "old" && gives(call)).then_some(Fault::Held));
    cluster.put("web", mk_service(2));
    let write = decided(&cluster).await;
    cluster.begin_terminating("old");
    cluster.put("older", mk_service(1));
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(
        cluster.leader().as_deref(),
        Some("old"),
        "it renews while its write is under way"
    );
    assert_eq!(write.deliver(), Some(200));
    let took = leads(&cluster, "new", SECOND).await;
    assert!(took < SECOND / 10, "{took:?}");
    cluster.until_right(SECOND).await;
    assert_eq!(
        (cluster.shown("web"), cluster.shown("older")),
        ("10.0.0.0".into(), String::new())
    );
    assert!(
        !is_stamped(&cluster, "web") && !is_stamped(&cluster, "older"),
        "no need of a fence"
    );
    cluster.terminate("old").await;
}

/// If the fate of a write is not known, the Lease expires instead, and the fence stands.
#[tokio::test(start_paused = true)]
async fn a_leader_that_does_not_know_leaves_its_lease_to_expire() {
    let mut cluster = begin("10.0.0.0/32").await;
    let write = silence(&cluster, recreate_web).await;
    cluster.begin_terminating("old");
    older_asks(&cluster);
    served_by_new(&cluster, "older", "10.0.0.0").await;
    assert!(is_stamped(&cluster, "web"));
    assert_eq!(write.deliver(), Some(409));
    cluster.terminate("old").await;
}

/// Who has followed upon an expired Lease and has not put its fence up cannot give the Lease back either: the next one
/// would believe that nothing is under way.
#[tokio::test(start_paused = true)]
async fn a_leader_that_ends_before_its_fence_leaves_its_lease_to_expire() {
    let mut cluster = begin("10.0.0.0/32").await;
    cluster.terminate("new").await;
    let write = silence(&cluster, recreate_web).await;
    // It leads, and never gets to see the pools.
    cluster.fake.policy(|call| {
        let is_old = call.client == "old" && call.method != "GET";
        let is_blind = call.client == "blind" && call.path.ends_with("/ipaddresspools");
        (is_old || is_blind).then_some(Fault::Silence)
    });
    cluster.start("blind");
    leads(&cluster, "blind", 6 * SECOND).await;
    cluster.terminate("blind").await;
    assert_eq!(cluster.leader().as_deref(), Some("blind"));
    older_asks(&cluster);
    cluster.start("new");
    served_by_new(&cluster, "older", "10.0.0.0").await;
    assert!(is_stamped(&cluster, "web"));
    assert_eq!(write.deliver(), Some(409));
    cluster.observer.check();
}

/// There is nothing to stamp where no Service is known, and that may be since the watch hangs: what it shows when it goes
/// on would be decided anew, form by form, though the old leader has served it.
#[tokio::test(start_paused = true)]
async fn a_watch_that_hangs_is_not_taken_for_an_empty_cluster() {
    let mut cluster = Cluster::new(&[("p", mk_pool(&["10.0.0.1/32"]))]);
    cluster.start("old");
    leads(&cluster, "old", SECOND).await;
    cluster.start("new");
    tokio::time::sleep(SECOND).await;
    cluster.fake.policy(|call| {
        let is_watch = call.path == "/api/v1/services" && call.query.contains("watch=");
        (call.client == "new" && is_watch).then_some(Fault::Slow(20 * SECOND))
    });
    cluster.fake.break_watches();
    cluster.put("web", mk_service(2));
    cluster.until_right(2 * SECOND).await;
    assert_eq!(cluster.shown("web"), "10.0.0.1");
    cluster.kill("old").await;
    cluster.fake.put(&pool_path("p"), mk_pool(&["10.0.0.0/31"]));
    leads(&cluster, "new", 6 * SECOND).await;
    tokio::time::sleep(20 * SECOND).await;
    cluster.observer.check();
    assert_eq!(cluster.shown("web"), "10.0.0.1");
    cluster.put("other", mk_service(3));
    cluster.until_right(SECOND).await;
    assert_eq!(cluster.shown("other"), "10.0.0.0");
}

/// Where there is no Service at all, the first one is served at once.
#[tokio::test(start_paused = true)]
async fn an_empty_cluster_keeps_nobody_waiting_after_a_crash() {
    let mut cluster = Cluster::new(&[("p", mk_pool(&["10.0.0.1/32"]))]);
    cluster.start("old");
    leads(&cluster, "old", SECOND).await;
    cluster.start("new");
    tokio::time::sleep(SECOND).await;
    cluster.kill("old").await;
    leads(&cluster, "new", 6 * SECOND).await;
    cluster.put("web", mk_service(1));
    let took = cluster
        .until(SECOND, "web is served", |cluster| {
            !cluster.shown("web").is_empty()
        })
        .await;
    assert!(took < SECOND / 10, "{took:?}");
}

/// Not only a Service's own wish may move it: here it shared its address, and may not any longer. When the new leader
/// looks, the other one is gone, so that nothing seems to be left to do for it.
#[tokio::test(start_paused = true)]
async fn the_late_write_of_a_move_that_is_needed_no_more_does_not_land() {
    let cluster = begin("10.0.0.0/30").await;
    let sharing = |port| {
        json!({
            "metadata": { "annotations": { "metallb.io/allow-shared-ip": "k" } },
            "spec": { "ports": [{ "port": port }] },
        })
    };
    cluster.edit("web", &sharing(80));
    cluster.edit("older", &sharing(81));
    older_asks(&cluster);
    cluster.until_right(SECOND).await;
    assert_eq!(
        (cluster.shown("web"), cluster.shown("older")),
        ("10.0.0.0".into(), "10.0.0.0".into())
    );
    let write = silence(&cluster, |cluster| {
        let unshared = json!({ "metadata": { "annotations": { "metallb.io/allow-shared-ip": null } } });
        cluster.edit("web", &unshared);
    })
    .await;
    cluster.delete("older");
    cluster.put("third", mk_service(3));
    served_by_new(&cluster, "third", "10.0.0.1").await;
    assert_eq!(write.deliver(), Some(409));
    cluster.observer.check();
}
