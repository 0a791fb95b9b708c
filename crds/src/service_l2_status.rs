//! `ServiceL2Status`: which node announces a Service on the segment. Speakers write it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Empty: the kind only reports.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "ServiceL2Status",
    plural = "servicel2statuses",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Reports which node announces a Service on the local segment.",
    status = "MetalLBServiceL2Status",
    printcolumn(name = "Allocated Node", type_ = "string", json_path = ".status.node"),
    printcolumn(name = "Service Name", type_ = "string", json_path = ".status.serviceName"),
    printcolumn(
        name = "Service Namespace",
        type_ = "string",
        json_path = ".status.serviceNamespace"
    )
)]
pub struct ServiceL2StatusSpec {}

/// Which node announces which Service, from which interfaces.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetalLBServiceL2Status {
    /// The node that announces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[x_kube(validation = ("self == oldSelf", "Value is immutable"))]
    pub node: String,

    /// The name of the Service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[x_kube(validation = ("self == oldSelf", "Value is immutable"))]
    pub service_name: String,

    /// The namespace of the Service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[x_kube(validation = ("self == oldSelf", "Value is immutable"))]
    pub service_namespace: String,

    /// The interfaces that it announces from; empty if it does from all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceInfo>,
}

/// An interface of a node.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct InterfaceInfo {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}
