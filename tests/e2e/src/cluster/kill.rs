//! Ending the product's programs without notice (SIGKILL), as a crash does.

use anyhow::{Context as _, ensure};
use cortenlb_crds::names::LEASE;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::DeleteParams;

use super::wait::eventually;
use super::{Cluster, SOON, SYSTEM};

/// A container of the product that runs.
pub struct Running {
    /// Its pod.
    pub pod: String,
    /// Its identifier, as the pod's status has it.
    pub container: String,
    /// How often it has ended before.
    restarts: i32,
}

impl Cluster {
    /// The container of `pod`. For a moment after a restart the status names the one that has ended: then this fails.
    fn running(&self, pod: &Pod) -> anyhow::Result<Running> {
        let name = pod.name_any();
        let statuses = pod.status.as_ref();
        let statuses = statuses.and_then(|status| status.container_statuses.as_ref());
        let status = statuses.and_then(|statuses| statuses.first());
        let status = status.with_context(|| format!("pod {name} has no container"))?;
        let container = status.container_id.clone().unwrap_or_default();
        let runs = self.lab.container_pid(&container).is_some();
        ensure!(runs, "the container of pod {name} does not run");
        Ok(Running {
            pod: name,
            container,
            restarts: status.restart_count,
        })
    }

    /// The processes of the containers of `component`, at least one.
    pub async fn processes(&self, component: &str) -> anyhow::Result<Vec<u32>> {
        let pods = self.pods(component).await?.into_iter();
        let remaining = pods.filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let statuses = remaining
            .filter_map(|pod| pod.status?.container_statuses)
            .flatten();
        let containers = statuses.filter_map(|status| status.container_id);
        let process = |container: String| {
            let process = self.lab.container_pid(&container);
            process.with_context(|| format!("{component} {container} has no process"))
        };
        let processes: Vec<u32> = containers.map(process).collect::<anyhow::Result<_>>()?;
        ensure!(!processes.is_empty(), "no {component} runs");
        Ok(processes)
    }

    /// The controller that holds the Lease.
    pub async fn leader(&self) -> anyhow::Result<Running> {
        let attempt = || async {
            let lease = self.api::<Lease>(SYSTEM).get(LEASE).await?;
            let holder = lease.spec.and_then(|spec| spec.holder_identity);
            let holder = holder.filter(|holder| !holder.is_empty());
            let holder = holder.with_context(|| format!("nobody holds Lease {LEASE}"))?;
            self.running(&self.api::<Pod>(SYSTEM).get(&holder).await?)
        };
        eventually(SOON, attempt).await.context("looking for the leader")
    }

    /// The speaker of a node.
    pub async fn speaker(&self, node: &str) -> anyhow::Result<Running> {
        let attempt = || async {
            let pods = self.pods("speaker").await?;
            let here =
                |pod: &&Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node);
            let pod = pods.iter().find(here);
            self.running(pod.with_context(|| format!("no speaker on {node}"))?)
        };
        eventually(SOON, attempt).await
    }

    /// Kills a container. kubelet starts one at once when it has ended for the first time, and lets it wait longer and
    /// longer after that. Then the pod goes too, so that another one starts: it is the program's end that is tried,
    /// not kubelet's patience.
    pub async fn kill(&self, running: &Running) -> anyhow::Result<()> {
        self.lab.kill_container(&running.container).await?;
        if running.restarts > 0 {
            let now = DeleteParams::default().grace_period(0);
            self.api::<Pod>(SYSTEM).delete(&running.pod, &now).await?;
        }
        Ok(())
    }

    /// Kills the leader's container and returns the name of its pod.
    pub async fn kill_leader(&self) -> anyhow::Result<String> {
        let leader = self.leader().await?;
        self.kill(&leader).await?;
        Ok(leader.pod)
    }

    /// Kills the speaker of a node.
    pub async fn kill_speaker(&self, node: &str) -> anyhow::Result<()> {
        self.kill(&self.speaker(node).await?).await
    }
}
