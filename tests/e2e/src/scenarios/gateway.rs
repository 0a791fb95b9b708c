//! The MicroK8s add-on, and the reference scenario on top of it.

use anyhow::ensure;

use crate::cluster::{Cluster, RANGE};
use crate::objects::mk_service;
use crate::reference::addon::Addon;
use crate::reference::{self, clear, tell};

/// What the reference scenario needs besides a lab.
pub(super) async fn prepare() -> anyhow::Result<()> {
    reference::prepare().await.map(drop)
}

/// The story that CortenLB exists for: enabled as an add-on, Traefik, Gateway API, DNS, a browser.
pub(super) async fn traefik_with_gateway_api(cluster: &Cluster) -> anyhow::Result<()> {
    let traefik = reference::prepare().await?;
    let picture = cluster.product.artefacts.join("nexus.png");
    std::fs::create_dir_all(&cluster.product.artefacts)?;
    let told = tell(cluster, &traefik, &picture).await;
    if told.is_err() {
        cluster.dump("traefik_with_gateway_api").await;
    }
    clear(cluster).await?;
    told
}

/// The add-on asks for a range, takes several, says what is wrong with others, and goes as it came.
pub(super) async fn microk8s_addon(cluster: &Cluster) -> anyhow::Result<()> {
    let addon = Addon::lay_out(cluster).await?;
    for (argument, answer, says) in [
        ("172.21.5.240", "", "is neither a range"),
        ("", "", "no addresses were given"),
        ("", "none\n", "is neither a range"),
        ("172.21.5.250-172.21.5.240", "", "the pool was refused"),
    ] {
        let refused = addon.enable(argument, answer).await?;
        ensure!(
            !refused.succeeded && refused.text.contains(says),
            "cortenlb:{argument} (answer {answer:?}) should be refused, with {says:?}: {}",
            refused.text
        );
    }
    ensure!(!addon.is_enabled(), "it counts as enabled, and nothing worked");
    // In place of one that was refused, and of one another.
    addon.enable("", "172.21.5.240/31\n").await?.expect_success()?;
    addon
        .enable(
            "172.21.5.240-172.21.5.241,172.21.5.244/30,fd00:172:21:5::240-fd00:172:21:5::24f",
            "",
        )
        .await?
        .expect_success()?;
    let pool = [
        "get",
        "ipaddresspool/default-addresspool",
        "-n",
        "metallb-system",
        "-o",
        "jsonpath={.spec.addresses}",
    ];
    let addresses = cluster.kubectl(&pool).await?;
    ensure!(
        addresses
            == r#"["172.21.5.240-172.21.5.241","172.21.5.244/30","fd00:172:21:5::240-fd00:172:21:5::24f"]"#,
        "the pool has {addresses}"
    );
    cluster.create(mk_service("web")).await?;
    cluster.expect_address("web", "172.21.5.240").await?;
    addon.enable(RANGE, "").await?.expect_success()?;
    cluster.expect_address("web", "172.21.5.240").await?;
    cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;
    cluster.delete(cluster.services(), "web").await?;
    ensure!(addon.is_enabled(), "it does not count as enabled");
    addon.disable().await?.expect_success()?;
    ensure!(!addon.is_enabled(), "it still counts as enabled");
    cluster.uninstall().await
}
