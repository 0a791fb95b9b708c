//! The leader goes, and says so: the other controller need not wait until the Lease has expired.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cortenlb_crds::names::{EPOCH, LEASE};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};

use super::faults::{POOL, mk_quiet};
use crate::cluster::scrape::value_of;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON, SYSTEM};
use crate::observer::Observer;
use crate::observer::model::Right;

/// How soon after the leader's pod is deleted new Services must have their addresses. The machine is shared; a fraction of
/// it is what should be printed.
const PROMISED: Duration = Duration::from_secs(5);

/// The leader's pod is deleted as `kubectl delete pod` does: what is made in that moment is served, and what is made once
/// the standby holds the Lease, which was given back and has not expired. Then one of the two leads.
pub(super) async fn standby_takes_over_at_once(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let token = cluster.metrics_token().await?;
    let observer = Observer::start(cluster).await?;
    observer.expect(["before"], Right::Address);
    cluster.create(mk_quiet("before")).await?;
    observer.all_right_after(Instant::now(), SOON).await?;

    let leader = cluster.leader().await?.pod;
    ensure!(cluster.pods("controller").await?.len() > 1, "nobody stands by");
    let pods = cluster.api::<Pod>(SYSTEM);
    let begin = Instant::now();
    pods.delete(&leader, &DeleteParams::default()).await?;
    observer.expect(["meanwhile", "afterwards"], Right::Address);
    cluster.create(mk_quiet("meanwhile")).await?;
    // Mostly the one that stood by; but the pod that comes in place of the deleted one may begin before that has ended.
    let has_taken_over = |found: Option<&Lease>| {
        let holder = found.and_then(|lease| lease.spec.as_ref()?.holder_identity.as_ref());
        holder.is_some_and(|holder| !holder.is_empty() && *holder != leader)
    };
    let (leases, what) = (
        cluster.api::<Lease>(SYSTEM),
        format!("is held by another than {leader}"),
    );
    cluster.wait(leases, LEASE, &what, SOON, has_taken_over).await?;
    cluster.create(mk_quiet("afterwards")).await?;
    let took = observer.all_right_after(begin, SOON).await?;
    println!(
        "  new Services have addresses {:.2} s after the leader's pod was deleted",
        took.as_secs_f64()
    );
    let services = cluster.services().list(&ListParams::default()).await?;
    let mut stamped = services
        .iter()
        .filter(|one| one.annotations().contains_key(EPOCH));
    let stamped = stamped.next().map(|one| one.name_any());
    ensure!(
        stamped.is_none(),
        "{stamped:?} has a stamp: the Lease was not given back, it expired"
    );

    cluster
        .wait(pods, &leader, "is gone", SOON, |found| found.is_none())
        .await?;
    cluster.product_ready().await?;
    eventually(SOON, || one_leads(cluster, &token)).await?;
    observer.finish().await?;
    ensure!(
        took <= PROMISED,
        "served only {:.2} s after the leader's pod was deleted",
        took.as_secs_f64()
    );
    Ok(())
}

/// Requires that of all controllers the one that holds the Lease says that it leads, and no other.
async fn one_leads(cluster: &Cluster, token: &str) -> anyhow::Result<()> {
    let mut leaders = Vec::new();
    let pods = cluster.pods("controller").await?;
    for pod in &pods {
        let text = cluster.metrics(pod, token).await?;
        let says = value_of(&text, "cortenlb_leader");
        if says.context("no cortenlb_leader")? == "1" {
            leaders.push(pod.name_any());
        }
    }
    let holder = cluster.leader().await?.pod;
    ensure!(
        pods.len() > 1 && leaders == [holder.clone()],
        "{holder} holds the Lease, and of {} controllers {leaders:?} say that they lead",
        pods.len()
    );
    Ok(())
}
