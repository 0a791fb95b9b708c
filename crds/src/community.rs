//! `Community`: names for BGP communities.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The desired state of a Community.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "Community",
    plural = "communities",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Names for BGP communities, to be used in BGPAdvertisements.",
    status = "CommunityStatus"
)]
pub struct CommunitySpec {
    /// The names and what they stand for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<CommunityAlias>,
}

/// A name for a community.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct CommunityAlias {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The community: 1234:1234 (RFC 1997) or large:1234:1234:1234 (RFC 8092).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// The observed state of a Community: empty, as MetalLB's.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct CommunityStatus {}
