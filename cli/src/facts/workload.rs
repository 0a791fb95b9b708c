//! Deployments and DaemonSets, as far as they are alike.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Around;

/// A Deployment or a DaemonSet.
#[derive(Clone, Copy)]
pub(crate) struct Workload<'a> {
    pub(crate) kind: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) annotations: Option<&'a BTreeMap<String, String>>,
    /// Of its pods.
    pub(crate) labels: Option<&'a BTreeMap<String, String>>,
    pub(crate) pod: Option<&'a PodSpec>,
}

impl Around {
    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        let deployments = self.deployments.iter().map(|object| {
            let template = object.spec.as_ref().map(|spec| &spec.template);
            Workload::of("Deployment", &object.metadata, template)
        });
        let daemon_sets = self.daemon_sets.iter().map(|object| {
            let template = object.spec.as_ref().map(|spec| &spec.template);
            Workload::of("DaemonSet", &object.metadata, template)
        });
        deployments.chain(daemon_sets)
    }
}

impl<'a> Workload<'a> {
    fn of(kind: &'static str, meta: &'a ObjectMeta, template: Option<&'a PodTemplateSpec>) -> Self {
        Self {
            kind,
            namespace: meta.namespace.as_deref().unwrap_or_default(),
            name: meta.name.as_deref().unwrap_or_default(),
            annotations: meta.annotations.as_ref(),
            labels: template.and_then(|template| template.metadata.as_ref()?.labels.as_ref()),
            pod: template.and_then(|template| template.spec.as_ref()),
        }
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.annotations?.get(key).map(String::as_str)
    }

    /// A label of its pods.
    pub(crate) fn label(&self, key: &str) -> Option<&'a str> {
        self.labels?.get(key).map(String::as_str)
    }
}
