//! A Prometheus of Debian's beside the API server: what it scrapes, and what it answers.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::Cluster;
use super::scrape::{METRICS_PORT, place_of};

/// From there nodes, pods and the API server are reached.
const HOST: &str = "cp";

/// Where it answers, on [`HOST`] alone.
const ADDRESS: &str = "127.0.0.1:9090";

/// Its folder below the lab's scratch files.
const FOLDER: &str = "prometheus";

/// The time between two scrapes, and between two evaluations of the rules.
pub const INTERVAL: &str = "1s";

/// A Prometheus that runs; it ends when it is dropped.
pub struct Prometheus<'a> {
    cluster: &'a Cluster,
    process: Child,
    log: PathBuf,
}

/// Brings the program.
///
/// # Errors
/// Its package cannot be had.
pub async fn program() -> anyhow::Result<PathBuf> {
    Ok(cortenlb_lab::unpacked("prometheus", "prometheus").await?)
}

impl<'a> Prometheus<'a> {
    /// Starts it with the entry `scrape` of `scrape_configs`, which gets `token`, and with `groups` of rules. It is ready a
    /// moment later.
    ///
    /// Debian's has no discovery by Kubernetes: in its place are the pods of now.
    pub async fn start(
        cluster: &'a Cluster,
        scrape: &Value,
        token: &str,
        groups: &Value,
    ) -> anyhow::Result<Self> {
        let file = |name: &str| format!("{FOLDER}/{name}");
        let token = cluster.lab.scratch_file(&file("token"), token).await?;
        let rules = json!({ "groups": groups }).to_string();
        let rules = cluster.lab.scratch_file(&file("rules.json"), &rules).await?;
        let mut scrape = scrape.clone();
        scrape["authorization"]["credentials_file"] = token.into();
        if let Some(fields) = scrape.as_object_mut() {
            fields.remove("kubernetes_sd_configs");
            fields.remove("relabel_configs");
        }
        scrape["static_configs"] = targets(cluster).await?;
        // JSON is YAML too.
        let configuration = json!({
            "global": { "scrape_interval": INTERVAL, "evaluation_interval": INTERVAL },
            "rule_files": [rules],
            "scrape_configs": [scrape],
        });
        let name = file("prometheus.json");
        let configuration = cluster
            .lab
            .scratch_file(&name, &configuration.to_string())
            .await?;
        let folder = PathBuf::from(&configuration).with_extension("d");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let log = folder.join("log");
        let out = fs::File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let prometheus = self::program().await?;
        let (program, first) = cluster.lab.exec_command(HOST)?;
        let mut command = Command::new(program);
        command.args(first).arg(prometheus).args([
            format!("--config.file={configuration}"),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={ADDRESS}"),
            "--log.level=warn".to_owned(),
        ]);
        // A proxy of the user's does not know the way to a lab.
        command.env("NO_PROXY", "*").env("no_proxy", "*");
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true);
        let process = command.spawn().context("starting prometheus")?;
        Ok(Self {
            cluster,
            process,
            log,
        })
    }

    /// What it answers to a question of its HTTP API: `data`.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = format!("http://{ADDRESS}/api/v1/{path}");
        let mut command: Vec<String> = ["curl", "-sS", "--noproxy", "*", "--max-time", "10", "-G", &url]
            .map(str::to_owned)
            .into();
        for (name, value) in parameters {
            command.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let answer = self.cluster.on_host(HOST, &command).await?;
        let answer: Value = serde_json::from_str(&answer).with_context(|| format!("{path}: {answer}"))?;
        ensure!(answer["status"] == "success", "{path} {parameters:?}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The series that a query finds now.
    pub async fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        series(self.get("query", &[("query", query)]).await?)
    }

    /// The series that a query finds from `start`, in seconds since 1970, until now, with a value for each second.
    pub async fn query_since(&self, query: &str, start: u64) -> anyhow::Result<Vec<Value>> {
        let (start, end) = (start.to_string(), now()?.to_string());
        let parameters = [("query", query), ("start", &start), ("end", &end), ("step", "1")];
        series(self.get("query_range", &parameters).await?)
    }

    /// What it has logged: warnings and errors.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"))
    }

    /// Ends it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("ending prometheus")
    }
}

/// Each pod of the product, with the label that discovery would give it.
async fn targets(cluster: &Cluster) -> anyhow::Result<Value> {
    let mut targets = Vec::new();
    for component in ["controller", "speaker"] {
        for pod in cluster.pods(component).await? {
            let (_, address) = place_of(&pod)?;
            let target = SocketAddr::new(address, METRICS_PORT).to_string();
            targets.push(json!({ "targets": [target], "labels": { "pod": pod.name_any() } }));
        }
    }
    Ok(targets.into())
}

/// Seconds since 1970.
pub fn now() -> anyhow::Result<u64> {
    Ok(std::time::UNIX_EPOCH.elapsed()?.as_secs())
}

/// Whether a series has a value that Grafana can draw: NaN is none.
pub fn has_number(series: &Value) -> bool {
    let many = series["values"].as_array().into_iter().flatten();
    many.chain([&series["value"]]).any(|sample| {
        let value = sample[1].as_str().and_then(|text| text.parse::<f64>().ok());
        value.is_some_and(f64::is_finite)
    })
}

fn series(data: Value) -> anyhow::Result<Vec<Value>> {
    let result = data["result"].as_array();
    Ok(result.with_context(|| format!("no result in {data}"))?.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_can_be_drawn_and_nan_cannot() {
        assert!(has_number(&json!({ "value": [1.5, "0"] })));
        assert!(!has_number(&json!({ "value": [1.5, "NaN"] })));
        assert!(has_number(&json!({ "values": [[1, "NaN"], [2, "0.25"]] })));
        assert!(!has_number(&json!({ "values": [[1, "NaN"], [2, "+Inf"]] })));
        assert!(!has_number(&json!({ "metric": {} })));
    }
}
