//! The controller on a real API server, beside a plain client that writes the same in the same run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cortenlb_e2e::cluster::wait::eventually;
use cortenlb_e2e::cluster::{Cluster, SYSTEM};
use cortenlb_lab::LabOptions;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};

use super::on_lab;
use super::usage::{memory, sum, writes_within};

mod singles;

/// As many as the controller's writer has under way.
const CONCURRENCY: usize = 32;

/// The longest that a bulk of Services may take before the measurement gives up.
const LIMIT: Duration = Duration::from_secs(600);

/// What the addresses of the pool begin with, and those that the plain client writes.
const POOL: &str = "10.100.";
const PLAIN: &str = "10.200.";

/// What is measured on a real API server.
pub(super) struct Plan {
    /// Numbers of pending Services; each is measured on a lab of its own.
    pub(super) services: Vec<usize>,
    /// How long the last lab is left alone while writes are counted.
    pub(super) idle: Duration,
}

/// Brings up a lab of one node with the product installed for each number of Services, and measures.
pub(super) async fn run(name: &str, plan: Plan) -> anyhow::Result<()> {
    let Plan { services, idle } = plan;
    let product = crate::image::scenarios_product()?;
    let last = services.len().saturating_sub(1);
    for (place, services) in services.into_iter().enumerate() {
        let options = LabOptions {
            name: name.to_owned(),
            nodes: 1,
            ..LabOptions::default()
        };
        let idle = Some(idle).filter(|_| place == last);
        let measure = async |cluster: &Cluster| measure(cluster, services, idle).await;
        on_lab("controller", options, &product, measure).await?;
    }
    Ok(())
}

async fn measure(cluster: &Cluster, services: usize, idle: Option<Duration>) -> anyhow::Result<()> {
    cluster.install().await?;
    let bench = Bench { cluster };
    let print = |name: &str, value: f64, unit: &str| super::print(&format!("{name}.{services}"), value, unit);
    memory(cluster, "speaker", "speaker.memory.idle").await?;
    memory(cluster, "controller", "controller.memory.idle").await?;
    bench.kubectl(&["delete", "daemonset/speaker"]).await?;

    bench.create("bulk", services, None).await?;
    let bulk = bench.served(services, POOL, bench.give_pool()).await?;
    print("controller.bulk.rate", bulk, "1/s");
    bench.settled(services).await?;

    let used = async |when: &str| {
        let name = format!("controller.memory.{when}.{services}");
        memory(cluster, "controller", &name).await
    };
    used("bulk").await?;
    recorded(cluster).await?;
    used("recorded").await?;
    bench
        .kubectl(&["rollout", "restart", "deployment/controller"])
        .await?;
    bench
        .kubectl(&["rollout", "status", "deployment/controller"])
        .await?;
    used("restarted").await?;
    if let Some(idle) = idle {
        bench.idle(idle).await?;
    }

    // What others do about the bulk is done by now.
    singles::measure(&bench).await?.print(services);

    // To as many Services as the controller, since each write has others follow it: kube-controller-manager, which looks
    // at the endpoints of whatever Service changes, takes half as much of the processors as the API server, but of
    // some hundred writes only once they are done.
    bench
        .kubectl(&["scale", "--replicas=0", "deployment/controller"])
        .await?;
    let gone = [
        "wait",
        "--for=delete",
        "--timeout=60s",
        "pods",
        "-lcomponent=controller",
    ];
    bench.kubectl(&gone).await?;
    let plain = bench.served(services, PLAIN, bench.plain_writes()).await?;
    print("apiserver.status_write.rate", plain, "1/s");
    print("controller.bulk.ratio", bulk / plain, "1");
    Ok(())
}

/// Waits until the controllers have recorded the Events of all that they have done.
async fn recorded(cluster: &Cluster) -> anyhow::Result<()> {
    let token = cluster.metrics_token().await?;
    let attempt = || async {
        for pod in cluster.pods("controller").await? {
            let waiting = sum(&cluster.metrics(&pod, &token).await?, "cortenlb_events_waiting");
            ensure!(waiting == 0.0, "{waiting} Events wait to be recorded");
        }
        Ok(())
    };
    eventually(LIMIT, attempt).await
}

struct Bench<'a> {
    cluster: &'a Cluster,
}

impl Bench<'_> {
    /// Runs kubectl in our namespace.
    async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let words = [&["-n", SYSTEM], arguments].concat();
        self.cluster.kubectl(&words).await.map(drop)
    }

    fn services(&self, namespace: &str) -> Api<Service> {
        self.cluster.api(namespace)
    }

    /// Creates a namespace with that many Services of type LoadBalancer.
    async fn create(&self, namespace: &str, services: usize, class: Option<&str>) -> anyhow::Result<()> {
        let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } }))?;
        Api::<Namespace>::all(self.cluster.client.clone())
            .create(&PostParams::default(), &object)
            .await?;
        let api = &self.services(namespace);
        stream::iter(0..services)
            .map(Ok)
            .try_for_each_concurrent(CONCURRENCY, |index| async move {
                let service = service(&numbered(index), class)?;
                match api.create(&PostParams::default(), &service).await {
                    Ok(_) => Ok(()),
                    // The client asks again when the API server has not answered in time, and may have done it.
                    Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
                    Err(error) => anyhow::Result::Err(error.into()),
                }
            })
            .await
    }

    /// Patches the status of every Service of namespace `bulk` as the controller did, with other addresses.
    async fn plain_writes(&self) -> anyhow::Result<()> {
        let api = &self.services("bulk");
        let listed = api.list(&ListParams::default()).await?.items;
        stream::iter(listed.into_iter().enumerate())
            .map(Ok)
            .try_for_each_concurrent(CONCURRENCY, |(index, service)| async move {
                let name = service
                    .metadata
                    .name
                    .as_ref()
                    .context("a listed Service has a name")?;
                let address = format!("{PLAIN}{}.{}", index / 256, index % 256);
                let body = answer(&service, &address);
                api.patch_status(name, &PatchParams::default(), &Patch::Merge(body))
                    .await?;
                anyhow::Ok(())
            })
            .await
    }

    /// Makes the pool for which all Services of namespace `bulk` wait.
    async fn give_pool(&self) -> anyhow::Result<()> {
        let range = format!("{POOL}0.0/16");
        self.cluster.pool("default-addresspool", &[&range]).await
    }

    /// Lets `serve` give an address that begins so to all Services of namespace `bulk`; returns Services per second, from
    /// the first to the last EXTERNAL-IP as a watch sees them.
    async fn served(
        &self,
        services: usize,
        prefix: &str,
        serve: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<f64> {
        let mut events = watcher(self.services("bulk"), watcher::Config::default())
            .applied_objects()
            .boxed();
        for _ in 0..services {
            events.try_next().await?.context("the watch of Services ended")?;
        }
        let seen = async {
            let mut served = std::collections::BTreeSet::new();
            let mut first = None;
            while served.len() < services {
                let service = events.try_next().await?.context("the watch of Services ended")?;
                if has_address(&service, prefix) && served.insert(service.metadata.name) {
                    first.get_or_insert_with(Instant::now);
                }
            }
            let first = first.context("no Service to serve")?;
            anyhow::Ok(served.len() as f64 / first.elapsed().as_secs_f64())
        };
        let both = async { tokio::try_join!(serve, seen) };
        let ((), rate) = tokio::time::timeout(LIMIT, both)
            .await
            .context("not every Service got an address")??;
        Ok(rate)
    }

    /// Waits until the controller has nothing left to say about the Services of namespace `bulk`.
    async fn settled(&self, services: usize) -> anyhow::Result<()> {
        let mut events = watcher(self.services("bulk"), watcher::Config::default())
            .applied_objects()
            .boxed();
        let settled = async {
            let mut said = std::collections::BTreeSet::new();
            while said.len() < services {
                let service = events.try_next().await?.context("the watch of Services ended")?;
                if has_condition(&service, "cortenlb.io/Announced") {
                    said.insert(service.metadata.name);
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(LIMIT, settled)
            .await
            .context("not every Service says whether it is announced")?
    }

    /// Counts what is written while nothing happens, once the last Services are gone.
    async fn idle(&self, time: Duration) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let writes = writes_within(&self.cluster.client, time).await?;
        super::print("controller.idle.minutes", time.as_secs_f64() / 60.0, "min");
        super::print("controller.idle.writes", writes, "1");
        Ok(())
    }
}

/// What the controller writes to the status of a Service without an address.
fn answer(service: &Service, address: &str) -> Value {
    json!({
        "metadata": {
            "resourceVersion": service.metadata.resource_version,
            "annotations": { "metallb.io/ip-allocated-from-pool": "default-addresspool" },
        },
        "status": {
            "loadBalancer": { "ingress": [{ "ip": address }] },
            "conditions": [{
                "type": "cortenlb.io/AddressAssigned",
                "status": "True",
                "reason": "Assigned",
                "message": format!("{address} from pool default-addresspool"),
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "observedGeneration": 0,
            }],
        },
    })
}

/// The name of a Service of the bulk.
fn numbered(index: usize) -> String {
    format!("s{index:05}")
}

/// A Service that costs the rest of the cluster as little as possible: kube-proxy leaves those alone that name another
/// proxy, and thousands would take it longer than anything that is measured here.
fn service(name: &str, class: Option<&str>) -> anyhow::Result<Service> {
    let mut spec = json!({
        "type": "LoadBalancer",
        "allocateLoadBalancerNodePorts": false,
        "selector": { "app": "none" },
        "ports": [{ "port": 80 }],
    });
    if let Some(class) = class {
        spec["loadBalancerClass"] = class.into();
    }
    Ok(serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "service.kubernetes.io/service-proxy-name": "none" } },
        "spec": spec,
    }))?)
}

fn has_address(service: &Service, prefix: &str) -> bool {
    let balancer = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let mut entries = balancer
        .into_iter()
        .flat_map(|balancer| balancer.ingress.iter().flatten());
    entries.any(|entry| entry.ip.as_ref().is_some_and(|ip| ip.starts_with(prefix)))
}

fn has_condition(service: &Service, kind: &str) -> bool {
    let conditions = service
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| conditions.iter().any(|condition| condition.type_ == kind))
}
