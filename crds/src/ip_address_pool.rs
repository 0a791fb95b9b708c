//! `IPAddressPool`: which addresses may be given out, and to whom.

mod rules;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The desired state of an IPAddressPool.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "IPAddressPool",
    plural = "ipaddresspools",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "A pool of addresses that can be given to Services of type LoadBalancer.",
    status = "IPAddressPoolStatus",
    printcolumn(name = "Auto Assign", type_ = "boolean", json_path = ".spec.autoAssign"),
    printcolumn(
        name = "Avoid Buggy IPs",
        type_ = "boolean",
        json_path = ".spec.avoidBuggyIPs"
    ),
    printcolumn(name = "Addresses", type_ = "string", json_path = ".spec.addresses")
)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressPoolSpec {
    /// The addresses: each entry is a CIDR (10.1.0.0/24, fd00::/120) or a range of addresses of one family, its ends
    /// included (10.1.0.5-10.1.0.20). Addresses are given out in this order.
    #[schemars(schema_with = "rules::addresses")]
    pub addresses: Vec<String>,

    /// Whether Services that do not ask for this pool may get addresses from it.
    #[serde(default = "yes")]
    pub auto_assign: bool,

    /// Whether to leave out the IPv4 addresses that end in .0 and .255, which some devices take for broadcasts.
    #[serde(default, rename = "avoidBuggyIPs")]
    pub avoid_buggy_ips: bool,

    /// Which Services may use the pool. Left out, all may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_allocation: Option<ServiceAllocation>,
}

fn yes() -> bool {
    true
}

/// Which Services may use a pool: those that match both by namespace and by label.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAllocation {
    /// The lowest number is used first; 0, the default, comes last.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(transform = crate::schema::no_format)]
    pub priority: i64,

    /// Names of namespaces whose Services may use the pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = rules::namespaces)]
    pub namespaces: Vec<String>,

    /// Selectors of namespaces whose Services may use the pool, in addition to those named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub namespace_selectors: Vec<LabelSelector>,

    /// Selectors of Services that may use the pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub service_selectors: Vec<LabelSelector>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The observed state of an IPAddressPool.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct IPAddressPoolStatus {
    /// The number of IPv4 addresses in use.
    #[serde(rename = "assignedIPv4")]
    pub assigned_ipv4: i64,
    /// The number of IPv6 addresses in use.
    #[serde(rename = "assignedIPv6")]
    pub assigned_ipv6: i64,
    /// The number of free IPv4 addresses.
    #[serde(rename = "availableIPv4")]
    pub available_ipv4: i64,
    /// The number of free IPv6 addresses, at most 9223372036854775807.
    #[serde(rename = "availableIPv6")]
    pub available_ipv6: i64,
    /// Addresses that were given back and are not given to others yet (annotation cortenlb.io/cool-down), the newest.
    #[serde(default, rename = "coolingDown", skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = rules::cooling_down)]
    pub cooling_down: Vec<CoolingDown>,
    /// What the controller found out about the pool; cortenlb.io/Valid says whether it is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// An address that was given back a short while ago.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CoolingDown {
    /// The address.
    pub address: String,
    /// The Service that had it, as namespace/name: it may have it again at any time.
    pub service: String,
    /// When others may have it.
    #[schemars(schema_with = "crate::schema::time")]
    pub until: Time,
}

impl IPAddressPoolStatus {
    /// How many of the newest addresses that cool down are written.
    pub const COOLING_DOWN: usize = 256;
}
