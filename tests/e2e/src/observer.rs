//! One observer of all Services of the cluster: watches from before the fault until after it, and judges every event.
//!
//! | module | owns |
//! | --- | --- |
//! | [`Observer`] | the watch, the final list, waiting |
//! | [`model`] | the rules (pure) |
//!
//! The rules: no address is ever held by two Services that may not share it; no address changes or goes unless the
//! scenario has said that it may ([`Observer::allow`]); at the end everything expected is right. Its client is its own
//! and goes straight to the API server, whatever lies in the way of the controller's.

pub mod model;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use kube::runtime::watcher::{Config, Event, watcher};
use tokio::task::AbortHandle;

use crate::cluster::{Cluster, SOON};
use model::{Change, License, Model, Right, Seen, version};

/// How soon a watch that broke is begun again: what is measured is the controller's return, not the observer's.
const AGAIN: Duration = Duration::from_millis(50);

/// Watches until it is finished or dropped.
pub struct Observer {
    services: Api<Service>,
    shared: Arc<Shared>,
    watch: AbortHandle,
}

#[derive(Default)]
struct Shared {
    model: Mutex<Model>,
    /// Marked whenever the model has changed.
    changed: tokio::sync::watch::Sender<()>,
}

impl Shared {
    fn handle(&self, change: Change) {
        self.model().handle(Instant::now(), change);
        self.changed.send_replace(());
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().expect("no holder of this lock panics")
    }
}

impl Observer {
    /// Begins to watch, and returns once everything that is there is known.
    pub async fn start(cluster: &Cluster) -> anyhow::Result<Self> {
        let services: Api<Service> = Api::all(cluster.lab.client().await?);
        let shared = Arc::<Shared>::default();
        let mut changed = shared.changed.subscribe();
        let watch = tokio::spawn(observe(services.clone(), Arc::clone(&shared))).abort_handle();
        let observer = Self {
            services,
            shared,
            watch,
        };
        let listed = tokio::time::timeout(SOON, changed.changed()).await;
        listed.context("the observer's first list did not come")??;
        Ok(observer)
    }

    /// From now on these Services should end like this; names as in [`Seen::name`].
    pub fn expect<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>, right: Right) {
        let mut model = self.shared.model();
        for name in names {
            model.expect(Instant::now(), name.as_ref(), right);
        }
    }

    /// Nothing is expected of a Service any more.
    pub fn forget(&self, name: &str) {
        self.shared.model().forget(name);
    }

    /// From now on the scenario may do this to `service`, and to no other of its name.
    pub fn allow(&self, service: &Service, license: License) {
        let uid = service.uid().unwrap_or_default();
        self.shared.model().allow(&uid, license);
    }

    /// What comes after this form of `service` is not the scenario's doing any more.
    pub fn end_license(&self, service: &Service) {
        let uid = service.uid().unwrap_or_default();
        self.shared.model().end_license(&uid, version(service));
    }

    /// The addresses that a Service shows.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let model = self.shared.model();
        model
            .seen(name)
            .map(|seen| seen.addresses.clone())
            .unwrap_or_default()
    }

    /// Waits until everything expected is right, and returns how long after `instant` the last of it became so; zero if
    /// it was before.
    pub async fn all_right_after(&self, instant: Instant, within: Duration) -> anyhow::Result<Duration> {
        let at = self
            .until(within, |model| model.all_right().map(Some))
            .await
            .map_err(anyhow::Error::msg)?;
        Ok(at.map_or(Duration::ZERO, |at| at.saturating_duration_since(instant)))
    }

    /// Waits until `name` is right, in a form later than `version`.
    pub async fn right_after_version(
        &self,
        name: &str,
        version: u64,
        within: Duration,
    ) -> anyhow::Result<()> {
        self.until(within, |model| {
            let right = model.is_right_after(name, version).then_some(Some(()));
            right.ok_or_else(|| format!("{name} is {:?}", model.seen(name)))
        })
        .await
        .map_err(anyhow::Error::msg)
    }

    /// Waits until `look` finds something in the model; after `within` says what it found in the way.
    async fn until<T>(
        &self,
        within: Duration,
        look: impl Fn(&Model) -> Result<Option<T>, String>,
    ) -> Result<T, String> {
        let mut changed = self.shared.changed.subscribe();
        let found = async {
            loop {
                if let Ok(Some(found)) = look(&self.shared.model()) {
                    return found;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        if let Ok(found) = tokio::time::timeout(within, found).await {
            return Ok(found);
        }
        let why = look(&self.shared.model()).err().unwrap_or_default();
        Err(format!("not within {} s: {why}", within.as_secs()))
    }

    /// Reads the final state by a list, which shows also what no watch would tell any more; fails when a rule was
    /// broken or something expected is not right.
    pub async fn finish(self) -> anyhow::Result<()> {
        let all = self.services.list(&ListParams::default()).await?;
        let mut model = self.shared.model();
        let gaps = model.gaps();
        model.handle(
            Instant::now(),
            Change::Snapshot(all.iter().map(Seen::of).collect()),
        );
        if gaps > 0 {
            println!(
                "  the observer's watch broke {gaps} times; what went by meanwhile is judged by its result"
            );
        }
        let violations: Vec<String> = model.violations().iter().map(ToString::to_string).collect();
        ensure!(
            violations.is_empty(),
            "{} rules broken: {}",
            violations.len(),
            violations.join("; ")
        );
        match model.all_right() {
            Ok(_) => Ok(()),
            Err(wrong) => bail!("at the end {wrong}"),
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

async fn observe(services: Api<Service>, shared: Arc<Shared>) {
    let events = watcher(services, Config::default());
    pin_mut!(events);
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(service)) => listed.push(Seen::of(&service)),
            Ok(Event::InitDone) => shared.handle(Change::Snapshot(std::mem::take(&mut listed))),
            Ok(Event::Apply(service)) => shared.handle(Change::Apply(Seen::of(&service))),
            Ok(Event::Delete(service)) => shared.handle(Change::Delete(Seen::of(&service))),
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}
