//! Metrics, as who may have them gets them.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;

use super::Cluster;
use crate::objects::NAMESPACE;

/// The port of the metrics in our manifest.
pub(super) const METRICS_PORT: u16 = 9120;

/// Who may have the metrics.
const READER: &str = "metrics-reader";

impl Cluster {
    /// A token that may get the metrics, good for a day. The product must be installed.
    pub async fn metrics_token(&self) -> anyhow::Result<String> {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "e2e-metrics-reader" },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "metallb-system:metrics-reader",
            },
            "subjects": [{ "kind": "ServiceAccount", "name": READER, "namespace": NAMESPACE }],
        });
        let file = self
            .lab
            .scratch_file("metrics-reader.json", &binding.to_string())
            .await?;
        self.kubectl(&["apply", "-f", &file]).await?;
        self.token_of(READER).await
    }

    /// A token of the ServiceAccount of this name, which is made when it is missing, without any right.
    pub async fn token_of(&self, account: &str) -> anyhow::Result<String> {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": { "name": account, "namespace": NAMESPACE },
        });
        let name = format!("account-{account}.json");
        let file = self.lab.scratch_file(&name, &object.to_string()).await?;
        self.kubectl(&["apply", "-f", &file]).await?;
        let token = self
            .kubectl(&["create", "token", account, "-n", NAMESPACE, "--duration=24h"])
            .await?;
        Ok(token.trim().to_owned())
    }

    /// The metrics of a pod, as a program on its node gets them with this token.
    pub async fn metrics(&self, pod: &Pod, token: &str) -> anyhow::Result<String> {
        let (node, address) = place_of(pod)?;
        let (code, text) = self.scrape(&node, address, Some(token)).await?;
        ensure!(code == 200, "the metrics of {}: {code} {text}", pod.name_any());
        Ok(text)
    }

    /// The status and the text of `/metrics` at this address, as a program on `host` gets it.
    pub async fn scrape(
        &self,
        host: &str,
        address: IpAddr,
        token: Option<&str>,
    ) -> anyhow::Result<(u16, String)> {
        let url = format!("https://{}/metrics", SocketAddr::new(address, METRICS_PORT));
        // The certificate is its own.
        let mut command = vec![
            "curl",
            "-sS",
            "--insecure",
            "--max-time",
            "10",
            "-w",
            "\n%{http_code}",
        ];
        let header = token.map(|token| format!("Authorization: Bearer {token}"));
        if let Some(header) = &header {
            command.extend(["-H", header]);
        }
        command.push(&url);
        let answer = self.on_host(host, &command).await?;
        let (text, code) = answer.rsplit_once('\n').context("curl's last line is the code")?;
        Ok((code.parse()?, text.to_owned()))
    }
}

/// The node of a pod, and the pod's address.
pub fn place_of(pod: &Pod) -> anyhow::Result<(String, IpAddr)> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let status = pod.status.as_ref();
    let address = status.and_then(|status| status.pod_ip.as_deref());
    let address = address.context("a pod that runs has an address")?.parse()?;
    Ok((node.context("a pod that runs has a node")?, address))
}

/// The value of a series in an exposition: a metric's name, and its labels as they are written.
pub fn value_of<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    values.next()
}
