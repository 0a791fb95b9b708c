//! A host on the segment has an address of a pool.

use std::net::IpAddr;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use crate::cluster::objects::{addresses, condition};
use crate::cluster::segment::CLIENT;
use crate::cluster::{Cluster, SOON};
use crate::objects::mk_service;

/// The pool's range: no other scenario's, since an address that a host had is given to nobody for a while.
const RANGE: &str = "172.21.5.230-172.21.5.231";

/// The first address of the pool, as the host has it.
const TAKEN: &str = "172.21.5.230/32";

/// The same.
const VIP: &str = "172.21.5.230";

/// An address of the other family, which nobody else has.
const FREE: &str = "fd00:5::e6";

/// Type of the condition that says that somebody else has the address.
const ADDRESS_CONFLICT: &str = "cortenlb.io/AddressConflict";

/// Nobody answers for an address that a host on the segment has: a Service that did not ask for it gets another one, one
/// that did says who has it, and is served when that host gives it up.
pub(super) async fn address_conflict_with_another_host(cluster: &Cluster) -> anyhow::Result<()> {
    let free = format!("{FREE}/128");
    cluster.pool("default-addresspool", &[RANGE, &free]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster
        .on_client(&["ip", "address", "add", TAKEN, "dev", "eth0"])
        .await?;
    let outcome = while_it_is_taken(cluster).await;
    // It would stand in the way of every later scenario.
    cluster
        .on_client(&["ip", "address", "del", TAKEN, "dev", "eth0"])
        .await?;
    outcome?;

    let is_free =
        |found: Option<&Service>| found.is_some_and(|service| condition(service, ADDRESS_CONFLICT).is_none());
    cluster
        .wait(
            cluster.services(),
            "named",
            "has no condition AddressConflict",
            SOON,
            is_free,
        )
        .await?;
    let node = cluster.announced_from("named").await?;
    cluster.expect_answer_from(VIP, &node).await?;
    cluster.curl(&format!("http://{VIP}/")).await?;
    Ok(())
}

async fn while_it_is_taken(cluster: &Cluster) -> anyhow::Result<()> {
    let mac = cluster.mac_of(CLIENT).await?;
    cluster.create(mk_service("web")).await?;
    let event = cluster.event("web", "AddressConflict").await?;
    ensure!(
        event.contains(VIP) && event.contains(&mac),
        "the event names no {mac}: {event}"
    );
    let second: IpAddr = "172.21.5.231".parse()?;
    cluster
        .wait(
            cluster.services(),
            "web",
            "has 172.21.5.231 in place of the address that a host has",
            SOON,
            |found| found.is_some_and(|service| addresses(service) == [second]),
        )
        .await?;
    let node = cluster.announced_from("web").await?;
    cluster.expect_answer_from("172.21.5.231", &node).await?;
    cluster.curl("http://172.21.5.231/").await?;

    let named = mk_service("named")
        .annotation("metallb.io/loadBalancerIPs", &format!("{VIP},{FREE}"))
        .spec("ipFamilyPolicy", "RequireDualStack");
    cluster.create(named).await?;
    let said = cluster
        .condition("named", ADDRESS_CONFLICT, "True", "InUseOnSegment")
        .await
        .context("it asked for the address by name")?;
    ensure!(
        said.message.contains(VIP) && said.message.contains(&mac),
        "the condition names no {mac}: {}",
        said.message
    );
    let given = cluster.addresses("named").await?;
    ensure!(
        given == [VIP.parse::<IpAddr>()?, FREE.parse()?],
        "both addresses that it asked for are its own: {given:?}"
    );
    let node = cluster.announced_from("named").await?;
    cluster.expect_answer_from(FREE, &node).await?;
    cluster.curl(&format!("http://[{FREE}]/")).await?;
    // Seen from the host that has it, whose own kernel does not answer itself.
    cluster.expect_silence(VIP).await
}
