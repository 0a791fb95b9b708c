//! The cluster as rows use it.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use cortenlb_crds::{AddressReservation, IPAddressPool};
use futures::future::{try_join, try_join_all};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Event, Namespace, PodTemplateSpec, Service};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};

use super::table::{self, Id, Kind, Objects, Row, Settings, Step};
use crate::cluster::Cluster;

/// How long the controller may take: it acts within milliseconds, and writes a pool's status once a second.
const WITHIN: Duration = Duration::from_secs(15);

/// The namespace of what [`Rows::barrier`] creates, and the name of its pool and its Service.
const BARRIER: &str = "barrier";

/// One cluster, one controller, and what the row that is run has made.
pub(super) struct Rows<'a> {
    cluster: &'a Cluster,
    /// How many controllers there were, and what they were made from.
    replicas: i32,
    template: PodTemplateSpec,
    /// The class of Services that the controller serves.
    class: Option<String>,
    /// What the row has created.
    written: BTreeSet<Id>,
    /// The namespaces whose labels the row has set.
    labelled: BTreeSet<String>,
    /// How many barriers there have been.
    barriers: u16,
}

impl<'a> Rows<'a> {
    /// Makes the namespaces, and asks for one controller.
    pub(super) async fn begin(cluster: &'a Cluster) -> anyhow::Result<Self> {
        let rows = Self {
            cluster,
            replicas: cluster.scale_controller(1).await?,
            template: cluster.controller_template().await?,
            class: None,
            written: BTreeSet::new(),
            labelled: BTreeSet::new(),
            barriers: 0,
        };
        for name in NAMESPACES {
            rows.namespace(name, &json!({})).await?;
        }
        Ok(rows)
    }

    /// Takes away what other scenarios would find: with the namespaces go their Services and reservations.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.cluster.scale_controller(self.replicas).await?;
        self.cluster.set_controller_template(&self.template).await?;
        // Namespaces go slowly, and who watches all Services is to see none of these.
        self.delete(&(Kind::Service, barrier(BARRIER))).await?;
        self.delete(&(Kind::Pool, BARRIER.to_owned())).await?;
        let api: Api<Namespace> = Api::all(self.cluster.client.clone());
        for name in NAMESPACES {
            api.delete(name, &DeleteParams::default()).await?;
        }
        Ok(())
    }

    /// Has the controller run with the flags of `settings`.
    pub(super) async fn run_with(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let mut template = self.template.clone();
        let container = template.spec.as_mut().and_then(|pod| pod.containers.first_mut());
        let container = container.context("the controller's pod has a container")?;
        container
            .args
            .get_or_insert_default()
            .extend(super::flags(settings));
        self.cluster.set_controller_template(&template).await?;
        // A Service keeps the class that it was made with.
        self.delete(&(Kind::Service, barrier(BARRIER))).await?;
        self.class.clone_from(&settings.lb_class);
        Ok(())
    }

    /// Starts the controller anew, and has it find these objects beside what is there.
    async fn restart(&mut self, found: &Objects) -> anyhow::Result<()> {
        self.cluster.stop_controller().await?;
        let written = self.lay_out(found).await;
        self.cluster.scale_controller(1).await?;
        written?;
        self.cluster.leader().await?;
        Ok(())
    }

    async fn lay_out(&mut self, found: &Objects) -> anyhow::Result<()> {
        self.label(found).await?;
        for (id, form) in found.expand() {
            let status = form.get("status").cloned();
            self.put(id.clone(), &form).await?;
            if let Some(status) = status {
                self.write_status(&id, &status).await?;
            }
        }
        Ok(())
    }

    /// Takes every step of a row, and judges what has become of it.
    pub(super) async fn run(&mut self, row: Row) -> anyhow::Result<()> {
        if row.found != Objects::default() {
            self.restart(&row.found).await.context("what is found")?;
        }
        for (place, step) in row.steps().enumerate() {
            let before = self.versions(&step.unwritten).await?;
            self.take(&step).await.with_context(|| format!("step {place}"))?;
            self.judge(&step).await.with_context(|| format!("step {place}"))?;
            let after = self.versions(&step.unwritten).await?;
            ensure!(before == after, "step {place}: {:?} were written", step.unwritten);
        }
        Ok(())
    }

    async fn versions(&self, services: &[String]) -> anyhow::Result<Vec<Option<String>>> {
        let mut versions = Vec::with_capacity(services.len());
        for name in services {
            let api = self.api(&(Kind::Service, name.clone()));
            let object = api.get_metadata(table::split(name).1).await?;
            versions.push(object.metadata.resource_version);
        }
        Ok(versions)
    }

    async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        for (name, text) in &step.status {
            let id = table::id(name);
            self.write_status(&id, &table::mk_status(id.0, text)).await?;
        }
        for text in &step.delete {
            let id = table::id(text);
            self.delete(&id).await?;
            self.written.remove(&id);
        }
        self.apply(&step.apply).await?;
        if step.restart {
            self.restart(&Objects::default()).await?;
        }
        self.barrier().await
    }

    async fn label(&mut self, objects: &Objects) -> anyhow::Result<()> {
        for (name, labels) in &objects.namespaces {
            self.labelled.insert(name.clone());
            self.namespace(name, &json!(labels)).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, objects: &Objects) -> anyhow::Result<()> {
        self.label(objects).await?;
        let (services, others): (Vec<_>, Vec<_>) = objects
            .expand()
            .into_iter()
            .partition(|(id, _)| id.0 == Kind::Service);
        let alone = others.is_empty() && objects.namespaces.is_empty();
        for (id, form) in others {
            self.put(id, &form).await?;
        }
        // Kinds are watched apart from one another: a Service must not be seen before the pools that it is to find.
        if !alone && !services.is_empty() {
            self.barrier().await?;
        }
        for (id, form) in services {
            self.put(id, &form).await?;
        }
        Ok(())
    }

    /// As `kubectl apply --server-side`: creates, or changes to `form` and leaves what others have written.
    async fn put(&mut self, id: Id, form: &Value) -> anyhow::Result<()> {
        self.applied(&id, form).await?;
        self.written.insert(id);
        Ok(())
    }

    async fn applied(&self, id: &Id, form: &Value) -> anyhow::Result<()> {
        let name = table::split(&id.1).1;
        let applied = self.api(id).patch(name, &manager(), &Patch::Apply(form)).await;
        applied.with_context(|| format!("applying {id:?}: {form}"))?;
        Ok(())
    }

    async fn write_status(&self, id: &Id, status: &Value) -> anyhow::Result<()> {
        let (api, name) = (self.api(id), table::split(&id.1).1);
        let patch = Patch::Merge(json!({ "status": status }));
        let written = api.patch_status(name, &PatchParams::default(), &patch).await;
        written.with_context(|| format!("writing the status of {id:?}: {status}"))?;
        Ok(())
    }

    async fn namespace(&self, name: &str, labels: &Value) -> anyhow::Result<()> {
        let api: Api<Namespace> = Api::all(self.cluster.client.clone());
        let form = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
        api.patch(name, &manager(), &Patch::Apply(form)).await?;
        Ok(())
    }

    async fn delete(&self, id: &Id) -> anyhow::Result<()> {
        let api = self.api(id);
        match api.delete(table::split(&id.1).1, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(drop).with_context(|| format!("deleting {id:?}")),
        }
    }

    /// Takes away what a row has made.
    pub(super) async fn clear(&mut self) -> anyhow::Result<()> {
        let gone = std::mem::take(&mut self.written);
        try_join_all(gone.iter().rev().map(|id| self.delete(id))).await?;
        for name in std::mem::take(&mut self.labelled) {
            self.namespace(&name, &json!({})).await?;
        }
        self.barrier().await
    }

    /// Returns once the controller has seen everything that was written before, so that what stays as it is can be told
    /// from what has not been looked at yet.
    ///
    /// A Service gets an address that no earlier barrier had, for which the controller must have seen the newest form of
    /// four objects, one from each of its watches: the Service asks for a reservation; that is for this address, and in
    /// a namespace which must have the label that the pool with this address selects by.
    async fn barrier(&mut self) -> anyhow::Result<()> {
        let before = reservation(self.barriers);
        self.barriers += 1;
        let [high, low] = self.barriers.to_be_bytes();
        let (address, name) = (format!("198.18.{high}.{low}"), reservation(self.barriers));
        let label = json!({ BARRIER: name });
        let mut service = json!({ "cortenlb.io/reservation": name });
        if let Some(class) = &self.class {
            service["loadBalancerClass"] = class.as_str().into();
        }
        let objects: Objects = serde_json::from_value(json!({
            "pools": { BARRIER: {
                "addresses": [format!("{address}/32")],
                "serviceAllocation": { "namespaceSelectors": [{ "matchLabels": label }] },
            } },
            "reservations": { barrier(&name): { "pool": BARRIER, "address": address } },
            "services": { barrier(BARRIER): service },
        }))?;
        let objects = objects.expand();
        let objects = try_join_all(objects.iter().map(|(id, form)| self.applied(id, form)));
        try_join(self.namespace(BARRIER, &label), objects).await?;
        let service = (Kind::Service, barrier(BARRIER));
        self.expect(&service, &format!("{address} ({BARRIER})")).await?;
        if self.barriers > 1 {
            self.delete(&(Kind::Reservation, barrier(&before))).await?;
        }
        Ok(())
    }

    async fn judge(&self, step: &Step) -> anyhow::Result<()> {
        for (name, expected) in &step.expect {
            self.expect(&table::id(name), expected).await?;
        }
        for (name, expected) in &step.events {
            for expected in expected {
                self.expect_event(&(Kind::Service, name.clone()), expected)
                    .await?;
            }
        }
        Ok(())
    }

    /// Watches an object until it stands as expected.
    async fn expect(&self, id: &Id, expected: &str) -> anyhow::Result<()> {
        let last = Mutex::new("no such object".to_owned());
        let holds = |found: Option<&DynamicObject>| {
            let Some(object) = found.and_then(|object| serde_json::to_value(object).ok()) else {
                return false;
            };
            let shown = table::shown(id.0, &object);
            let holds = table::is_as_expected(id.0, &shown, expected);
            *last.lock().expect("no holder of this lock panics") = shown;
            holds
        };
        let name = table::split(&id.1).1;
        match tokio::time::timeout(WITHIN, await_condition(self.api(id), name, holds)).await {
            Ok(found) => found.map(drop).with_context(|| format!("watching {id:?}")),
            Err(_) => {
                let shown = last.into_inner().expect("no holder of this lock panics");
                bail!("{id:?} is {shown:?}, and not {expected:?}")
            }
        }
    }

    /// Watches for an Event about a Service.
    async fn expect_event(&self, id: &Id, expected: &str) -> anyhow::Result<()> {
        let (namespace, name) = table::split(&id.1);
        let object = self.api(id).get(name).await?;
        let uid = object.metadata.uid.unwrap_or_default();
        let config = watcher::Config::default().fields(&format!("involvedObject.uid={uid}"));
        let mut events = watcher(self.cluster.api::<Event>(namespace), config)
            .applied_objects()
            .boxed();
        let mut seen = Vec::new();
        let search = async {
            while let Some(event) = events.try_next().await? {
                let (reason, message) = (
                    event.reason.unwrap_or_default(),
                    event.message.unwrap_or_default(),
                );
                if table::is_expected_event(&reason, &message, expected) {
                    return Ok(());
                }
                seen.push(format!("{reason}: {message}"));
            }
            bail!("the watch for events ended")
        };
        match tokio::time::timeout(WITHIN, search).await {
            Ok(found) => found,
            Err(_) => bail!("Events about {id:?} are {seen:?}, and none is {expected:?}"),
        }
    }

    fn api(&self, (kind, name): &Id) -> Api<DynamicObject> {
        let (resource, namespace) = match kind {
            Kind::Pool => (ApiResource::erase::<IPAddressPool>(&()), table::SYSTEM),
            Kind::Reservation => (
                ApiResource::erase::<AddressReservation>(&()),
                table::split(name).0,
            ),
            Kind::Service => (ApiResource::erase::<Service>(&()), table::split(name).0),
        };
        Api::namespaced_with(self.cluster.client.clone(), namespace, &resource)
    }
}

/// The namespaces of the tables, and that of the barrier.
const NAMESPACES: [&str; 6] = [table::NAMESPACE, "dev", "lab", "ops", "shop", BARRIER];

fn manager() -> PatchParams {
    PatchParams::apply("e2e").force()
}

fn barrier(name: &str) -> String {
    format!("{BARRIER}/{name}")
}

fn reservation(barrier: u16) -> String {
    format!("n{barrier}")
}
