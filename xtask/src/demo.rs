//! `cargo xtask demo`: the whole story in one command, on a real Kubernetes, with its set-up and its clean-up.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use cortenlb_lab::{Lab, LabOptions};
use serde_json::json;

/// Bring up a Kubernetes on this machine, install CortenLB, and show a LoadBalancer Service at work.
#[derive(Args)]
pub(crate) struct Demo {
    /// Leave the lab running, to look around.
    #[arg(long)]
    keep: bool,
    /// The name of the lab to use; one of that name is taken down first.
    #[arg(long, default_value = "demo")]
    name: String,
    /// Number of nodes, 2 to 5: one of them will be cut off.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=5))]
    nodes: u8,
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
        let Self { keep, name, nodes } = self;
        Lab::down(&name).await?;
        let product = crate::image::product()?;
        say("Starting a Kubernetes of its own in network namespaces, with CortenLB installed");
        let options = LabOptions {
            name: name.clone(),
            nodes: nodes.into(),
            product: Some(product),
            ..LabOptions::default()
        };
        let outcome = tell(options).await;
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

/// The lab, as the story's commands are shown on it.
struct Stage<'a> {
    lab: &'a Lab,
}

impl Stage<'_> {
    async fn quiet(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.lab.kubectl(arguments).await?;
        if !output.status.success() {
            bail!(
                "kubectl {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        println!("\n$ kubectl {}", arguments.join(" "));
        let text = self.quiet(arguments).await?;
        print!("{text}");
        Ok(text)
    }

    async fn on_client(&self, command: &[&str]) -> anyhow::Result<String> {
        println!("\nclient$ {}", command.join(" "));
        let output = self.lab.exec("client", command).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        ensure!(
            output.status.success(),
            "{} on the client host: {}",
            command.join(" "),
            output.status
        );
        Ok(text)
    }

    /// The node that announces the VIP, by the record of its speaker.
    async fn owner(&self) -> anyhow::Result<String> {
        let status = [
            "get",
            "servicel2statuses",
            "-n",
            "metallb-system",
            "-o",
            "jsonpath={.items[*].status.node}",
        ];
        let nodes = self.quiet(&status).await?;
        nodes
            .split_whitespace()
            .next()
            .map(str::to_owned)
            .context("no ServiceL2Status says who announces")
    }

    async fn served(&self, url: &str) -> anyhow::Result<bool> {
        let output = self
            .lab
            .exec("client", &["curl", "-s", "--fail", "--max-time", "2", url])
            .await?;
        Ok(output.status.success())
    }

    /// kube-proxy programs the address on its own time; nothing says when it is done.
    async fn until_served(&self, url: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.served(url).await? {
            ensure!(Instant::now() < deadline, "{url} did not answer within 60 s");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn mac(&self) -> anyhow::Result<Option<String>> {
        let output = self.lab.exec("client", &["ip", "neigh", "show", VIP]).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text
            .split_whitespace()
            .skip_while(|word| *word != "lladdr")
            .nth(1)
            .map(str::to_owned))
    }

    /// Cuts the owner off, asks once a while, and says what a client saw.
    async fn cut_and_measure(&self, owner: &str, url: &str) -> anyhow::Result<()> {
        let before = self
            .mac()
            .await?
            .context("the client knows no neighbour for the VIP")?;
        self.lab.cut(owner).await?;
        let cut = Instant::now();
        println!("\nclient$ while …; do curl --max-time 2 {url}; done");
        let mut moved = None;
        let (mut failed, mut in_a_row) = (0, 0);
        let mut first = None;
        while in_a_row < 10 {
            ensure!(
                cut.elapsed() < Duration::from_secs(180),
                "no lasting answer within 180 s after the cut"
            );
            let served = self.served(url).await?;
            let now = cut.elapsed().as_secs_f64();
            let mac = self.mac().await?;
            if moved.is_none() && mac.as_ref().is_some_and(|mac| *mac != before) {
                moved = Some(now);
                println!(
                    "{now:6.1} s  the client's neighbour entry for {VIP} is now {}",
                    mac.unwrap_or_default()
                );
            }
            if served {
                if first.is_none() && moved.is_some() {
                    first = Some(now);
                    println!("{now:6.1} s  first answer through the new owner");
                }
                in_a_row += 1;
            } else {
                failed += 1;
                in_a_row = 0;
                if failed % 5 == 1 {
                    println!("{now:6.1} s  no answer yet");
                }
            }
        }
        println!(
            "{:6.1} s  ten answers in a row; {failed} requests failed since the cut",
            cut.elapsed().as_secs_f64()
        );
        let owner_now = self
            .kubectl(&["get", "servicel2statuses", "-n", "metallb-system"])
            .await?;
        ensure!(
            moved.is_some(),
            "the answers never came from another node:\n{owner_now}"
        );
        self.on_client(&["ip", "neigh", "show", VIP]).await?;
        self.on_client(&["curl", "-s", url]).await?;
        println!(
            "(until Kubernetes declares the node dead, after about 40 s, its speaker counts as alive and its pods\n\
             still get requests; the node monitor was left as Kubernetes ships it)"
        );
        Ok(self.lab.heal(owner).await?)
    }
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
