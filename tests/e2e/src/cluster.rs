//! A lab as scenarios use it.

pub mod controller;
pub mod helm;
pub mod kill;
pub mod manifest;
pub mod metallb;
pub mod objects;
pub mod prometheus;
pub mod scrape;
pub mod segment;
pub mod wait;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cortenlb_crds::{IPAddressPool, L2Advertisement};
use cortenlb_lab::{Lab, LabError, LabOptions};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::objects::{NAMESPACE, mk_backends};
use crate::{Product, Stage};

/// The namespace of the product.
pub const SYSTEM: &str = "metallb-system";

/// The range that scenarios hand out, as in the README.
pub const RANGE: &str = "172.21.5.240-172.21.5.250";

/// How long a step may take that Kubernetes does at once: generous, since machines are shared.
pub const SOON: Duration = Duration::from_secs(60);

/// A lab and a client of its API server.
pub struct Cluster {
    /// The lab below.
    pub lab: Lab,
    /// A client with all rights.
    pub client: kube::Client,
    /// What [`Cluster::install`] installs.
    pub product: Product,
}

impl Cluster {
    /// Brings up a lab without the product, with one backend on each node and the product's image loaded. It has no product
    /// but this one.
    pub async fn up_as(options: LabOptions, product: Product) -> anyhow::Result<Self> {
        Lab::down(&options.name).await?;
        let lab = Lab::up(LabOptions {
            product: None,
            ..options
        })
        .await?;
        let client = lab.client().await?;
        let cluster = Self { lab, client, product };
        cluster.lab.load_image(&cluster.product.image).await?;
        let namespace = Namespace {
            metadata: kube::api::ObjectMeta {
                name: Some(NAMESPACE.to_owned()),
                ..Default::default()
            },
            ..Default::default()
        };
        Api::<Namespace>::all(cluster.client.clone())
            .create(&PostParams::default(), &namespace)
            .await?;
        let backends = mk_backends(cortenlb_lab::BACKEND_IMAGE);
        cluster
            .api::<DaemonSet>(NAMESPACE)
            .create(&PostParams::default(), &backends)
            .await?;
        cluster.daemonset_ready(NAMESPACE, crate::objects::APP).await?;
        Ok(cluster)
    }

    /// Applies the product's manifest, as the README says, without waiting for anything.
    pub async fn apply_product(&self) -> anyhow::Result<()> {
        self.kubectl(&["apply", "-f", path(&self.product.manifest)?])
            .await?;
        Ok(())
    }

    /// Installs the product and waits until it is ready everywhere.
    pub async fn install(&self) -> anyhow::Result<()> {
        self.apply_product().await?;
        self.product_ready().await
    }

    /// Replaces all speakers, one after the other; within `limit`.
    pub async fn replace_speakers(&self, limit: Duration) -> anyhow::Result<()> {
        let limit = format!("--timeout={}s", limit.as_secs());
        let speakers = ["-n", SYSTEM, "daemonset/speaker"];
        self.kubectl(&[&["rollout", "restart"], &speakers[..]].concat())
            .await?;
        self.kubectl(&[&["rollout", "status", &limit], &speakers[..]].concat())
            .await?;
        Ok(())
    }

    /// Waits until the controller and every speaker are rolled out and ready.
    pub async fn product_ready(&self) -> anyhow::Result<()> {
        self.wait(
            self.api::<Deployment>(SYSTEM),
            "controller",
            "is rolled out",
            SOON,
            |found| {
                found.is_some_and(|deployment| {
                    let generation = deployment.metadata.generation;
                    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
                    deployment.status.as_ref().is_some_and(|status| {
                        status.observed_generation == generation
                            && status.updated_replicas == wanted
                            && status.ready_replicas == wanted
                            && status.replicas == wanted
                    })
                })
            },
        )
        .await?;
        self.daemonset_ready(SYSTEM, "speaker").await
    }

    /// Waits until a DaemonSet is rolled out and ready on every node.
    pub async fn daemonset_ready(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        self.wait(
            self.api::<DaemonSet>(namespace),
            name,
            "is rolled out",
            SOON,
            |found| {
                found.is_some_and(|set| {
                    let generation = set.metadata.generation;
                    set.status.as_ref().is_some_and(|status| {
                        status.observed_generation == generation
                            && status.desired_number_scheduled > 0
                            && status.updated_number_scheduled == Some(status.desired_number_scheduled)
                            && status.number_ready == status.desired_number_scheduled
                    })
                })
            },
        )
        .await?;
        Ok(())
    }

    /// Waits until the kinds of a pool and its advertisement can be written.
    pub async fn crds_established(&self) -> anyhow::Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for name in ["ipaddresspools.metallb.io", "l2advertisements.metallb.io"] {
            self.wait(api.clone(), name, "is established", SOON, |found| {
                found
                    .and_then(|crd| crd.status.as_ref())
                    .and_then(|status| status.conditions.as_ref())
                    .is_some_and(|conditions| {
                        conditions
                            .iter()
                            .any(|c| c.type_ == "Established" && c.status == "True")
                    })
            })
            .await?;
        }
        Ok(())
    }

    /// Takes the product's workloads away, and nothing else.
    pub async fn delete_workloads(&self) -> anyhow::Result<()> {
        let workloads = ["deployment/controller", "daemonset/speaker"];
        self.kubectl(&[&["delete", "-n", SYSTEM], &workloads[..]].concat())
            .await?;
        Ok(())
    }

    /// Takes the product away with everything that it brought, CRDs and pools included.
    pub async fn uninstall(&self) -> anyhow::Result<()> {
        let manifest = path(&self.product.manifest)?;
        self.take_away(&["-f", manifest], SYSTEM).await
    }

    /// As [`Cluster::uninstall`], of what was applied from `source`, words of kubectl's, into `namespace`.
    pub async fn take_away(&self, source: &[&str], namespace: &str) -> anyhow::Result<()> {
        let words = ["delete", "--ignore-not-found", "--wait=false"];
        self.kubectl(&[&words[..], source].concat()).await?;
        let crds: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for crd in crds.list(&ListParams::default()).await? {
            if ["metallb.io", "cortenlb.io"].contains(&crd.spec.group.as_str()) {
                self.crd_gone(&crds, &crd.name_any()).await?;
            }
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        self.wait(namespaces, namespace, "is gone", SOON, |found| found.is_none())
            .await?;
        Ok(())
    }

    /// Waits until a CRD is gone. The API server's finalizer now and then meets a storage that is being set up anew,
    /// and then lets the CRD lie until it changes: any change will do.
    async fn crd_gone(&self, crds: &Api<CustomResourceDefinition>, name: &str) -> anyhow::Result<()> {
        const NUDGES: i32 = 20;
        for nudge in 0..NUDGES {
            let within = Duration::from_secs(3);
            if self
                .wait(crds.clone(), name, "is gone", within, |found| found.is_none())
                .await
                .is_ok()
            {
                return Ok(());
            }
            let change = json!({ "metadata": { "annotations": { "e2e/nudge": nudge.to_string() } } });
            // It may be gone by now; the next wait sees that.
            let _ = crds
                .patch(name, &PatchParams::default(), &Patch::Merge(change))
                .await;
        }
        bail!("CustomResourceDefinition {name} is not gone although it was changed {NUDGES} times")
    }

    /// Takes away what a scenario left: Services, pools, advertisements, labels, cuts, missing carriers, and an API server that
    /// is away.
    pub async fn reset(&self, stage: Stage) -> anyhow::Result<()> {
        self.api_back().await?;
        self.lab.unmute().await?;
        let nodes: Api<Node> = Api::all(self.client.clone());
        for node in nodes.list(&ListParams::default()).await? {
            let name = node.metadata.name.unwrap_or_default();
            self.lab.heal(&name).await?;
            self.lab.plug(&name).await?;
            let label = json!({ "metadata": { "labels": { EXCLUDE_LABEL: null } } });
            nodes
                .patch(&name, &PatchParams::default(), &Patch::Merge(label))
                .await?;
        }
        self.delete_all(self.api::<Service>(NAMESPACE)).await?;
        if stage == Stage::Bare {
            return Ok(());
        }
        self.delete_all(self.api::<IPAddressPool>(SYSTEM)).await?;
        self.delete_all(self.api::<L2Advertisement>(SYSTEM)).await?;
        self.product_ready().await
    }

    /// Brings back what `stage` begins with after a scenario that failed half-way: the product, or none of it.
    pub async fn restore(&self, stage: Stage) -> anyhow::Result<()> {
        self.api_back().await?;
        if stage != Stage::Bare {
            return self.install().await;
        }
        self.kubectl(&[
            "delete",
            "--ignore-not-found",
            "validatingwebhookconfiguration",
            "metallb-webhook-configuration",
        ])
        .await?;
        self.uninstall().await
    }

    /// Sees to it that the API server runs. One that runs already takes no notice.
    async fn api_back(&self) -> anyhow::Result<()> {
        match self.lab.resume_api().await {
            Err(LabError::NoProcess { .. }) => Ok(self.lab.start_api().await?),
            other => Ok(other?),
        }
    }

    /// Writes what helps to find out why `scenario` failed, and says where.
    pub async fn dump(&self, scenario: &str) {
        match self.lab.diagnose(scenario).await {
            Ok(folder) => println!("  diagnostics: {}", folder.display()),
            Err(error) => println!("  no diagnostics: {error:#}"),
        }
    }

    /// Runs the lab's kubectl and returns its output; an exit code other than 0 is an error with that output.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.lab.kubectl(arguments).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "kubectl {}: {}{}",
                arguments.join(" "),
                text,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(text)
    }

    /// Runs a command line as somebody types it in `folder`, with the lab's kubectl as theirs, and returns whatever came of it.
    pub async fn typed(&self, command: &str, folder: &Path) -> anyhow::Result<Output> {
        let (program, arguments) = self.lab.kubectl_command();
        let kubectl = format!(
            "kubectl() {{ {program} {} \"$@\"; }}; {command}",
            arguments.join(" ")
        );
        let mut bash = tokio::process::Command::new("bash");
        bash.args(["-c", &kubectl]).current_dir(folder);
        Ok(bash.output().await?)
    }
}

/// The well-known node label that keeps load balancers away (Kubernetes API).
pub const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

fn path(file: &Path) -> anyhow::Result<&str> {
    file.to_str()
        .with_context(|| format!("{} is not UTF-8", file.display()))
}
