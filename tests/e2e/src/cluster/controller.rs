//! The controller's pods: how many, with which flags, and the way by which they reach the API server.

use anyhow::{Context as _, ensure};
use cortenlb_lab::relay::Relay;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodTemplateSpec};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::wait::eventually;
use super::{Cluster, SOON, SYSTEM};

/// The Deployment, its container, and the value of the label `component`.
const CONTROLLER: &str = "controller";

/// The ConfigMap with the kubeconfig that leads through a relay, the volume, and the field manager of both.
const RELAY: &str = "e2e-relay";

/// Where a pod finds the credentials of its account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where the controller finds that kubeconfig.
const MOUNT: &str = "/etc/e2e-relay";

impl Cluster {
    fn controller(&self) -> Api<Deployment> {
        self.api(SYSTEM)
    }

    /// Ends all controllers, and returns how many there were to be.
    pub async fn stop_controller(&self) -> anyhow::Result<i32> {
        let replicas = self.scale_controller(0).await?;
        let none_left = || async {
            let left = self.pods(CONTROLLER).await?.len();
            ensure!(left == 0, "{left} controllers are left");
            Ok(())
        };
        eventually(SOON, none_left).await?;
        Ok(replicas)
    }

    /// Changes the number of controllers, and returns what it was.
    pub async fn scale_controller(&self, replicas: i32) -> anyhow::Result<i32> {
        let before = self.controller().get(CONTROLLER).await?;
        let before = before.spec.and_then(|spec| spec.replicas);
        let change = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        self.controller()
            .patch(CONTROLLER, &PatchParams::default(), &change)
            .await?;
        before.context("the API server fills spec.replicas in")
    }

    /// What the controllers' pods are made from.
    pub async fn controller_template(&self) -> anyhow::Result<PodTemplateSpec> {
        let deployment = self.controller().get(CONTROLLER).await?;
        Ok(deployment.spec.context("a Deployment has a spec")?.template)
    }

    /// Has the controllers' pods made from another template, and waits until they are.
    pub async fn set_controller_template(&self, template: &PodTemplateSpec) -> anyhow::Result<()> {
        if *template == self.controller_template().await? {
            return Ok(());
        }
        let before = self.pods(CONTROLLER).await?;
        let change = json!([{ "op": "replace", "path": "/spec/template", "value": template }]);
        let change = Patch::Json::<()>(serde_json::from_value(change)?);
        self.controller()
            .patch(CONTROLLER, &PatchParams::default(), &change)
            .await?;
        self.rolled_over(&before).await
    }

    /// Waits until the pods of `before` have ended and their successors are ready. A Deployment that is rolled out does
    /// not count those that still end, and one of them may lead until it has.
    async fn rolled_over(&self, before: &[Pod]) -> anyhow::Result<()> {
        self.product_ready().await?;
        for pod in before {
            let (pods, name) = (self.api::<Pod>(SYSTEM), pod.name_any());
            self.wait(pods, &name, "is gone", SOON, |found| found.is_none())
                .await?;
        }
        Ok(())
    }
}

/// The controllers reach the API server through a relay.
pub struct Detour {
    /// The relay.
    pub relay: Relay,
    /// What the Deployment was before.
    template: PodTemplateSpec,
}

impl Detour {
    /// Starts a relay without faults, points the controllers at it and waits until they run so.
    ///
    /// A scenario that fails on the way leaves them there; applying the product's manifest takes the flag away.
    pub async fn open(cluster: &Cluster) -> anyhow::Result<Self> {
        let relay = Relay::start(&cluster.lab).await?;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": RELAY, "cluster": {
                "server": relay.url(),
                // Of no use to plain HTTP, but without one the image's certificates are loaded, and it has none.
                "certificate-authority": format!("{ACCOUNT}/ca.crt"),
            }}],
            "users": [{ "name": RELAY, "user": {
                "tokenFile": format!("{ACCOUNT}/token"),
            }}],
            "contexts": [{ "name": RELAY, "context": { "cluster": RELAY, "user": RELAY } }],
            "current-context": RELAY,
        });
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": RELAY },
            "data": { "kubeconfig": kubeconfig.to_string() },
        });
        cluster
            .api::<ConfigMap>(SYSTEM)
            .patch(RELAY, &PatchParams::apply(RELAY).force(), &Patch::Apply(map))
            .await?;
        let before = cluster.pods(CONTROLLER).await?;
        let template = cluster.controller_template().await?;
        let container = template.spec.as_ref().and_then(|spec| spec.containers.first());
        let mut arguments = container.and_then(|one| one.args.clone()).unwrap_or_default();
        arguments.push(format!("--kubeconfig={MOUNT}/kubeconfig"));
        let change = json!({ "spec": { "template": {
            "metadata": { "annotations": { "e2e/relay": relay.url() } },
            "spec": {
                "volumes": [{ "name": RELAY, "configMap": { "name": RELAY, "optional": true } }],
                "containers": [{
                    "name": CONTROLLER,
                    "args": arguments,
                    "volumeMounts": [{ "name": RELAY, "mountPath": MOUNT, "readOnly": true }],
                }],
            },
        }}});
        cluster
            .controller()
            .patch(CONTROLLER, &PatchParams::default(), &Patch::Strategic(change))
            .await?;
        cluster.rolled_over(&before).await?;
        cluster.leader().await?;
        Ok(Self { relay, template })
    }

    /// Points the controllers at the API server again, and ends the relay once they run so.
    pub async fn close(self, cluster: &Cluster) -> anyhow::Result<()> {
        let Self { relay, template } = self;
        cluster.set_controller_template(&template).await?;
        drop(relay);
        Ok(())
    }
}
