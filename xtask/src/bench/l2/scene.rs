//! The lab as this benchmark uses it: VIPs, who owns them by the speakers' record and on the wire, and a prober that
//! runs while something happens.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cortenlb_crds::ServiceL2Status;
use cortenlb_e2e::cluster::kill::Running;
use cortenlb_e2e::cluster::objects::addresses;
use cortenlb_e2e::cluster::wait::eventually;
use cortenlb_e2e::cluster::{Cluster, EXCLUDE_LABEL, SYSTEM};
use cortenlb_e2e::objects::mk_service;
use cortenlb_lab::probe::{Prober, Report};
use cortenlb_lab::traffic::Requester;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::json;
use tokio::time::sleep;

/// The longest that the replacement of all speakers may take.
const ROLLOUT: Duration = Duration::from_secs(180);

/// The time between two questions.
pub(super) const PERIOD: Duration = Duration::from_millis(10);

/// The port of the Services.
const HTTP: u16 = 80;

/// What the lab's hosts leave of the segment.
const POOL: [&str; 2] = ["172.21.5.16-172.21.5.99", "172.21.5.101-172.21.5.254"];

/// The addresses of [`POOL`].
pub(super) const VIPS: usize = 238;

/// The host that asks.
pub(super) const CLIENT: &str = "client";

/// Keeps all pods of Kubernetes' and ours from a node; only the servers are no pods.
const BARRED: &str = "cortenlb.io/bench=:NoExecute";

/// The longest that the speakers may take to agree before the measurement gives up.
const LIMIT: Duration = Duration::from_secs(120);

/// How long nothing happens before the next fault: a node that returned is Up by then, and stands by for others.
const REST: Duration = Duration::from_secs(3);

/// How many VIPs are asked for at once to see who has them, and for how long each.
const AT_ONCE: usize = 100;
const LOOK: Duration = Duration::from_millis(600);

/// The node that owns each VIP.
pub(super) type Owners = BTreeMap<IpAddr, String>;

/// A lab with the product, a pool and an advertisement.
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a Cluster,
    /// The node of each MAC address on the segment.
    nodes: BTreeMap<String, String>,
    /// By which the speakers show their metrics.
    pub(super) metrics_token: String,
}

impl<'a> Scene<'a> {
    /// Installs the product.
    pub(super) async fn set(cluster: &'a Cluster) -> anyhow::Result<Self> {
        cluster.install().await?;
        cluster.pool_with("bench", json!({ "addresses": POOL })).await?;
        cluster.advertise("bench", json!({})).await?;
        let mut nodes = BTreeMap::new();
        for node in cluster.lab.nodes() {
            nodes.insert(cluster.mac_of(&node).await?, node);
        }
        let metrics_token = cluster.metrics_token().await?;
        Ok(Self {
            cluster,
            nodes,
            metrics_token,
        })
    }

    /// Creates Services until there are `vips`. All have the same backends, one on each node.
    pub(super) async fn serve(&self, vips: usize) -> anyhow::Result<()> {
        let there = self.cluster.assignments().await?.len();
        let missing = (there..vips)
            .map(|index| mk_service(&format!("s{index:03}")).spec("allocateLoadBalancerNodePorts", false));
        self.cluster.create_all(missing).await?;
        ensure!(self.settled().await?.len() == vips, "not every Service has a VIP");
        Ok(())
    }

    /// Waits until each VIP is answered for by one node, the one that the speakers have recorded, and then until
    /// everything is at rest.
    pub(super) async fn settled(&self) -> anyhow::Result<Owners> {
        let attempt = || async {
            let recorded = self.recorded().await?;
            let answering = self.answering(&recorded).await?;
            for ((vip, owner), (_, nodes)) in recorded.iter().zip(&answering) {
                ensure!(
                    nodes.len() == 1 && nodes[0] == *owner,
                    "{vip} is {owner}'s, and answered for by {nodes:?}"
                );
            }
            Ok(recorded)
        };
        let owners = eventually(LIMIT, attempt).await?;
        sleep(REST).await;
        Ok(owners)
    }

    /// The owners by the speakers' record.
    async fn recorded(&self) -> anyhow::Result<Owners> {
        let statuses = self.cluster.api::<ServiceL2Status>(SYSTEM);
        let statuses = statuses.list(&ListParams::default()).await?;
        let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for status in statuses.into_iter().filter_map(|object| object.status) {
            nodes.entry(status.service_name).or_default().push(status.node);
        }
        let services = self.cluster.services().list(&ListParams::default()).await?;
        let owner = |service: Service| {
            let name = service.name_any();
            let vip = addresses(&service);
            let vip = vip.first().with_context(|| format!("{name} has no VIP"))?;
            let nodes = nodes.remove(&name).unwrap_or_default();
            let [node] = nodes.as_slice() else {
                anyhow::bail!("{name} is announced by {nodes:?}");
            };
            Ok((*vip, node.clone()))
        };
        services.items.into_iter().map(owner).collect()
    }

    /// The nodes that answer for each VIP.
    async fn answering(&self, owners: &Owners) -> anyhow::Result<BTreeMap<IpAddr, Vec<String>>> {
        let looks = stream::iter(owners.keys().copied()).map(|vip| async move {
            // One question, and another one should the first be lost.
            let prober = Prober::start(&self.cluster.lab, CLIENT, vip, LOOK / 2).await?;
            sleep(LOOK).await;
            let report = prober.stop()?;
            let macs: std::collections::BTreeSet<_> =
                report.answers.iter().map(|answer| answer.mac).collect();
            let node = |mac: String| self.nodes.get(&mac).cloned().unwrap_or(mac);
            Ok((vip, macs.iter().map(|mac| node(mac.to_string())).collect()))
        });
        looks.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Asks for `vip` while `event` happens, and for `after` it.
    pub(super) async fn watch(
        &self,
        vip: IpAddr,
        after: Duration,
        event: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Report> {
        /// Answers that come before it.
        const BEFORE: Duration = Duration::from_millis(300);
        let prober = Prober::start(&self.cluster.lab, CLIENT, vip, PERIOD).await?;
        sleep(BEFORE).await;
        event.await?;
        sleep(after).await;
        Ok(prober.stop()?)
    }

    /// Fetches through `vip` every `period` until that is stopped.
    pub(super) fn request(&self, vip: IpAddr, period: Duration) -> anyhow::Result<Requester> {
        let target = SocketAddr::new(vip, HTTP);
        Ok(Requester::start(&self.cluster.lab, CLIENT, target, period)?)
    }

    /// Does something while the API server answers nobody.
    pub(super) async fn without_api<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.cluster.lab.pause_api().await?;
        let outcome = work.await;
        self.cluster.lab.resume_api().await?;
        outcome
    }

    /// Ends the pods of a node and keeps them away, or lets them come.
    pub(super) async fn bar(&self, node: &str, barred: bool) -> anyhow::Result<()> {
        let taint = format!("{BARRED}{}", if barred { "" } else { "-" });
        self.cluster.kubectl(&["taint", "node", node, &taint]).await?;
        Ok(())
    }

    /// Says that a node is to announce nothing, or that it may again.
    pub(super) async fn exclude(&self, node: &str, excluded: bool) -> anyhow::Result<()> {
        let label = format!("{EXCLUDE_LABEL}{}", if excluded { "=" } else { "-" });
        self.cluster.kubectl(&["label", "node", node, &label]).await?;
        Ok(())
    }

    /// Replaces all speakers, one after the other.
    pub(super) async fn replace_speakers(&self) -> anyhow::Result<()> {
        self.cluster.replace_speakers(ROLLOUT).await
    }

    /// Replaces a speaker that was killed, so that kubelet starts it at once when it is killed again: of a container
    /// that ends more than once it thinks ill.
    pub(super) async fn renew(&self, killed: &Running) -> anyhow::Result<()> {
        self.cluster.product_ready().await?;
        let pods = self.cluster.api::<Pod>(SYSTEM);
        self.cluster.delete(pods, &killed.pod).await?;
        self.cluster.product_ready().await
    }
}
