//! A lab as a whole: [`Lab::up`], [`Lab::attach`], [`Lab::down`].

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Instant;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use crate::command;
use crate::error::LabError;
use crate::folder::{LabFolder, Root, write};
use crate::host;
use crate::plan::{Host, LabName, MAX_NODES, NameError, Nics, Plan};
use crate::process::{Server, without_proxies};
use crate::servers::{Servers, require_room};
use crate::start::Start;
use crate::{access, config, network, pki, progress, start, teardown};

/// Room that a running lab takes: images on five nodes, etcd and logs.
const LAB_BYTES: u64 = 2 << 30;

/// The namespace that the product is installed in: MetalLB's.
const PRODUCT: &str = "metallb-system";

/// What a lab should be.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Its name: 1 to 20 lower-case letters, digits and hyphens.
    pub name: String,
    /// How many nodes, 1 to 5.
    pub nodes: usize,
    /// How many network cards each node has.
    pub nics: Nics,
    /// CortenLB, to install once the nodes are Ready; `None` leaves the cluster bare.
    pub product: Option<Product>,
    /// The users whose requests the API server writes down, see [`Lab::audit_log`]; nobody's by default. A lab that runs
    /// already goes on as it was started.
    pub audited: Vec<String>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            name: "lab".to_owned(),
            nodes: 3,
            nics: Nics::One,
            product: None,
            audited: Vec::new(),
        }
    }
}

/// What is needed to install CortenLB.
#[derive(Clone, Debug)]
pub struct Product {
    /// The image archive.
    pub image: PathBuf,
    /// The manifest for `kubectl apply -f`.
    pub manifest: PathBuf,
}

/// A lab that runs. Dropping it leaves it running: [`Lab::down`] ends it.
#[derive(Clone, Debug)]
pub struct Lab {
    pub(crate) root: Root,
    pub(crate) plan: Plan,
    pub(crate) folder: LabFolder,
    pub(crate) servers: Servers,
}

impl Lab {
    /// Brings a lab up: three nodes are Ready after about ten seconds, once the servers are built.
    ///
    /// If the lab runs already this returns at once, or when a product that is not there yet is installed; the rest of a start that failed, or of a machine that was
    /// restarted, is removed first.
    ///
    /// # Errors
    /// See [`LabError`]; a server that failed is named with the end of its log.
    pub async fn up(options: LabOptions) -> Result<Self, LabError> {
        let LabOptions {
            name,
            nodes,
            nics,
            product,
            audited,
        } = options;
        let name: LabName = name.parse()?;
        let count = u8::try_from(nodes)
            .ok()
            .filter(|count| (1..=MAX_NODES as u8).contains(count));
        let nodes = count.ok_or(NameError::Nodes(nodes))?;
        host::require_root()?;
        host::require_programs().await?;
        let root = Root::from_env();
        let servers = Servers::ensure(&root).await?;
        require_room(&root.servers(), LAB_BYTES).await?;
        let _lock = root.lock(&name).await?;
        let folder = root.lab(&name);
        if let Some(lab) = Self::existing(&root, &name, &servers)? {
            if (lab.plan.nodes, lab.plan.nics) != (nodes, nics) {
                let (nodes, nics) = (lab.plan.nodes, lab.plan.nics);
                return Err(LabError::Differs {
                    name: name.to_string(),
                    nodes,
                    nics,
                });
            }
            progress::say(&format!("{name} runs already"));
            if let Some(product) = product
                && !lab.is_installed().await?
            {
                lab.install(&product).await?;
            }
            return Ok(lab);
        }
        let begin = Instant::now();
        progress::say(&format!("{name}: starting {nodes} node(s)"));
        let plan = access::choose(&root, &folder, name, nodes, nics, audited).await?;
        pki::create(&plan, &folder)?;
        network::create(&plan).await?;
        Start {
            plan: &plan,
            folder: &folder,
            servers: &servers,
        }
        .run()
        .await?;
        let lab = Self {
            root,
            plan,
            folder,
            servers,
        };
        progress::say(&format!(
            "{}: nodes Ready after {:.1} s",
            lab.name(),
            begin.elapsed().as_secs_f64()
        ));
        if let Some(product) = product {
            lab.install(&product).await?;
        }
        lab.folder.mark_complete()?;
        Ok(lab)
    }

    /// The lab of that name if it is up; what is left of one that is not is removed.
    fn existing(root: &Root, name: &LabName, servers: &Servers) -> Result<Option<Self>, LabError> {
        let folder = root.lab(name);
        let Some(plan) = folder.plan() else {
            return Ok(None);
        };
        let all = Server::all(&folder);
        if folder.is_complete() && all.iter().any(|server| server.process.is_running()) {
            for server in &all {
                server.check()?;
            }
            return Ok(Some(Self {
                root: root.clone(),
                plan,
                folder,
                servers: servers.clone(),
            }));
        }
        Ok(None)
    }

    /// The running lab `name`.
    ///
    /// # Errors
    /// There is none, or its servers are not built.
    pub async fn attach(name: &str) -> Result<Self, LabError> {
        let parsed: LabName = name.parse()?;
        host::require_root()?;
        let root = Root::from_env();
        let folder = root.lab(&parsed);
        let plan = folder.plan().filter(|_| folder.is_complete());
        let plan = plan.ok_or_else(|| LabError::Absent {
            name: name.to_owned(),
        })?;
        let servers = Servers::ensure(&root).await?;
        Ok(Self {
            root,
            plan,
            folder,
            servers,
        })
    }

    /// Ends the lab `name` and removes everything that it was; if there is none, nothing happens.
    ///
    /// Ends only processes that run in the lab's own namespaces, and its containers' shims.
    ///
    /// # Errors
    /// Something could not be removed; what else there was is gone, and calling again goes on.
    pub async fn down(name: &str) -> Result<(), LabError> {
        let name: LabName = name.parse()?;
        host::require_root()?;
        let root = Root::from_env();
        let _lock = root.lock(&name).await?;
        teardown::remove(&root, &name).await
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.plan.name.as_str()
    }

    /// The names of its nodes, n1 first.
    pub fn nodes(&self) -> Vec<String> {
        self.plan.nodes().map(|node| node.to_string()).collect()
    }

    /// The kubeconfig of an administrator on this machine.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.kubeconfig("admin")
    }

    /// What the users of [`LabOptions::audited`] ask of the API server, from its first start on: lines of JSON, each an
    /// `Event` of `audit.k8s.io/v1` at level Metadata. Not there if nobody is audited.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.log(config::AUDIT)
    }

    /// A client with all rights.
    ///
    /// # Errors
    /// The kubeconfig cannot be read.
    pub async fn client(&self) -> Result<kube::Client, LabError> {
        start::client(&self.folder).await
    }

    /// Whether there is a lab `name` that was started completely.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn exists(name: &str) -> Result<bool, LabError> {
        Ok(Root::from_env().lab(&name.parse()?).is_complete())
    }

    /// The program and the first arguments that run a command on a host, for callers that want to run it themselves.
    ///
    /// # Errors
    /// There is no such host.
    pub fn exec_command(&self, host: &str) -> Result<(&'static str, Vec<String>), LabError> {
        let namespace = self.plan.namespace(self.plan.host(host)?);
        Ok(("ip", vec!["netns".to_owned(), "exec".to_owned(), namespace]))
    }

    /// Runs a program on a host (`n1` … `n5`, `cp`, `client`, `router`) and returns whatever came of it.
    ///
    /// # Errors
    /// There is no such host, or the program cannot be started; its failure is no error.
    pub async fn exec(&self, host: &str, words: &[&str]) -> Result<Output, LabError> {
        let namespace = self.plan.namespace(self.plan.host(host)?);
        let arguments: Vec<&str> = ["netns", "exec", namespace.as_str()]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        Ok(command::output("ip", &arguments).await?)
    }

    /// Runs `kubectl` of the cluster's own version as its administrator, and returns whatever came of it.
    ///
    /// # Errors
    /// It cannot be started; its failure is no error.
    pub async fn kubectl(&self, words: &[&str]) -> Result<Output, LabError> {
        let (program, arguments) = self.kubectl_command();
        let arguments: Vec<&str> = arguments
            .iter()
            .map(String::as_str)
            .chain(words.iter().copied())
            .collect();
        Ok(command::output(program, &arguments).await?)
    }

    /// The program and the first arguments of the lab's kubectl, for callers that want to run it themselves.
    pub fn kubectl_command(&self) -> (&'static str, Vec<String>) {
        let program = self.servers.program("kubernetes").display().to_string();
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig().display());
        (
            "env",
            without_proxies()
                .chain([program, "kubectl".to_owned(), kubeconfig])
                .collect(),
        )
    }

    /// Loads an image archive on every node.
    ///
    /// # Errors
    /// containerd refuses it on one of them; others may have it.
    pub async fn load_image(&self, archive: &Path) -> Result<(), LabError> {
        let loads = self
            .plan
            .nodes()
            .map(|node| start::load(&self.servers, &self.folder, node, archive));
        try_join_all(loads).await?;
        Ok(())
    }

    /// Writes a file into the lab's folder and returns its path, for `kubectl apply -f`.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn scratch_file(&self, name: &str, content: &str) -> Result<String, LabError> {
        let path = self.folder.scratch(name);
        write(&path, content)?;
        Ok(path.display().to_string())
    }

    async fn is_installed(&self) -> Result<bool, LabError> {
        let deployments: Api<Deployment> = Api::namespaced(self.client().await?, PRODUCT);
        let found = deployments.get_opt("controller").await;
        let failed = |source| LabError::Api {
            doing: "looking for CortenLB",
            source: Box::new(source),
        };
        Ok(found.map_err(failed)?.is_some())
    }

    /// Loads the image, applies the manifest and waits until controller and speakers are rolled out; writes diagnostics
    /// if they are not.
    async fn install(&self, product: &Product) -> Result<(), LabError> {
        let begin = Instant::now();
        self.load_image(&product.image).await?;
        let manifest = product.manifest.display().to_string();
        self.kubectl_checked(&["apply", "-f", &manifest]).await?;
        for workload in ["deployment/controller", "daemonset/speaker"] {
            let words = ["rollout", "status", "-n", PRODUCT, workload, "--timeout=120s"];
            if let Err(error) = self.kubectl_checked(&words).await {
                self.diagnose("install").await?;
                return Err(error);
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        progress::say(&format!(
            "{}: CortenLB rolled out after {seconds:.1} s",
            self.name()
        ));
        Ok(())
    }

    async fn kubectl_checked(&self, words: &[&str]) -> Result<(), LabError> {
        let output = self.kubectl(words).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        Err(LabError::Kubectl {
            arguments: words.join(" "),
            said,
        })
    }

    /// The namespace of a node.
    pub(crate) fn node_namespace(&self, node: Host) -> String {
        self.plan.namespace(node)
    }
}
