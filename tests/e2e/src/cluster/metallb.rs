//! MetalLB as it leaves a cluster: its own manifest and what its programs write, with stand-ins for the programs.

use std::net::Ipv4Addr;

use anyhow::{Context as _, ensure};
use cortenlb_lab::StandIn;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::wait::eventually;
use super::{Cluster, RANGE, SOON, SYSTEM};
use crate::objects::mk_service;

/// The pool that MetalLB has.
pub const POOL: &str = "default-addresspool";

/// The Secret with the speakers' key, as MetalLB's manifest names it.
pub const KEY: &str = "memberlist";

/// The BGPPeer that MetalLB has.
pub const PEER: &str = "router";

/// The webhook by which MetalLB judges its objects.
pub const WEBHOOK: &str = "metallb-webhook-configuration";

/// How the objects of a manifest are applied.
#[derive(Clone, Copy, Debug)]
pub enum Apply {
    /// By kubectl, from the last form that it applied.
    ClientSide,
    /// By the API server, from what each applied field belongs to.
    ServerSide,
}

impl Apply {
    /// Runs `kubectl apply` so.
    pub async fn run(self, cluster: &Cluster, file: &str) -> anyhow::Result<()> {
        let words: &[&str] = match self {
            Self::ClientSide => &["apply", "-f", file],
            Self::ServerSide => &["apply", "--server-side", "-f", file],
        };
        cluster.kubectl(words).await.map(drop)
    }
}

/// What runs, of MetalLB's and of ours.
pub const WORKLOADS: [&str; 2] = ["deployment/controller", "daemonset/speaker"];

/// MetalLB's manifest with stand-ins in it.
pub struct MetalLb {
    /// The file with all of it.
    manifest: String,
    /// The file without the speakers, which need their key, and without the webhook, which nobody answers.
    beginning: String,
}

impl MetalLb {
    /// Writes the manifest out of MetalLB's Go module, with stand-ins that answer for `vips`, and loads their image.
    pub async fn lay_out(cluster: &Cluster, vips: &[&str]) -> anyhow::Result<Self> {
        let [controller, speaker] = stand_ins(cluster, vips).await?;
        let mut objects = super::manifest::read(&cortenlb_lab::metallb_manifest().await?)?;
        for (kind, stand_in) in [("Deployment", controller), ("DaemonSet", speaker)] {
            let workload = objects.iter_mut().find(|object| object["kind"] == kind);
            let workload = workload.with_context(|| format!("MetalLB's manifest has no {kind}"))?;
            let container = &mut workload["spec"]["template"]["spec"]["containers"][0];
            container["image"] = stand_in["image"].clone();
            container["args"] = stand_in["args"].clone();
        }
        let manifest = cluster.manifest("metallb.json", &objects).await?;
        objects.retain(|object| {
            object["kind"] != "DaemonSet" && object["kind"] != "ValidatingWebhookConfiguration"
        });
        let beginning = cluster.manifest("metallb-beginning.json", &objects).await?;
        Ok(Self { manifest, beginning })
    }

    /// Installs it, with a pool, an advertisement, a BGPPeer, and the key that its controller makes; waits until all of it is
    /// ready.
    pub async fn install(&self, cluster: &Cluster, apply: Apply) -> anyhow::Result<()> {
        apply.run(cluster, &self.beginning).await?;
        cluster.crds_established().await?;
        cluster.pool(POOL, &[RANGE]).await?;
        cluster
            .advertise("default", json!({ "ipAddressPools": [POOL] }))
            .await?;
        cluster.bgp_peer().await?;
        cluster.metallb_key(KEY, "controller").await?;
        apply.run(cluster, &self.manifest).await?;
        cluster.rolled_out(&WORKLOADS).await?;
        cluster.metallb_webhook_refuses().await
    }

    /// Applies the whole manifest over ours, and waits until its workloads are rolled out. Server-side it has to be forced:
    /// the step before the take-over has changed a field of it.
    pub async fn apply_over_ours(&self, cluster: &Cluster, apply: Apply) -> anyhow::Result<()> {
        match apply {
            Apply::ClientSide => apply.run(cluster, &self.manifest).await?,
            Apply::ServerSide => {
                let force = [
                    "apply",
                    "--server-side",
                    "--force-conflicts",
                    "-f",
                    &self.manifest,
                ];
                cluster.kubectl(&force).await.map(drop)?;
            }
        }
        cluster.rolled_out(&WORKLOADS).await
    }
}

impl Cluster {
    /// Waits until these workloads of the product's namespace are rolled out: longer than anything of ours takes, since
    /// MetalLB's pods are Ready 10 s after their start at the earliest.
    pub async fn rolled_out(&self, workloads: &[&str]) -> anyhow::Result<()> {
        for workload in workloads {
            self.kubectl(&["rollout", "status", "-n", SYSTEM, workload, "--timeout=180s"])
                .await?;
        }
        Ok(())
    }

    /// Creates [`PEER`], in the version that is stored: nobody converts the other one.
    async fn bgp_peer(&self) -> anyhow::Result<()> {
        let peer = json!({
            "apiVersion": "metallb.io/v1beta2",
            "kind": "BGPPeer",
            "metadata": { "name": PEER, "namespace": SYSTEM },
            "spec": { "myASN": 64500, "peerASN": 64501, "peerAddress": "172.21.5.1" },
        });
        let file = self.lab.scratch_file("peer.json", &peer.to_string()).await?;
        // Its definition was not waited for.
        eventually(SOON, || async { self.kubectl(&["apply", "-f", &file]).await }).await?;
        Ok(())
    }

    /// Creates the Secret with the speakers' key, as MetalLB's controller of this name does.
    pub async fn metallb_key(&self, name: &str, controller: &str) -> anyhow::Result<()> {
        let deployment = self.api::<Deployment>(SYSTEM).get(controller).await?;
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {
                "name": name,
                "ownerReferences": [{
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": controller,
                    "uid": deployment.uid(),
                }],
            },
            "stringData": { "secretkey": "c2l4dGVlbiBieXRlcyE" },
        }))?;
        self.api(SYSTEM).create(&PostParams::default(), &secret).await?;
        Ok(())
    }

    /// Creates a Service that has this address from MetalLB, out of [`POOL`].
    pub async fn create_as_metallb(&self, name: &str, address: &str) -> anyhow::Result<()> {
        self.create(mk_service(name).annotation("metallb.io/ip-allocated-from-pool", POOL))
            .await?;
        let status =
            json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address, "ipMode": "VIP" }] } } });
        self.services()
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(())
    }

    /// Waits until MetalLB's webhook, which nobody answers, keeps pools out.
    pub async fn metallb_webhook_refuses(&self) -> anyhow::Result<()> {
        let pool = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": { "name": "refused", "namespace": SYSTEM },
            "spec": { "addresses": ["192.0.2.0/24"] },
        });
        let file = self.lab.scratch_file("refused.json", &pool.to_string()).await?;
        eventually(SOON, || async {
            let pool = self.kubectl(&["apply", "--dry-run=server", "-f", &file]).await;
            let refused = pool
                .err()
                .context("a pool is accepted that MetalLB's webhook should keep out")?;
            let said = format!("{refused:#}");
            ensure!(said.contains("failed calling webhook"), "{said}");
            Ok(())
        })
        .await
    }
}

/// Loads the image of the stand-ins; returns what changes in the containers of MetalLB's controller and of its speaker, which
/// then answers for `vips`.
pub async fn stand_ins(cluster: &Cluster, vips: &[&str]) -> anyhow::Result<[Value; 2]> {
    let StandIn { image, reference } = StandIn::ensure().await?;
    cluster.lab.load_image(&image).await?;
    let speaker = [
        format!("--vips={}", vips.join(",")),
        format!("--nodes={}", node_addresses(cluster).await?.join(",")),
    ];
    Ok([
        json!({ "image": reference, "args": [] }),
        json!({ "image": reference, "args": speaker }),
    ])
}

/// The nodes' own IPv4 addresses.
async fn node_addresses(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let nodes = nodes.list(&ListParams::default()).await?;
    let addresses = nodes
        .into_iter()
        .filter_map(|node| node.status?.addresses)
        .flatten()
        .filter(|address| address.type_ == "InternalIP" && address.address.parse::<Ipv4Addr>().is_ok());
    Ok(addresses.map(|address| address.address).collect())
}
