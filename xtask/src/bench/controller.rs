//! The controller on a real API server, beside a plain client that writes the same in the same run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cortenlb_lab::{Lab, LabOptions};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use super::usage::{memory, writes};

/// As many as the controller's writer has under way.
const CONCURRENCY: usize = 32;

/// The longest that a bulk of Services may take before the measurement gives up.
const LIMIT: Duration = Duration::from_secs(600);

/// Number of Services created one after another for the latency of a single one: of fewer, the 99th percentile would be
/// the worst.
const SINGLES: usize = 500;

/// The most Services to which the plain client writes: they are enough to know how fast that goes.
const PLAIN: usize = 2_000;

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
    let product = crate::image::product()?;
    let last = services.len().saturating_sub(1);
    for (place, services) in services.into_iter().enumerate() {
        Lab::down(name).await?;
        let options = LabOptions {
            name: name.to_owned(),
            nodes: 1,
            product: Some(product.clone()),
            ..LabOptions::default()
        };
        let idle = Some(idle).filter(|_| place == last);
        let outcome = async { measure(&Lab::up(options).await?, services, idle).await }.await;
        Lab::down(name).await?;
        outcome?;
    }
    Ok(())
}

async fn measure(lab: &Lab, services: usize, idle: Option<Duration>) -> anyhow::Result<()> {
    let bench = Bench {
        client: lab.client().await?,
    };
    let print = |name: &str, value: f64, unit: &str| super::print(&format!("{name}.{services}"), value, unit);
    memory(lab, &bench.client, "speaker", "speaker.memory.idle").await?;
    memory(lab, &bench.client, "controller", "controller.memory.idle").await?;
    kubectl(lab, &["delete", "-n", "metallb-system", "daemonset/speaker"]).await?;

    // The plain client writes to Services of another class, which the controller leaves alone.
    let others = services.min(PLAIN);
    bench.create("plain", others, Some("example.org/bench")).await?;
    let plain = bench.plain_writes("plain").await?;
    print("apiserver.status_write.rate", plain, "1/s");

    bench.create("bulk", services, None).await?;
    let bulk = bench.bulk(services, lab).await?;
    print("controller.bulk.rate", bulk, "1/s");
    print("controller.bulk.ratio", bulk / plain, "1");
    bench.settled(services).await?;
    let (raw, single) = bench.singles(others).await?;
    let (raw, single) = (Percentiles::of(&raw), Percentiles::of(&single));
    print("apiserver.status_write.p50", raw.p50, "ms");
    print("apiserver.status_write.p99", raw.p99, "ms");
    print("controller.single.p50", single.p50, "ms");
    print("controller.single.p99", single.p99, "ms");
    print("controller.single.p99.ratio", single.p99 / raw.p99, "1");
    kubectl(lab, &["delete", "namespace", "plain"]).await?;
    memory(
        lab,
        &bench.client,
        "controller",
        &format!("controller.memory.bulk.{services}"),
    )
    .await?;
    kubectl(
        lab,
        &[
            "rollout",
            "restart",
            "-n",
            "metallb-system",
            "deployment/controller",
        ],
    )
    .await?;
    kubectl(
        lab,
        &[
            "rollout",
            "status",
            "-n",
            "metallb-system",
            "deployment/controller",
        ],
    )
    .await?;
    memory(
        lab,
        &bench.client,
        "controller",
        &format!("controller.memory.restarted.{services}"),
    )
    .await?;
    if let Some(idle) = idle {
        bench.idle(idle).await?;
    }
    Ok(())
}

/// Of a row of durations, in milliseconds.
struct Percentiles {
    p50: f64,
    p99: f64,
}

impl Percentiles {
    fn of(durations: &[Duration]) -> Self {
        let values: Vec<f64> = durations.iter().copied().map(super::milliseconds).collect();
        Self {
            p50: super::percentile(&values, 50),
            p99: super::percentile(&values, 99),
        }
    }
}

struct Bench {
    client: kube::Client,
}

impl Bench {
    fn services(&self, namespace: &str) -> Api<Service> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates a namespace with that many Services of type LoadBalancer.
    async fn create(&self, namespace: &str, services: usize, class: Option<&str>) -> anyhow::Result<()> {
        let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } }))?;
        Api::<Namespace>::all(self.client.clone())
            .create(&PostParams::default(), &object)
            .await?;
        let api = &self.services(namespace);
        stream::iter(0..services)
            .map(Ok)
            .try_for_each_concurrent(CONCURRENCY, |index| async move {
                api.create(&PostParams::default(), &service(&numbered(index), class)?)
                    .await?;
                anyhow::Ok(())
            })
            .await
    }

    /// Patches the status of every Service of `namespace` as the controller does; returns writes per second.
    async fn plain_writes(&self, namespace: &str) -> anyhow::Result<f64> {
        let api = &self.services(namespace);
        let listed = api.list(&ListParams::default()).await?.items;
        let count = listed.len();
        let start = Instant::now();
        stream::iter(listed.into_iter().enumerate())
            .map(Ok)
            .try_for_each_concurrent(CONCURRENCY, |(index, service)| async move {
                let name = service.metadata.name.context("a listed Service has a name")?;
                let address = format!("10.{}.{}.{}", 200, index / 256, index % 256);
                let body = json!({
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
                });
                api.patch_status(&name, &PatchParams::default(), &Patch::Merge(body))
                    .await?;
                anyhow::Ok(())
            })
            .await?;
        Ok(count as f64 / start.elapsed().as_secs_f64())
    }

    /// Applies the pool for which all Services of namespace `bulk` wait; returns Services per second, from the first
    /// to the last EXTERNAL-IP as a watch sees them.
    async fn bulk(&self, services: usize, lab: &Lab) -> anyhow::Result<f64> {
        let pool = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": { "name": "default-addresspool", "namespace": "metallb-system" },
            "spec": { "addresses": ["10.100.0.0/16"] },
        });
        let mut events = watcher(self.services("bulk"), watcher::Config::default())
            .applied_objects()
            .boxed();
        for _ in 0..services {
            events.try_next().await?.context("the watch of Services ended")?;
        }
        let file = lab.scratch_file("pool.json", &pool.to_string()).await?;
        kubectl(lab, &["apply", "-f", &file]).await?;
        let served = async {
            let mut served = std::collections::BTreeSet::new();
            let mut first = None;
            while served.len() < services {
                let service = events.try_next().await?.context("the watch of Services ended")?;
                if has_address(&service) && served.insert(service.metadata.name) {
                    first.get_or_insert_with(Instant::now);
                }
            }
            let first = first.context("no Service to serve")?;
            anyhow::Ok(served.len() as f64 / first.elapsed().as_secs_f64())
        };
        tokio::time::timeout(LIMIT, served)
            .await
            .context("not every Service got an address")?
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
        let before = writes(&self.client).await?;
        tokio::time::sleep(time).await;
        let after = writes(&self.client).await?;
        super::print("controller.idle.minutes", time.as_secs_f64() / 60.0, "min");
        super::print("controller.idle.writes", after - before, "1");
        Ok(())
    }

    /// Creates Services one after another, each when the one before it has its address and is gone; and before each
    /// patches the status of a Service that is another's. Returns the delays of the patches, then those from the answer to
    /// the creation, which is the API server's own affair, to the address.
    ///
    /// In turns, since what else goes on in the cluster delays both.
    async fn singles(&self, others: usize) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
        let plain = self.services("plain");
        let api = self.services("bulk");
        let mut events = watcher(self.services("bulk"), watcher::Config::default())
            .applied_objects()
            .boxed();
        let (mut raw, mut delays) = (Vec::new(), Vec::new());
        for index in 0..SINGLES {
            let entry = json!({ "ip": format!("10.201.{}.{}", index / 256, index % 256) });
            let body = Patch::Merge(json!({ "status": { "loadBalancer": { "ingress": [entry] } } }));
            let start = Instant::now();
            plain
                .patch_status(&numbered(index % others), &PatchParams::default(), &body)
                .await?;
            raw.push(start.elapsed());

            let name = format!("single{index:03}");
            api.create(&PostParams::default(), &service(&name, None)?).await?;
            let start = Instant::now();
            loop {
                let service = events.try_next().await?.context("the watch of Services ended")?;
                if service.metadata.name.as_ref() == Some(&name) && has_address(&service) {
                    break;
                }
                ensure!(start.elapsed() < LIMIT, "{name} got no address");
            }
            delays.push(start.elapsed());
            api.delete(&name, &DeleteParams::default()).await?;
        }
        Ok((raw, delays))
    }
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

fn has_address(service: &Service) -> bool {
    let balancer = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    balancer
        .and_then(|balancer| balancer.ingress.as_ref())
        .is_some_and(|ingress| !ingress.is_empty())
}

fn has_condition(service: &Service, kind: &str) -> bool {
    let conditions = service
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| conditions.iter().any(|condition| condition.type_ == kind))
}

async fn kubectl(lab: &Lab, arguments: &[&str]) -> anyhow::Result<()> {
    let output = lab.kubectl(arguments).await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "kubectl {}: {}",
        arguments.join(" "),
        stderr.trim()
    );
    Ok(())
}
