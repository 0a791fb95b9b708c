//! The demonstration's lab: commands, shown as they are run, and what a client sees.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use cortenlb_lab::Lab;

use super::VIP;

/// The lab, as the story's commands are shown on it.
pub(super) struct Stage<'a> {
    pub(super) lab: &'a Lab,
}

impl Stage<'_> {
    pub(super) async fn quiet(&self, arguments: &[&str]) -> anyhow::Result<String> {
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

    pub(super) async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        println!("\n$ kubectl {}", arguments.join(" "));
        let text = self.quiet(arguments).await?;
        print!("{text}");
        Ok(text)
    }

    pub(super) async fn on_client(&self, command: &[&str]) -> anyhow::Result<String> {
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
    pub(super) async fn owner(&self) -> anyhow::Result<String> {
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
    pub(super) async fn until_served(&self, url: &str) -> anyhow::Result<()> {
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
    pub(super) async fn cut_and_measure(&self, owner: &str, url: &str) -> anyhow::Result<()> {
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
                    let why = if moved.is_some() {
                        "a request went to a pod on the lost node"
                    } else {
                        "no answer yet"
                    };
                    println!("{now:6.1} s  {why}");
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
            "(the address has moved; until Kubernetes declares the node dead, after about 40 s, kube-proxy still sends\n\
             requests to its pods: the node monitor was left as Kubernetes ships it)"
        );
        Ok(self.lab.heal(owner).await?)
    }
}
