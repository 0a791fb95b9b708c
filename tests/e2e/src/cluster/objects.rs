//! Objects: creating, reading and watching what scenarios are about.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cortenlb_crds::{IPAddressPool, L2Advertisement, ServiceL2Status};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Event, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Cluster, SOON, SYSTEM};
use crate::objects::{MkService, NAMESPACE};

/// How many requests are under way when many objects are made or deleted.
const AT_ONCE: usize = 16;

impl Cluster {
    /// The objects of one kind in `namespace`.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The Services of the scenarios' namespace.
    pub fn services(&self) -> Api<Service> {
        self.api(NAMESPACE)
    }

    /// Creates an IPAddressPool.
    pub async fn pool(&self, name: &str, addresses: &[&str]) -> anyhow::Result<()> {
        self.pool_with(name, json!({ "addresses": addresses })).await
    }

    /// Creates an IPAddressPool with any `spec`.
    pub async fn pool_with(&self, name: &str, spec: serde_json::Value) -> anyhow::Result<()> {
        let object = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": { "name": name, "namespace": SYSTEM },
            "spec": spec,
        });
        let pool: IPAddressPool = serde_json::from_value(object)?;
        self.api(SYSTEM).create(&PostParams::default(), &pool).await?;
        Ok(())
    }

    /// Creates an L2Advertisement.
    pub async fn advertise(&self, name: &str, spec: serde_json::Value) -> anyhow::Result<()> {
        let object = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "L2Advertisement",
            "metadata": { "name": name, "namespace": SYSTEM },
            "spec": spec,
        });
        let advertisement: L2Advertisement = serde_json::from_value(object)?;
        self.api(SYSTEM)
            .create(&PostParams::default(), &advertisement)
            .await?;
        Ok(())
    }

    /// Creates a Service.
    pub async fn create(&self, service: MkService) -> anyhow::Result<Service> {
        Ok(self
            .services()
            .create(&PostParams::default(), &service.build())
            .await?)
    }

    /// Deletes every object of a kind and waits until each is gone.
    pub async fn delete_all<K>(&self, api: Api<K>) -> anyhow::Result<()>
    where
        K: kube::Resource<DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + serde::Serialize
            + Send
            + 'static,
    {
        let all = api.list(&ListParams::default()).await?;
        let deleted = futures::stream::iter(all)
            .map(|object| {
                let api = api.clone();
                async move { self.delete(api, &object.name_any()).await }
            })
            .buffer_unordered(AT_ONCE);
        deleted.try_collect().await
    }

    /// Creates Services, many at once, and returns them in the order in which they were accepted.
    pub async fn create_all(
        &self,
        services: impl IntoIterator<Item = MkService>,
    ) -> anyhow::Result<Vec<Service>> {
        let created = futures::stream::iter(services)
            .map(|service| self.create(service))
            .buffer_unordered(AT_ONCE);
        created.try_collect().await
    }

    /// Deletes an object and waits until it is gone.
    pub async fn delete<K>(&self, api: Api<K>, name: &str) -> anyhow::Result<()>
    where
        K: kube::Resource<DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + serde::Serialize
            + Send
            + 'static,
    {
        api.delete(name, &DeleteParams::default())
            .await
            .with_context(|| format!("deleting {name}"))?;
        self.wait(api, name, "is gone", SOON, |found| found.is_none())
            .await?;
        Ok(())
    }

    /// Waits until Service `name` has addresses and returns them in the order of the status.
    pub async fn addresses(&self, name: &str) -> anyhow::Result<Vec<IpAddr>> {
        let found = self
            .wait(self.services(), name, "has an address", SOON, |found| {
                found.is_some_and(|service| !addresses(service).is_empty())
            })
            .await?;
        Ok(found.as_ref().map(addresses).unwrap_or_default())
    }

    /// Waits until Service `name` has an address and requires it to be `wanted`.
    pub async fn expect_address(&self, name: &str, wanted: &str) -> anyhow::Result<()> {
        let found = self.addresses(name).await?;
        if found != [wanted.parse::<IpAddr>()?] {
            bail!("Service {name} should have {wanted} and has {found:?}");
        }
        Ok(())
    }

    /// Waits until condition `kind` of Service `name` has this status and reason, and returns it.
    pub async fn condition(
        &self,
        name: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> anyhow::Result<Condition> {
        self.condition_within(name, kind, status, reason, SOON).await
    }

    /// As [`Cluster::condition`], with a deadline of its own.
    pub async fn condition_within(
        &self,
        name: &str,
        kind: &str,
        status: &str,
        reason: &str,
        within: Duration,
    ) -> anyhow::Result<Condition> {
        let what = format!("has condition {kind} {status} with reason {reason}");
        let matching = |service: &Service| {
            let found = condition(service, kind)?;
            (found.status == status && found.reason == reason).then(|| found.clone())
        };
        let service = self
            .wait(self.services(), name, &what, within, |found| {
                found.is_some_and(|service| matching(service).is_some())
            })
            .await?;
        service
            .as_ref()
            .and_then(matching)
            .context("the condition that was waited for")
    }

    /// Waits until Service `name` is announced and returns the node that does it, by the speaker's own record.
    pub async fn announced_from(&self, name: &str) -> anyhow::Result<String> {
        self.condition(name, ANNOUNCED, "True", "Announced").await?;
        let statuses = self
            .api::<ServiceL2Status>(SYSTEM)
            .list(&ListParams::default())
            .await?;
        let mut nodes = statuses
            .into_iter()
            .filter_map(|object| object.status)
            .filter(|status| status.service_name == name && status.service_namespace == NAMESPACE);
        nodes
            .next()
            .map(|status| status.node)
            .with_context(|| format!("no ServiceL2Status names Service {name}"))
    }

    /// Watches for an Event with `reason` about Service `name`, and returns its message.
    pub async fn event(&self, name: &str, reason: &str) -> anyhow::Result<String> {
        self.event_about(&self.services().get(name).await?, reason).await
    }

    /// Watches for an Event with `reason` about `object`, and returns its message. The UID tells it from an earlier
    /// object of the same name.
    pub async fn event_about<K>(&self, object: &K, reason: &str) -> anyhow::Result<String>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        let meta = object.meta();
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        let uid = meta.uid.as_deref().unwrap_or_default();
        let config = watcher::Config::default().fields(&format!("involvedObject.uid={uid},reason={reason}"));
        let events = watcher(self.api::<Event>(namespace), config).applied_objects();
        let first = async { events.boxed().try_next().await };
        match tokio::time::timeout(SOON, first).await {
            Ok(Ok(Some(event))) => Ok(event.message.unwrap_or_default()),
            Ok(Ok(None)) => bail!("the watch for events ended"),
            Ok(Err(error)) => Err(error).context("watching events"),
            Err(_) => bail!(
                "no Event {reason} about {} {namespace}/{name} within {} s",
                K::kind(&()),
                SOON.as_secs()
            ),
        }
    }

    /// The pods of the product's `component`.
    pub async fn pods(&self, component: &str) -> anyhow::Result<Vec<Pod>> {
        let selector = ListParams::default().labels(&format!("app=metallb,component={component}"));
        Ok(self.api::<Pod>(SYSTEM).list(&selector).await?.items)
    }

    /// Deletes the pods of the product's `component` and waits until they have ended; their successors may still start.
    pub async fn delete_pods(&self, component: &str) -> anyhow::Result<()> {
        let pods = self.api::<Pod>(SYSTEM);
        for pod in self.pods(component).await? {
            let name = pod.name_any();
            match pods.delete(&name, &DeleteParams::default()).await {
                Ok(_) => {}
                // One whose Deployment was scaled down may be gone by now.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(error).with_context(|| format!("deleting {name}")),
            }
            self.wait(pods.clone(), &name, "is gone", SOON, |found| found.is_none())
                .await?;
        }
        Ok(())
    }

    /// Ends the containers of the product's `component` without notice; the pods start new ones.
    pub async fn crash(&self, component: &str) -> anyhow::Result<()> {
        let statuses = self.pods(component).await?.into_iter();
        let statuses = statuses
            .filter_map(|pod| pod.status?.container_statuses)
            .flatten();
        for container in statuses.filter_map(|status| status.container_id) {
            self.lab.kill_container(&container).await?;
        }
        Ok(())
    }

    /// What the addresses of all Services of the scenarios' namespace are now, by name.
    pub async fn assignments(&self) -> anyhow::Result<Vec<(String, Vec<IpAddr>)>> {
        let services = self.services().list(&ListParams::default()).await?;
        Ok(services
            .into_iter()
            .map(|service| (service.name_any(), addresses(&service)))
            .collect())
    }
}

/// Type of the condition that says which address a Service got, or why none.
pub const ADDRESS_ASSIGNED: &str = "cortenlb.io/AddressAssigned";

/// Type of the condition that says who announces a Service, or why nobody.
pub const ANNOUNCED: &str = "cortenlb.io/Announced";

/// The addresses in the status of a Service.
pub fn addresses(service: &Service) -> Vec<IpAddr> {
    let ingress = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let ingress = ingress.and_then(|balancer| balancer.ingress.as_ref());
    ingress
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ip.as_ref()?.parse().ok())
        .collect()
}

/// The condition of type `kind` of a Service.
pub fn condition<'a>(service: &'a Service, kind: &str) -> Option<&'a Condition> {
    let conditions = service.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}
