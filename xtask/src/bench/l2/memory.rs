//! What a speaker needs for many Services, and what is written when nothing happens to them.

use std::time::Duration;

use anyhow::ensure;
use cortenlb_crds::ServiceL2Status;
use cortenlb_e2e::cluster::wait::eventually;
use cortenlb_e2e::cluster::{Cluster, SYSTEM};
use cortenlb_e2e::objects::mk_service;
use kube::api::ListParams;
use serde_json::json;
use tokio::time::sleep;

use crate::bench::print;
use crate::bench::usage::{memory, writes, writes_within};

const SERVICES: usize = 2_000;

/// Room for them, on no segment.
const POOL: &str = "10.100.0.0/16";

/// How long all may take to be announced before the measurement gives up.
const LIMIT: Duration = Duration::from_secs(900);

/// How long writes are counted, and how long none may come before that.
const IDLE: Duration = Duration::from_secs(60);
const CALM: Duration = Duration::from_secs(5);

/// On a lab without the product.
pub(super) async fn services(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.install().await?;
    memory(cluster, "speaker", "l2.memory.speaker.idle").await?;
    cluster.pool("bench", &[POOL]).await?;
    cluster.advertise("bench", json!({})).await?;
    // kube-proxy leaves those alone that name another proxy: thousands would take it longer than anything else here.
    let services = (0..SERVICES).map(|index| {
        mk_service(&format!("s{index:04}"))
            .label("service.kubernetes.io/service-proxy-name", "none")
            .spec("allocateLoadBalancerNodePorts", false)
    });
    cluster.create_all(services).await?;
    let announced = || async {
        let statuses = cluster.api::<ServiceL2Status>(SYSTEM);
        let found = statuses.list_metadata(&ListParams::default()).await?.items.len();
        ensure!(found == SERVICES, "{found} of {SERVICES} Services are announced");
        let before = writes(&cluster.client).await?;
        sleep(CALM).await;
        ensure!(
            writes(&cluster.client).await? == before,
            "something is still written"
        );
        Ok(())
    };
    eventually(LIMIT, announced).await?;
    memory(cluster, "speaker", "l2.memory.speaker").await?;
    print("l2.idle.writes", writes_within(&cluster.client, IDLE).await?, "1");
    Ok(())
}
