//! `L2Advertisement`: which pools are announced on the segment, by which nodes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The desired state of an L2Advertisement.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "L2Advertisement",
    plural = "l2advertisements",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Announces the addresses of pools on the local segment, by ARP and NDP.",
    status = "L2AdvertisementStatus",
    printcolumn(name = "IPAddressPools", type_ = "string", json_path = ".spec.ipAddressPools"),
    printcolumn(
        name = "IPAddressPool Selectors",
        type_ = "string",
        json_path = ".spec.ipAddressPoolSelectors"
    ),
    printcolumn(name = "Interfaces", type_ = "string", json_path = ".spec.interfaces"),
    printcolumn(
        name = "Node Selectors",
        type_ = "string",
        json_path = ".spec.nodeSelectors",
        priority = 10
    )
)]
#[serde(rename_all = "camelCase")]
pub struct L2AdvertisementSpec {
    /// Names of the pools to announce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = crate::rules::pool_names)]
    pub ip_address_pools: Vec<String>,

    /// Selectors of pools to announce, in addition to those named. If neither names nor selectors are given, all pools
    /// are announced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub ip_address_pool_selectors: Vec<LabelSelector>,

    /// Selectors of nodes that may announce. Left out, all nodes may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub node_selectors: Vec<LabelSelector>,

    /// Soft preferences among the nodes that may announce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub preferred_node_selectors: Vec<PreferredNodeSelector>,

    /// Names of the interfaces to announce from. Left out, all suitable interfaces of the node are used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,

    /// Selectors of Services to announce. Left out, all Services of the pools are announced. Services that match cannot
    /// use the annotation allow-shared-ip.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub service_selectors: Vec<LabelSelector>,
}

/// A weighted preference for nodes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct PreferredNodeSelector {
    /// How much the preference counts, from 1 to 100. The weights of all that match a node are added up.
    #[schemars(range(min = 1, max = 100))]
    pub weight: i32,
    /// The nodes that are preferred.
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub preference: LabelSelector,
}

/// The observed state of an L2Advertisement: empty, as MetalLB's.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct L2AdvertisementStatus {}
