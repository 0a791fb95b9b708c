//! `ConfigurationState`: whether a component finds the configuration sound. The controller and every speaker write one.

mod report;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use report::{Pod, Report, Step};

/// Empty: the kind only reports.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "ConfigurationState",
    plural = "configurationstates",
    namespaced,
    no_spec,
    derive = "PartialEq",
    derive = "Default",
    doc = "Reports whether a component finds the configuration sound. The label metallb.io/component-type says which \
           component, metallb.io/node-name on which node (speakers only).",
    status = "ConfigurationStateStatus",
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result"),
    printcolumn(name = "ErrorSummary", type_ = "string", json_path = ".status.errorSummary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct ConfigurationStateSpec {}

/// What a component found.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationStateStatus {
    /// The verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ConfigurationResult>,

    /// What is wrong; empty when the result is Valid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error_summary: String,

    /// The parts of the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// A verdict about the configuration.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ConfigurationResult {
    /// It is sound.
    Valid,
    /// Something in it is ignored.
    Invalid,
    /// Nobody has judged it yet.
    Unknown,
}
