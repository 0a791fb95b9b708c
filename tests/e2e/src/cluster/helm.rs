//! Releases of Helm.

use anyhow::bail;
use cortenlb_lab::Helm;

use super::{Cluster, SYSTEM};

/// The release, of MetalLB or of ours.
pub const RELEASE: &str = "metallb";

impl Cluster {
    /// Runs `helm` in the product's namespace and returns its output; an exit code other than 0 is an error with that output.
    pub async fn helm(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let helm = Helm::ensure().await?;
        let words = [arguments, &["--namespace", SYSTEM]].concat();
        let output = self.lab.helm(&helm, &words).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("helm {}: {text}{}", arguments.join(" "), stderr.trim());
        }
        Ok(text)
    }

    /// Installs our chart as release [`RELEASE`], and waits until all of it is ready.
    pub async fn helm_install(&self) -> anyhow::Result<String> {
        let chart = super::path(&self.product.chart)?;
        self.helm(&[
            "install",
            RELEASE,
            chart,
            "--create-namespace",
            "--wait",
            "--timeout=300s",
        ])
        .await
    }

    /// Upgrades release [`RELEASE`] to our chart with these values, and waits until all of it is ready.
    pub async fn helm_upgrade(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let chart = super::path(&self.product.chart)?;
        let output = self
            .helm(
                &[
                    &["upgrade", RELEASE, chart, "--wait", "--timeout=300s"],
                    arguments,
                ]
                .concat(),
            )
            .await?;
        // Helm is content while as many are away as a rollout may take.
        self.daemonset_ready(SYSTEM, "metallb-speaker").await?;
        Ok(output)
    }
}
