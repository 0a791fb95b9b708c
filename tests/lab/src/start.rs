//! Starts the servers of a lab, as much as possible at the same time.

use std::path::Path;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{Api, DynamicObject, GetParams, Patch, PatchParams, Request};
use serde_json::{Value, json};

use crate::command::{self, CommandError};
use crate::config;
use crate::error::LabError;
use crate::folder::{LabFolder, write};
use crate::plan::{DNS, Host, Plan, pod_ranges};
use crate::process::Server;
use crate::servers::Servers;
use crate::wait::{http_ok, server_ready, wait_for};

/// How long a server may take to get ready. A shared machine is slow at times.
const SERVER: Duration = Duration::from_secs(60);
/// How long a node may take to get Ready.
const NODE: Duration = Duration::from_secs(90);

/// Everything that the steps of a start need.
pub(crate) struct Start<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) folder: &'a LabFolder,
    pub(crate) servers: &'a Servers,
}

impl Start<'_> {
    /// From an existing network and existing certificates to a cluster whose nodes are Ready.
    pub(crate) async fn run(&self) -> Result<kube::Client, LabError> {
        let nodes: Vec<Host> = self.plan.nodes().collect();
        let runtimes = try_join_all(nodes.iter().map(|node| self.runtime(*node)));
        let (client, _) = tokio::try_join!(self.api(), runtimes)?;
        self.controllers()?;
        let dns = self.dns(&client);
        let ready = try_join_all(nodes.iter().map(|node| self.node(&client, *node)));
        tokio::try_join!(dns, ready, default_account(&client))?;
        Ok(client)
    }

    fn server(&self, host: Host, program: &str, arguments: &[String]) -> Result<Server, LabError> {
        let component = arguments
            .first()
            .filter(|word| !word.starts_with('-'))
            .map_or(program, String::as_str);
        let name = format!("{host}-{component}");
        let program = self.servers.program(program);
        Ok(Server::start(
            self.folder,
            &name,
            &self.plan.namespace(host),
            program,
            arguments,
        )?)
    }

    /// etcd and the API server, until it answers that it is ready.
    async fn api(&self) -> Result<kube::Client, LabError> {
        let etcd = self.server(Host::ControlPlane, "kubernetes", &config::etcd(self.folder))?;
        if !self.plan.audited.is_empty() {
            // Rules without users would be for everybody.
            write(
                &config::audit_policy_file(self.folder),
                &config::audit_policy(self.plan),
            )?;
        }
        let client = self.api_server().await?;
        etcd.check()?;
        Ok(client)
    }

    /// The API server alone, over the etcd that runs, until it answers that it is ready.
    pub(crate) async fn api_server(&self) -> Result<kube::Client, LabError> {
        let apiserver = config::apiserver(self.plan, self.folder);
        let apiserver = self.server(Host::ControlPlane, "kubernetes", &apiserver)?;
        let client = client(self.folder).await?;
        let ready = || async {
            let request = Request::new("").get("readyz", &GetParams::default());
            let request = request.expect("a constant path is valid");
            client.request_text(request).await.is_ok()
        };
        server_ready(&apiserver, SERVER, ready).await?;
        Ok(client)
    }

    fn controllers(&self) -> Result<(), LabError> {
        self.server(
            Host::ControlPlane,
            "kubernetes",
            &config::controller_manager(self.folder),
        )?;
        self.server(Host::ControlPlane, "kubernetes", &config::scheduler(self.folder))?;
        self.server(
            Host::ControlPlane,
            "kubernetes",
            &config::proxy(self.folder, Host::ControlPlane),
        )?;
        Ok(())
    }

    /// CoreDNS as a process in the control plane's namespace, behind a Service without a selector.
    async fn dns(&self, client: &kube::Client) -> Result<(), LabError> {
        let corefile = self.folder.join("cp/Corefile");
        write(&corefile, &config::corefile(self.plan, self.folder))?;
        let arguments = ["-conf".to_owned(), corefile.display().to_string()];
        let server = self.server(Host::ControlPlane, "coredns", &arguments)?;
        for object in dns_objects(self.plan) {
            apply(client, object).await?;
        }
        let ready = (self.plan.access_there(), 8181).into();
        Ok(server_ready(&server, SERVER, || http_ok(ready, "/ready")).await?)
    }

    /// containerd with its images: needs no API server.
    async fn runtime(&self, node: Host) -> Result<(), LabError> {
        let own = self.folder.join(node.to_string());
        let file = own.join("containerd.toml");
        write(&file, &config::containerd_file(self.folder, node))?;
        write(
            &own.join("cni/10-lab.conflist"),
            &config::cni_file(self.folder, node),
        )?;
        write(
            &own.join("kubelet.json"),
            &config::kubelet_file(self.folder, node),
        )?;
        let server = self.server(
            node,
            "containerd",
            &["--config".to_owned(), file.display().to_string()],
        )?;
        let answers = || async { ctr(self.servers, self.folder, node, &["version"]).await.is_ok() };
        server_ready(&server, SERVER, answers).await?;
        for image in &self.servers.images {
            load(self.servers, self.folder, node, image).await?;
        }
        Ok(())
    }

    /// kubelet and kube-proxy, until the node is Ready.
    async fn node(&self, client: &kube::Client, node: Host) -> Result<(), LabError> {
        let name = node.to_string();
        let ranges = pod_ranges(node);
        let object = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": name },
            "spec": { "podCIDR": ranges[0], "podCIDRs": ranges },
        });
        apply(client, object).await?;
        let arguments = config::kubelet(self.plan, self.folder, node);
        let mut kubelet = self.server(node, "kubernetes", &arguments)?;
        let proxy = self.server(node, "kubernetes", &config::proxy(self.folder, node))?;
        let ready = || wait_for(Api::<Node>::all(client.clone()), &name, "Ready", NODE, node_ready);
        let mut outcome = ready().await;
        // All kubelets of a machine make one socket for device plug-ins, whatever their folders. Of two that start in the
        // same instant one may end because of it.
        if outcome.is_err() && !kubelet.process.is_running() {
            kubelet = self.server(node, "kubernetes", &arguments)?;
            outcome = ready().await;
        }
        kubelet.check()?;
        proxy.check()?;
        outcome.map_err(|error| LabError::Node {
            node: name,
            source: Box::new(error),
            log: self.folder.log(&kubelet.name),
        })?;
        Ok(())
    }
}

/// Whether a node's condition Ready is True.
pub(crate) fn node_ready(node: Option<&Node>) -> bool {
    let conditions = node.and_then(|node| node.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True")
    })
}

/// Pods are refused until their namespace's account exists.
async fn default_account(client: &kube::Client) -> Result<(), LabError> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let exists = |account: Option<&ServiceAccount>| account.is_some();
    wait_for(accounts, "default", "created", SERVER, exists).await?;
    Ok(())
}

/// The administrator's way to the API server, from the machine itself.
pub(crate) async fn admin(folder: &LabFolder) -> Result<kube::Config, LabError> {
    let unreadable = |source: kube::config::KubeconfigError| LabError::Kubeconfig {
        source: Box::new(source),
    };
    let file = kube::config::Kubeconfig::read_from(folder.kubeconfig("admin")).map_err(unreadable)?;
    let mut config = kube::Config::from_custom_kubeconfig(file, &Default::default())
        .await
        .map_err(unreadable)?;
    config.proxy_url = None;
    Ok(config)
}

/// A client with all rights, from the machine itself.
pub(crate) async fn client(folder: &LabFolder) -> Result<kube::Client, LabError> {
    kube::Client::try_from(admin(folder).await?).map_err(|source| LabError::Api {
        doing: "making a client",
        source: Box::new(source),
    })
}

/// Creates or changes one object, given as JSON.
async fn apply(client: &kube::Client, object: Value) -> Result<(), LabError> {
    let object: DynamicObject =
        serde_json::from_value(object).expect("the objects of a lab name kind and version");
    let types = object
        .types
        .as_ref()
        .expect("the objects of a lab name kind and version");
    let gvk =
        kube::core::GroupVersionKind::try_from(types).expect("the versions of a lab's objects are valid");
    let resource = kube::core::ApiResource::from_gvk(&gvk);
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.metadata.name.clone().unwrap_or_default();
    let patch = Patch::Apply(&object);
    let applied = api.patch(&name, &PatchParams::apply("lab").force(), &patch).await;
    applied.map(|_| ()).map_err(|source| LabError::Api {
        doing: "applying the lab's own objects",
        source: Box::new(source),
    })
}

fn dns_objects(plan: &Plan) -> [Value; 2] {
    let ports = |target: bool| {
        ["UDP", "TCP"].map(|protocol| {
            let mut port = json!({ "name": protocol.to_lowercase(), "port": 53, "protocol": protocol });
            if target {
                port["targetPort"] = json!(53);
            }
            port
        })
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "kube-dns", "namespace": "kube-system", "labels": { "k8s-app": "kube-dns" } },
        "spec": { "clusterIP": DNS, "ports": ports(true) },
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns-lab", "namespace": "kube-system",
            "labels": { "kubernetes.io/service-name": "kube-dns" },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [plan.cluster_addresses(Host::ControlPlane)[0]], "conditions": { "ready": true } }],
        "ports": ports(false),
    });
    [service, slice]
}

/// Runs containerd's client against the containerd of a node.
pub(crate) async fn ctr(
    servers: &Servers,
    folder: &LabFolder,
    node: Host,
    words: &[&str],
) -> Result<String, CommandError> {
    let socket = folder
        .join(node.to_string())
        .join("containerd.sock")
        .display()
        .to_string();
    let program = servers.program("ctr").display().to_string();
    let arguments: Vec<&str> = ["--address", &socket, "--namespace", "k8s.io"]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    command::run(&program, &arguments).await
}

/// Loads an image archive on one node.
pub(crate) async fn load(
    servers: &Servers,
    folder: &LabFolder,
    node: Host,
    archive: &Path,
) -> Result<(), CommandError> {
    let archive = archive.display().to_string();
    ctr(servers, folder, node, &["images", "import", &archive])
        .await
        .map(|_| ())
}
