//! What the objects are called, and by which labels they are found.

use std::collections::BTreeMap;

use cortenlb_crds::names::SYSTEM_NAMESPACE;
use kube::api::ObjectMeta;

use super::Component;

/// MetalLB's names: fixed in its plain manifests, and made from the release and its values in its chart.
///
/// In the chart they are expressions of Helm's templates, which find them in `templates/_helpers.tpl`. Their texts stand in
/// backticks: YAML may put the whole into quotes.
#[derive(Clone, Copy, Debug)]
pub(in crate::r#gen) enum Naming {
    /// As in the plain manifests.
    Plain,
    /// As in the chart.
    Chart,
}

const FULL_NAME: &str = "{{ include `cortenlb.fullname` . }}";

impl Naming {
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Plain => SYSTEM_NAMESPACE,
            Self::Chart => "{{ .Release.Namespace }}",
        }
    }

    /// An object that the plain manifests call `name`.
    pub(super) fn object(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Chart => format!("{FULL_NAME}-{name}"),
        }
    }

    /// An object of the cluster that the plain manifests call `metallb-system:name`.
    pub(super) fn of_cluster(self, name: &str) -> String {
        let owner = match self {
            Self::Plain => SYSTEM_NAMESPACE,
            Self::Chart => FULL_NAME,
        };
        format!("{owner}:{name}")
    }

    /// A component's ServiceAccount.
    pub(super) fn account(self, component: Component) -> String {
        match self {
            Self::Plain => component.name().to_owned(),
            Self::Chart => format!(
                "{{{{ include `cortenlb.account` (list . `{}`) }}}}",
                component.name()
            ),
        }
    }

    /// The Secret with the key by which the speakers know one another. It is not among the documents: the controller makes
    /// it, so that the key is each cluster's own.
    pub(super) fn speakers_key(self) -> String {
        match self {
            Self::Plain => "memberlist".to_owned(),
            Self::Chart => "{{ include `cortenlb.speakersKey` . }}".to_owned(),
        }
    }

    /// The labels by which a component's pods are found.
    pub(super) fn selector(self, component: Component) -> BTreeMap<String, String> {
        match self {
            Self::Plain => map([("app", "metallb"), ("component", component.name())]),
            Self::Chart => map([
                ("app.kubernetes.io/component", component.name()),
                ("app.kubernetes.io/instance", "{{ .Release.Name }}"),
                ("app.kubernetes.io/name", "{{ include `cortenlb.name` . }}"),
            ]),
        }
    }

    /// The metadata of an object of the cluster.
    pub(super) fn metadata(self, name: String) -> ObjectMeta {
        let labels = match self {
            Self::Plain => map([("app", "metallb")]),
            Self::Chart => map([
                ("app.kubernetes.io/instance", "{{ .Release.Name }}"),
                ("app.kubernetes.io/managed-by", "{{ .Release.Service }}"),
                ("app.kubernetes.io/name", "{{ include `cortenlb.name` . }}"),
                ("app.kubernetes.io/version", "{{ .Chart.AppVersion }}"),
                ("helm.sh/chart", "{{ include `cortenlb.chart` . }}"),
            ]),
        };
        ObjectMeta {
            name: Some(name),
            labels: Some(labels),
            ..Default::default()
        }
    }

    /// The metadata of an object in our namespace that the plain manifests call `name`.
    pub(super) fn namespaced(self, name: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some(self.namespace().to_owned()),
            ..self.metadata(self.object(name))
        }
    }
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}
