//! The segment as its client host sees it: requests through a VIP, and the neighbours that answer for one.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use cortenlb_lab::probe::Prober;

use super::wait::eventually;
use super::{Cluster, SOON};

/// The host on the segment that has nothing to do with the cluster.
pub const CLIENT: &str = "client";

/// The time between two questions of a prober.
const PERIOD: Duration = Duration::from_millis(100);

/// The same, where each millisecond matters.
const CLOSELY: Duration = Duration::from_millis(10);

/// How long is listened for answers: ten questions.
const WINDOW: Duration = Duration::from_secs(1);

impl Cluster {
    /// Runs a program on the client host; an exit code other than 0 is an error with what it printed.
    pub async fn on_client(&self, command: &[&str]) -> anyhow::Result<String> {
        self.on_host(CLIENT, command).await
    }

    /// Runs a program on any host of the lab.
    pub async fn on_host(&self, host: &str, command: &[&str]) -> anyhow::Result<String> {
        let output = self.lab.exec(host, command).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{} on {host}: {}: {text}{}",
                command.join(" "),
                output.status,
                stderr.trim()
            );
        }
        Ok(text)
    }

    /// Fetches `url` from the client host once.
    pub async fn curl_once(&self, url: &str) -> anyhow::Result<String> {
        self.on_client(&["curl", "-sS", "--fail", "--max-time", "2", url])
            .await
    }

    /// Fetches `url` from the client host until it answers: kube-proxy programs a new address shortly after it is
    /// there, and tells nobody.
    pub async fn curl(&self, url: &str) -> anyhow::Result<String> {
        eventually(SOON, || self.curl_once(url))
            .await
            .with_context(|| format!("GET {url} from the client host"))
    }

    /// Starts to ask for `vip` from the client host, ten times a second.
    pub async fn probe(&self, vip: &str) -> anyhow::Result<Prober> {
        self.probe_each(PERIOD, vip).await
    }

    /// Starts to ask for `vip` a hundred times a second, so that a hand-over can be measured.
    pub async fn probe_closely(&self, vip: &str) -> anyhow::Result<Prober> {
        self.probe_each(CLOSELY, vip).await
    }

    async fn probe_each(&self, period: Duration, vip: &str) -> anyhow::Result<Prober> {
        Ok(Prober::start(&self.lab, CLIENT, vip.parse()?, period).await?)
    }

    /// Asks for `vip` on the segment for a second and returns the MAC addresses that answered, last first.
    pub async fn who_answers(&self, vip: &str) -> anyhow::Result<Vec<String>> {
        let prober = self.probe(vip).await?;
        // Silence can only be seen by listening for a while.
        tokio::time::sleep(WINDOW).await;
        let report = prober.stop()?;
        let answerers = report.answerers().into_iter();
        Ok(answerers.map(|mac| mac.to_string()).collect())
    }

    /// Requires that `node` answers for `vip` on the segment, and nobody else.
    pub async fn expect_answer_from(&self, vip: &str, node: &str) -> anyhow::Result<()> {
        let wanted = self.mac_of(node).await?;
        eventually(SOON, || async {
            let found = self.who_answers(vip).await?;
            ensure!(
                found == [wanted.clone()],
                "{vip} should be answered by {node} ({wanted}), and is by {found:?}"
            );
            Ok(())
        })
        .await
    }

    /// Requires that nobody answers for `vip` on the segment.
    pub async fn expect_silence(&self, vip: &str) -> anyhow::Result<()> {
        eventually(SOON, || async {
            let found = self.who_answers(vip).await?;
            ensure!(
                found.is_empty(),
                "nobody should answer for {vip}, and {found:?} do"
            );
            Ok(())
        })
        .await
    }

    /// Requires that the node with the MAC address `taken` alone answers for `vip` now, and announces its Service.
    pub async fn ensure_kept(&self, service: &str, vip: &str, taken: &str) -> anyhow::Result<()> {
        let node = self.announced_from(service).await?;
        let answers = self.who_answers(vip).await?;
        ensure!(
            answers == [taken] && self.mac_of(&node).await? == taken,
            "{taken} had taken {vip}; {node} announces, and {answers:?} answers"
        );
        Ok(())
    }

    /// The node with this MAC address on the segment.
    pub async fn node_with(&self, mac: &str) -> anyhow::Result<String> {
        for node in self.lab.nodes() {
            if self.mac_of(&node).await? == mac {
                return Ok(node);
            }
        }
        bail!("{mac} is no node's")
    }

    /// The MAC address of a node's interface on the segment.
    pub async fn mac_of(&self, node: &str) -> anyhow::Result<String> {
        let text = self
            .on_host(node, &["cat", "/sys/class/net/eth0/address"])
            .await?;
        Ok(text.trim().to_owned())
    }
}
