//! `cargo xtask demo`: the whole story in one command, on a real Kubernetes, with its set-up and its clean-up.

mod gateway;
mod stage;

use anyhow::ensure;
use clap::{Args, Subcommand};
use cortenlb_lab::{Lab, LabOptions};
use serde_json::json;
use stage::Stage;

/// Bring up a Kubernetes on this machine, install CortenLB, and show a LoadBalancer Service at work.
#[derive(Args)]
pub(crate) struct Demo {
    #[command(subcommand)]
    story: Option<Story>,
    /// Leave the lab running, to look around.
    #[arg(long, global = true)]
    keep: bool,
    /// The name of the lab to use; one of that name is taken down first.
    #[arg(long, global = true, default_value = "demo")]
    name: String,
    /// Number of nodes, 2 to 5: one of them will be cut off.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=5))]
    nodes: u8,
}

/// Another story than that of a node that is cut off.
#[derive(Subcommand)]
enum Story {
    /// MicroK8s add-on, Traefik, Gateway API, DNS and a browser.
    Gateway,
}

const VIP: &str = "172.21.5.240";
const POOL: &str = "\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: default-addresspool
  namespace: metallb-system
spec:
  addresses:
  - 172.21.5.240-172.21.5.250
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: default-l2advertisement
  namespace: metallb-system
spec:
  ipAddressPools:
  - default-addresspool
";

impl Demo {
    /// Runs the demonstration; the lab is taken down at its end, after a failure too, unless it is to be kept.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self {
            story,
            keep,
            name,
            nodes,
        } = self;
        Lab::down(&name).await?;
        let options = LabOptions {
            name: name.clone(),
            nodes: nodes.into(),
            ..LabOptions::default()
        };
        let outcome = match story {
            Some(Story::Gateway) => gateway::tell(options).await,
            None => {
                let product = Some(crate::image::product()?);
                say("Starting a Kubernetes of its own in network namespaces, with CortenLB installed");
                tell(LabOptions { product, ..options }).await
            }
        };
        if keep {
            println!("\nThe lab is still running. To look around:");
            println!("  cargo xtask lab kubectl --name {name} -- get svc -A");
            println!("  cargo xtask lab exec --name {name} client -- curl http://{VIP}/");
            println!("  cargo xtask lab down --name {name}          ends it");
        } else {
            Lab::down(&name).await?;
            println!("\nThe lab is gone. `cargo xtask demo --keep` leaves it running, to look around.");
        }
        outcome
    }
}

/// Brings the lab up and tells the story on it; says what it looked like if that failed.
async fn tell(options: LabOptions) -> anyhow::Result<()> {
    let lab = Lab::up(options).await?;
    let outcome = story(&lab).await;
    if let Err(error) = &outcome {
        println!("\nThe demonstration failed: {error:#}");
        match lab.diagnose("demo").await {
            Ok(folder) => println!("What the cluster looked like: {}", folder.display()),
            Err(error) => println!("What the cluster looked like could not be written: {error:#}"),
        }
    }
    outcome
}

async fn story(lab: &Lab) -> anyhow::Result<()> {
    let stage = Stage { lab };
    say("A pool of addresses, and its advertisement on the segment");
    let pool = lab.scratch_file("pool.yaml", POOL).await?;
    print!("{POOL}");
    println!("\n$ kubectl apply -f pool.yaml");
    print!("{}", stage.quiet(&["apply", "-f", &pool]).await?);

    say("A backend with three replicas and a Service of type LoadBalancer");
    let backend = lab.scratch_file("backend.json", &backend().to_string()).await?;
    stage.quiet(&["apply", "-f", &backend]).await?;
    stage
        .quiet(&[
            "rollout",
            "status",
            "-n",
            "traefik",
            "deployment/traefik",
            "--timeout=120s",
        ])
        .await?;
    let ip = "jsonpath={.status.loadBalancer.ingress[0].ip}";
    stage
        .quiet(&[
            "wait",
            "-n",
            "traefik",
            "svc/traefik",
            &format!("--for={ip}"),
            "--timeout=60s",
        ])
        .await?;
    let announced = "condition=cortenlb.io/Announced";
    stage
        .quiet(&[
            "wait",
            "-n",
            "traefik",
            "svc/traefik",
            &format!("--for={announced}"),
            "--timeout=60s",
        ])
        .await?;

    say("What a user sees");
    stage.kubectl(&["get", "pods", "-n", "metallb-system"]).await?;
    stage
        .kubectl(&["get", "ipaddresspools", "-n", "metallb-system"])
        .await?;
    let table = stage.kubectl(&["get", "svc", "-n", "traefik"]).await?;
    ensure!(table.contains(VIP), "the Service did not get {VIP}");

    say("A host on the segment reaches it");
    let url = format!("http://{VIP}/");
    stage.until_served(&url).await?;
    let owner = stage.owner().await?;
    stage.on_client(&["ip", "neigh", "show", VIP]).await?;
    stage.on_client(&["curl", "-s", &url]).await?;
    println!("(the neighbour entry holds the MAC address of node {owner})");

    say(&format!(
        "Node {owner} is cut off, as by a power failure: its link stays up, its frames are lost"
    ));
    stage.cut_and_measure(&owner, &url).await
}

/// A stand-in for Traefik: a small HTTP server behind a Service with Traefik's name and ports.
fn backend() -> serde_json::Value {
    let labels = json!({ "app": "traefik" });
    json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "traefik" } },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": { "name": "traefik", "namespace": "traefik" },
                "spec": {
                    "replicas": 3,
                    "selector": { "matchLabels": labels },
                    "template": { "metadata": { "labels": labels }, "spec": cortenlb_e2e::objects::backend_pod(cortenlb_lab::BACKEND_IMAGE) },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "name": "traefik", "namespace": "traefik" },
                "spec": {
                    "type": "LoadBalancer",
                    "selector": labels,
                    "ports": [
                        { "name": "web", "port": 80, "nodePort": 30144, "targetPort": cortenlb_e2e::objects::BACKEND_PORT },
                        { "name": "websecure", "port": 443, "nodePort": 31262, "targetPort": cortenlb_e2e::objects::BACKEND_PORT },
                    ],
                },
            },
        ],
    })
}

fn say(title: &str) {
    println!("\n== {title}");
}
