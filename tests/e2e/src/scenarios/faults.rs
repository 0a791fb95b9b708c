//! The API server away, slow, refusing: addresses hold meanwhile, and are right soon after.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cortenlb_crds::names::EPOCH;
use cortenlb_lab::relay::Faults;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::cluster::controller::Detour;
use crate::cluster::objects::{ANNOUNCED, condition};
use crate::cluster::{Cluster, SOON};
use crate::objects::{MkService, NAMESPACE, mk_service};
use crate::observer::Observer;
use crate::observer::model::{License, Right};

/// Room for every Service of a scenario, and on no segment: nobody announces these.
pub(super) const POOL: &str = "192.0.2.0/24";

/// How soon after the end of a fault everything must be right, on a machine with nothing else to do.
const PROMISED: Duration = Duration::from_secs(1);

/// What the machine and the API server have to do besides is allowed for: as many times what one write takes in the same
/// moment.
const WRITES: u32 = 10;

/// How long the API server is paused: beyond every timeout of a client, and beyond a Lease.
const PAUSE: Duration = Duration::from_secs(120);

/// How long before the end of the pause requests are sent: less than a client waits for its connection.
const LATE: Duration = Duration::from_secs(10);

/// How long the API server is away.
const ABSENCE: Duration = Duration::from_secs(20);

/// A Service that nobody announces and kube-proxy has little to do with.
pub(super) fn mk_quiet(name: &str) -> MkService {
    mk_service(name).spec("allocateLoadBalancerNodePorts", false)
}

pub(super) fn names(prefix: &str, count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| format!("{prefix}-{number:02}"))
        .collect()
}

/// Expects an address for each of `names`, and creates them at the same time.
async fn create(cluster: &Cluster, observer: &Observer, names: &[String]) -> anyhow::Result<Vec<Service>> {
    observer.expect(names, Right::Address);
    let services: Vec<MkService> = names.iter().map(|name| mk_quiet(name)).collect();
    cluster.create_all(services).await
}

/// How long after the end of a fault everything was right, and how long it may take.
struct Took {
    time: Duration,
    allowed: Duration,
}

/// Waits until everything is right, and prints how long after `ended` that was.
async fn right(cluster: &Cluster, observer: &Observer, ended: Instant, fault: &str) -> anyhow::Result<Took> {
    let (time, write) = tokio::try_join!(observer.all_right_after(ended, SOON), one_write(cluster))?;
    println!(
        "  {fault}: right {:.2} s after its end, at {:.3} s a write",
        time.as_secs_f64(),
        write.as_secs_f64()
    );
    let allowed = PROMISED + write * WRITES;
    Ok(Took { time, allowed })
}

/// How long the API server takes for a write of the smallest kind.
async fn one_write(cluster: &Cluster) -> anyhow::Result<Duration> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let begin = Instant::now();
    // Another text each time: what changes nothing is not written.
    let change = json!({ "metadata": { "annotations": { "e2e/written": format!("{begin:?}") } } });
    namespaces
        .patch(NAMESPACE, &PatchParams::default(), &Patch::Merge(change))
        .await?;
    Ok(begin.elapsed())
}

/// Requires that everything was right soon. The last thing to be required: what was wrong matters more than when.
fn soon(took: &Took) -> anyhow::Result<()> {
    let (time, allowed) = (took.time.as_secs_f64(), took.allowed.as_secs_f64());
    ensure!(
        took.time <= took.allowed,
        "right only {time:.2} s after the fault's end, and {allowed:.2} s are allowed"
    );
    Ok(())
}

/// Deletes a Service, which may so lose its address.
async fn delete(cluster: &Cluster, observer: &Observer, service: &Service) -> anyhow::Result<()> {
    let name = service.name_any();
    observer.allow(service, License::Change);
    observer.forget(&name);
    cluster
        .services()
        .delete(&name, &DeleteParams::default())
        .await
        .with_context(|| format!("deleting {name}"))?;
    Ok(())
}

/// Paused (SIGSTOP) for two minutes while addresses were being given: nothing is lost, and Services that came to the
/// server's socket meanwhile are served at once.
pub(super) async fn api_server_paused(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let observer = Observer::start(cluster).await?;
    create(cluster, &observer, &names("before", 20)).await?;
    cluster.lab.pause_api().await?;
    tokio::time::sleep(PAUSE - LATE).await;
    let late = names("late", 10);
    let end = async {
        tokio::time::sleep(LATE).await;
        let resumed = Instant::now();
        cluster.lab.resume_api().await?;
        Ok(resumed)
    };
    let (created, resumed): (_, anyhow::Result<Instant>) =
        tokio::join!(create(cluster, &observer, &late), end);
    let resumed = resumed?;
    created?;
    // The server first works off what its clients have given up meanwhile, and nobody is served before that.
    let ended = Instant::now();
    println!(
        "  API server resumed: accepts Services after {:.2} s",
        (ended - resumed).as_secs_f64()
    );
    let took = right(cluster, &observer, ended, "API server paused for 120 s").await?;
    observer.finish().await?;
    soon(&took)
}

/// Killed right after changes, away for a while, and started without history: what was settled is not written again,
/// and what is new is served.
pub(super) async fn api_server_killed(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let observer = Observer::start(cluster).await?;
    let told = names("settled", 20);
    let settled = create(cluster, &observer, &told).await?;
    for name in &told {
        let done = |found: Option<&Service>| found.is_some_and(|one| condition(one, ANNOUNCED).is_some());
        let what = "says whether it is announced";
        cluster.wait(cluster.services(), name, what, SOON, done).await?;
    }
    observer.all_right_after(Instant::now(), SOON).await?;
    let before = cluster.services().list(&ListParams::default()).await?;
    let version = before.metadata.resource_version.clone().unwrap_or_default();

    create(cluster, &observer, &names("fresh", 10)).await?;
    delete(cluster, &observer, &settled[0]).await?;
    cluster.lab.kill_api().await?;
    tokio::time::sleep(ABSENCE).await;
    cluster.lab.start_api().await?;
    let ended = Instant::now();
    // Before the controller's watches are back.
    delete(cluster, &observer, &settled[1]).await?;
    create(cluster, &observer, &names("after", 5)).await?;
    history_is_gone(cluster, &version).await?;
    let took = right(cluster, &observer, ended, "API server away for 20 s").await?;

    let gone = [settled[0].name_any(), settled[1].name_any()];
    let mut before = before.items;
    before.retain(|one| told.contains(&one.name_any()) && !gone.contains(&one.name_any()));
    not_written_again(
        &before,
        &cluster.services().list(&ListParams::default()).await?.items,
    )?;
    observer.finish().await?;
    soon(&took)
}

/// Requires that none of `before` was written since, but for one stamp: that of the leader which found that its
/// predecessor had not given the Lease back.
fn not_written_again(before: &[Service], after: &[Service]) -> anyhow::Result<()> {
    let mut stamped = Vec::new();
    for old in before {
        let name = old.name_any();
        let new = after.iter().find(|one| one.name_any() == name);
        let new = new.with_context(|| format!("{name} is gone"))?;
        if new.resource_version() == old.resource_version() {
            continue;
        }
        let stamp = new.annotations().get(EPOCH);
        ensure!(
            stamp != old.annotations().get(EPOCH) && new.status == old.status,
            "{name} was settled and written again after the relist: {old:?} became {new:?}"
        );
        stamped.push(name);
    }
    ensure!(
        stamped.len() <= 1,
        "more than one settled Service was stamped: {stamped:?}"
    );
    Ok(())
}

/// Requires that a watch which goes on from `version` is told that it cannot (410).
async fn history_is_gone(cluster: &Cluster, version: &str) -> anyhow::Result<()> {
    let services: Api<Service> = cluster.services();
    let mut events = pin!(services.watch(&WatchParams::default(), version).await?);
    match tokio::time::timeout(SOON, events.next()).await {
        Ok(Some(Ok(WatchEvent::Error(status)))) if status.code == 410 => Ok(()),
        other => bail!("a watch from version {version} should be told 410, and was told {other:?}"),
    }
}

/// Two seconds for each write: many are under way at once, and none is lost.
pub(super) async fn slow_api_server(cluster: &Cluster) -> anyhow::Result<()> {
    /// One after another they would take 80 s, many at once a few rounds.
    const WITHIN: Duration = Duration::from_secs(30);
    cluster.pool("default-addresspool", &[POOL]).await?;
    let detour = Detour::open(cluster).await?;
    let observer = Observer::start(cluster).await?;
    detour.relay.set(Faults {
        delay: Duration::from_secs(2),
        leases: true,
        ..Faults::default()
    });
    let begin = Instant::now();
    create(cluster, &observer, &names("slow", 40)).await?;
    let took = observer.all_right_after(begin, WITHIN).await?;
    let written = detour.relay.counts().handed_on;
    println!(
        "  40 Services at 2 s a write: right after {:.2} s and {written} writes",
        took.as_secs_f64()
    );
    ensure!(
        written >= 40,
        "only {written} writes came through the relay: it delayed nothing"
    );
    let ended = Instant::now();
    detour.relay.set(Faults::default());
    create(cluster, &observer, &names("after", 5)).await?;
    let took = right(cluster, &observer, ended, "2 s a write").await?;
    detour.close(cluster).await?;
    observer.finish().await?;
    soon(&took)
}

/// Writes answered 409, 429 and 500, or done and not answered, while Services come, change and go.
pub(super) async fn refusing_api_server(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let detour = Detour::open(cluster).await?;
    let observer = Observer::start(cluster).await?;
    let faults = Faults {
        contested: 15,
        throttled: 15,
        failed: 15,
        lost: 15,
        seed: 4,
        ..Faults::default()
    };
    let mut arrivals = detour.relay.arrivals();
    detour.relay.set(faults.clone());
    let created = create(cluster, &observer, &names("web", 40)).await?;
    for (number, service) in (200..).zip(&created[..10]) {
        let (name, address) = (service.name_any(), format!("192.0.2.{number}"));
        observer.allow(service, License::Change);
        observer.expect([&name], Right::At(address.parse()?));
        let change = json!({ "metadata": { "annotations": { "metallb.io/loadBalancerIPs": address } } });
        cluster
            .services()
            .patch(&name, &PatchParams::default(), &Patch::Merge(change))
            .await?;
    }
    for service in &created[10..20] {
        delete(cluster, &observer, service).await?;
    }
    let enough = || {
        let counts = detour.relay.counts();
        counts.contested >= 5 && counts.refused >= 20 && counts.lost >= 5
    };
    while !enough() {
        let next = arrivals.next_of("/services/", SOON);
        next.await
            .with_context(|| format!("so far {:?}", detour.relay.counts()))?;
    }
    println!("  {faults:?}: {:?}", detour.relay.counts());
    let ended = Instant::now();
    detour.relay.set(Faults::default());
    let mut took = right(cluster, &observer, ended, "409, 429, 500 and lost answers").await?;
    // The relay's 429 asks its client to stay away for a second.
    took.allowed += Duration::from_secs(1);
    detour.close(cluster).await?;
    observer.finish().await?;
    soon(&took)
}

/// A Service goes, and another of its name comes, while the first one's address is being written. There are two
/// addresses for two Services: one that was lost would be missed.
pub(super) async fn deleted_while_its_write_is_in_flight(cluster: &Cluster) -> anyhow::Result<()> {
    const ROUNDS: usize = 3;
    cluster
        .pool("default-addresspool", &["192.0.2.0-192.0.2.1"])
        .await?;
    let detour = Detour::open(cluster).await?;
    let observer = Observer::start(cluster).await?;
    detour.relay.set(Faults {
        delay: Duration::from_secs(2),
        ..Faults::default()
    });
    let mut web = None;
    for round in 1..=ROUNDS {
        let mut arrivals = detour.relay.arrivals();
        if let Some(before) = web.take() {
            delete(cluster, &observer, &before).await?;
        }
        let made = cluster.create(mk_quiet("web")).await?;
        arrivals
            .next_of("/services/web", SOON)
            .await
            .with_context(|| format!("round {round} of {ROUNDS}"))?;
        web = Some(made);
    }
    let last = web.context("there was a round")?;
    delete(cluster, &observer, &last).await?;
    create(cluster, &observer, &["web".to_owned(), "other".to_owned()]).await?;
    let ended = Instant::now();
    detour.relay.set(Faults::default());
    let took = right(cluster, &observer, ended, "deleted in flight").await?;
    detour.close(cluster).await?;
    observer.finish().await?;
    soon(&took)
}
