//! `ServiceBGPStatus`: to which peers a node announces a Service. Speakers write it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Empty: the kind only reports.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "ServiceBGPStatus",
    plural = "servicebgpstatuses",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Reports to which BGP peers a node announces a Service.",
    status = "MetalLBServiceBGPStatus",
    printcolumn(name = "Node", type_ = "string", json_path = ".status.node"),
    printcolumn(name = "Service Name", type_ = "string", json_path = ".status.serviceName"),
    printcolumn(
        name = "Service Namespace",
        type_ = "string",
        json_path = ".status.serviceNamespace"
    )
)]
pub struct ServiceBGPStatusSpec {}

/// Which node announces which Service, to which peers.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetalLBServiceBGPStatus {
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

    /// The BGPPeers that it is configured to be announced to, whether their sessions are up or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
}
