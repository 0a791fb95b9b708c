//! Services one after another: how long each waits for its address, beside what a plain client's writes take.

use std::pin::pin;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use super::{Bench, LIMIT, POOL, answer, has_address, service};
use crate::bench::{milliseconds, percentile, print};

/// Number of Services created for each latency: of fewer, the 99th percentile would be the worst.
const SINGLES: usize = 500;

/// The class of Services that are none of the controller's, and that of those which [`answer_all`] answers.
const OTHER: &str = "example.org/bench";
const ANSWERED: &str = "example.org/answered";

/// What the addresses that plain clients write begin with.
const PLAIN: &str = "10.201.";

/// How long each took, in milliseconds.
#[derive(Default)]
pub(super) struct Singles {
    /// A plain client's write to a Service that has been there for a while.
    write: Vec<f64>,
    /// The same to a Service that it has just created.
    first: Vec<f64>,
    /// From the answer to the creation of a Service, which is the API server's own affair, to an address that
    /// [`answer_all`] gives.
    least: Vec<f64>,
    /// The same to the controller's.
    single: Vec<f64>,
}

impl Singles {
    pub(super) fn print(&self, services: usize) {
        let print = |name: &str, value: f64, unit: &str| print(&format!("{name}.{services}"), value, unit);
        for (name, delays) in [
            ("apiserver.status_write", &self.write),
            ("apiserver.first_status_write", &self.first),
            ("apiserver.watched_status_write", &self.least),
            ("controller.single", &self.single),
        ] {
            print(&format!("{name}.p50"), percentile(delays, 50), "ms");
            print(&format!("{name}.p99"), percentile(delays, 99), "ms");
        }
        let ratio = |of: &[f64]| percentile(&self.single, 99) / percentile(of, 99);
        print("controller.single.p99.ratio", ratio(&self.write), "1");
        print("controller.single.p99.first_ratio", ratio(&self.first), "1");
        print("controller.single.p99.least_ratio", ratio(&self.least), "1");
    }
}

/// Creates Services one after another, each when the one before it is gone: in turns one that the controller gives an
/// address, one that is given an address by what does nothing else, and one whose status is written by who has created
/// it. That client also writes to a Service that has been there for a while, when nothing follows a creation.
///
/// In turns, since what else goes on in the cluster delays all of them.
pub(super) async fn measure(bench: &Bench<'_>) -> anyhow::Result<Singles> {
    bench.create("plain", 1, Some(OTHER)).await?;
    bench.create("answered", 0, None).await?;
    let [plain, answered, ours] = ["plain", "answered", "bulk"].map(|namespace| bench.services(namespace));
    let answers = pin!(answer_all(answered.clone()));
    let turns = pin!(turns(&plain, &answered, &ours));
    match select(answers, turns).await {
        Either::Left((ended, _)) => Err(ended.context("the answers to single Services ended")),
        Either::Right((singles, _)) => singles,
    }
}

async fn turns(
    plain: &Api<Service>,
    answered: &Api<Service>,
    ours: &Api<Service>,
) -> anyhow::Result<Singles> {
    let write = async |name: &str, index: usize| {
        let entry = json!({ "ip": format!("{PLAIN}{}.{}", index / 256, index % 256) });
        let body = Patch::Merge(json!({ "status": { "loadBalancer": { "ingress": [entry] } } }));
        let start = Instant::now();
        plain.patch_status(name, &PatchParams::default(), &body).await?;
        anyhow::Ok(milliseconds(start.elapsed()))
    };
    let (mut least, mut single) = (Watched::new(answered), Watched::new(ours));
    let mut singles = Singles::default();
    for index in 0..SINGLES {
        singles.write.push(write(&super::numbered(0), index).await?);

        let name = format!("single{index:03}");
        plain
            .create(&PostParams::default(), &service(&name, Some(OTHER))?)
            .await?;
        singles.first.push(write(&name, index).await?);
        plain.delete(&name, &DeleteParams::default()).await?;

        singles
            .least
            .push(least.wait(&name, Some(ANSWERED), PLAIN).await?);
        singles.single.push(single.wait(&name, None, POOL).await?);
    }
    Ok(singles)
}

/// The Services of a namespace, and what is seen of them.
struct Watched<'a> {
    api: &'a Api<Service>,
    events: BoxStream<'static, watcher::Result<Service>>,
}

impl<'a> Watched<'a> {
    fn new(api: &'a Api<Service>) -> Self {
        let events = watcher(api.clone(), watcher::Config::default());
        let events = events.applied_objects().boxed();
        Self { api, events }
    }

    /// How long a Service waits for an address that begins so, once it is created. Deletes it.
    async fn wait(&mut self, name: &str, class: Option<&str>, prefix: &str) -> anyhow::Result<f64> {
        self.api
            .create(&PostParams::default(), &service(name, class)?)
            .await?;
        let start = Instant::now();
        loop {
            let service = self.events.try_next().await?;
            let service = service.context("the watch of Services ended")?;
            if service.metadata.name.as_deref() == Some(name) && has_address(&service, prefix) {
                break;
            }
            ensure!(start.elapsed() < LIMIT, "{name} got no address");
        }
        let waited = milliseconds(start.elapsed());
        self.api.delete(name, &DeleteParams::default()).await?;
        Ok(waited)
    }
}

/// The least that gives a Service an address: a watch, and a write of what the controller writes, for each Service as it is
/// created, whatever else there is. Returns why it ended.
async fn answer_all(services: Api<Service>) -> anyhow::Error {
    let mut events = watcher(services.clone(), watcher::Config::default())
        .applied_objects()
        .boxed();
    let answers = async {
        while let Some(service) = events.try_next().await? {
            if has_address(&service, PLAIN) {
                continue;
            }
            let name = service.metadata.name.as_deref().unwrap_or_default();
            let body = answer(&service, &format!("{PLAIN}255.1"));
            services
                .patch_status(name, &PatchParams::default(), &Patch::Merge(body))
                .await?;
        }
        anyhow::Ok(())
    };
    match answers.await {
        Ok(()) => anyhow::anyhow!("the watch of Services ended"),
        Err(error) => error,
    }
}
