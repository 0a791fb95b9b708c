//! `cargo xtask demo gateway`: the story that CortenLB exists for, as the scenario tells it.

use cortenlb_e2e::cluster::Cluster;
use cortenlb_e2e::reference;
use cortenlb_lab::LabOptions;

/// Brings up a lab without the product and tells the story on it; says what it looked like if that failed.
pub(super) async fn tell(options: LabOptions) -> anyhow::Result<()> {
    let product = crate::image::scenarios_product()?;
    let traefik = reference::prepare().await?;
    super::say("Starting a Kubernetes of its own in network namespaces");
    std::fs::create_dir_all(&product.artefacts)?;
    let picture = product.artefacts.join("nexus.png");
    let cluster = Cluster::up_as(options, product).await?;
    let told = reference::tell(&cluster, &traefik, &picture).await;
    if told.is_err() {
        cluster.dump("demo").await;
    }
    told
}
