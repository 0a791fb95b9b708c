//! What a lab looks like, for people: [`Lab::status`] and [`Lab::diagnose`].

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use crate::command;
use crate::error::LabError;
use crate::folder::{FileError, create_dir, write};
use crate::lab::Lab;
use crate::plan::Host;
use crate::process::Server;
use crate::progress;
use crate::start::node_ready;

/// What [`Lab::status`] found; displayed as lines for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Each server's name, its pid, and whether it runs.
    pub servers: Vec<(String, u32, bool)>,
    /// Each node that the API server knows and whether it is Ready; the error if it does not answer.
    pub nodes: Result<Vec<(String, bool)>, String>,
    /// The administrator's kubeconfig on this machine.
    pub kubeconfig: PathBuf,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.nodes {
            Ok(nodes) => {
                for (node, ready) in nodes {
                    writeln!(f, "node {node:<30} {}", if *ready { "Ready" } else { "NotReady" })?;
                }
            }
            Err(error) => writeln!(f, "the API server does not answer: {error}")?,
        }
        for (server, pid, runs) in &self.servers {
            writeln!(
                f,
                "{server:<35} {} (pid {pid})",
                if *runs { "running" } else { "ENDED" }
            )?;
        }
        writeln!(f, "export KUBECONFIG={}", self.kubeconfig.display())
    }
}

impl Lab {
    /// Which servers run and which nodes are Ready.
    ///
    /// # Errors
    /// The kubeconfig cannot be read; an API server that does not answer is part of the status.
    pub async fn status(&self) -> Result<Status, LabError> {
        let servers = Server::all(&self.folder);
        let servers = servers
            .into_iter()
            .map(|s| (s.name, s.process.pid, s.process.is_running()))
            .collect();
        let api: Api<Node> = Api::all(self.client().await?);
        let timeout = std::time::Duration::from_secs(5);
        let nodes = match tokio::time::timeout(timeout, api.list(&ListParams::default())).await {
            Ok(Ok(nodes)) => Ok(nodes
                .iter()
                .map(|node| (node.name_any(), node_ready(Some(node))))
                .collect()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("nothing within {} s", timeout.as_secs())),
        };
        Ok(Status {
            servers,
            nodes,
            kubeconfig: self.kubeconfig(),
        })
    }

    /// Writes events, objects, pods' logs, servers' logs, neighbour tables, routes and packet filters into a folder of
    /// their own, prints the most telling of it on standard error, and returns the folder. It outlives the lab.
    ///
    /// # Errors
    /// The folder cannot be written; what cannot be found out says so in its own file.
    pub async fn diagnose(&self, what: &str) -> Result<PathBuf, LabError> {
        let safe: String = what
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let folder = self.root.diagnostics(&self.plan.name).join(safe);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(FileError::new("remove", &folder))?;
        }
        create_dir(&folder)?;
        for (file, words) in QUERIES {
            let words: Vec<&str> = words.split(' ').chain(["--request-timeout=10s"]).collect();
            let text = self.said_by_kubectl(&words).await;
            if SHOWN.contains(file) {
                progress::say(&format!("{file}\n{}", last_lines(&text, 25)));
            }
            write(&folder.join(file), &text)?;
        }
        self.pod_logs(&folder).await?;
        for host in self.plan.hosts() {
            self.network_of(host, &folder).await?;
        }
        let bridges = command::output("bridge", &["-netns", &self.plan.lan(), "-d", "link"]).await;
        write(&folder.join("bridges"), &said(bridges))?;
        for server in Server::all(&self.folder) {
            let log = self.folder.log(&server.name);
            let copy = folder.join(format!("{}.log", server.name));
            fs::copy(&log, &copy).map_err(FileError::new("copy", &log))?;
        }
        progress::say(&format!("diagnostics are in {}", folder.display()));
        Ok(folder)
    }

    async fn said_by_kubectl(&self, words: &[&str]) -> String {
        match self.kubectl(words).await {
            Ok(output) => said(Ok(output)),
            Err(error) => error.to_string(),
        }
    }

    /// Kubernetes keeps the log of a container's last run too: the one that tells why it ended.
    async fn pod_logs(&self, folder: &Path) -> Result<(), LabError> {
        let list = "get pods -A --request-timeout=10s -o jsonpath={range.items[*]}{.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}";
        let pods = self.said_by_kubectl(&list.split(' ').collect::<Vec<_>>()).await;
        for (namespace, pod) in pods.lines().filter_map(|line| line.split_once('/')) {
            for previous in ["false", "true"] {
                let previous_flag = format!("--previous={previous}");
                let words = [
                    "logs",
                    "-n",
                    namespace,
                    pod,
                    "--all-containers",
                    "--tail=2000",
                    &previous_flag,
                ];
                let text = self.said_by_kubectl(&words).await;
                let suffix = if previous == "true" { ".previous" } else { "" };
                write(&folder.join(format!("pod-{namespace}-{pod}{suffix}.log")), &text)?;
            }
        }
        Ok(())
    }

    async fn network_of(&self, host: Host, folder: &Path) -> Result<(), LabError> {
        let namespace = self.plan.namespace(host);
        let mut text = String::new();
        for words in NETWORK {
            let arguments: Vec<&str> = ["netns", "exec", namespace.as_str()]
                .into_iter()
                .chain(words.split(' '))
                .collect();
            text += &format!("# {words}\n{}\n", said(command::output("ip", &arguments).await));
        }
        Ok(write(&folder.join(format!("network-{host}")), &text)?)
    }
}

/// Questions to the API server, and the file for each answer.
const QUERIES: &[(&str, &str)] = &[
    ("nodes", "get nodes -o wide"),
    ("pods", "get pods -A -o wide"),
    ("services", "get services -A -o wide"),
    ("events", "get events -A --sort-by=.lastTimestamp"),
    ("nodes.yaml", "get nodes -o yaml"),
    ("pods.yaml", "get pods -A -o yaml"),
    ("services.yaml", "get services,endpointslices -A -o yaml"),
    (
        "workloads.yaml",
        "get deployments,daemonsets,replicasets -A -o yaml",
    ),
    ("leases.yaml", "get leases -A -o yaml"),
    (
        "metallb.yaml",
        "get ipaddresspools,l2advertisements,servicel2statuses,bgpadvertisements,bgppeers,configurationstates -A -o yaml",
    ),
];

/// The answers that are printed as well.
const SHOWN: &[&str] = &["nodes", "pods", "services", "events"];

/// What is asked on each host.
const NETWORK: &[&str] = &[
    "ip addr",
    "ip neigh",
    "ip route",
    "ip -6 route",
    "iptables-save -c",
    "ip6tables-save -c",
    "conntrack -L",
];

fn said(output: Result<std::process::Output, command::CommandError>) -> String {
    match output {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
