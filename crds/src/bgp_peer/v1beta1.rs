//! `BGPPeer`, version v1beta1: served and deprecated. Its fields are a subset of v1beta2's, so that the API server
//! converts between them by writing the version.

use super::rules;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The desired state of a BGPPeer.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "BGPPeer",
    plural = "bgppeers",
    namespaced,
    storage = false,
    deprecated = "v1beta1 is deprecated, please use v1beta2",
    derive = "PartialEq",
    derive = "Default",
    doc = "A BGP router to announce addresses to.",
    status = "super::BGPPeerStatus",
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.peerAddress"),
    printcolumn(name = "ASN", type_ = "string", json_path = ".spec.peerASN"),
    printcolumn(name = "BFD Profile", type_ = "string", json_path = ".spec.bfdProfile"),
    printcolumn(name = "Multi Hops", type_ = "string", json_path = ".spec.ebgpMultiHop")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::multi_hop(),
    validation = rules::hold_time(),
    validation = rules::derived_hold_time(),
    validation = rules::keepalive_time()
)]
pub struct BGPPeerSpec {
    /// The AS number of our end of the session.
    #[serde(rename = "myASN")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32), transform = crate::schema::int64, transform = rules::my_asn)]
    pub my_asn: u32,

    /// The AS number that the peer must have.
    #[serde(rename = "peerASN")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32), transform = crate::schema::int64, transform = rules::peer_asn)]
    pub peer_asn: u32,

    /// The address of the peer.
    #[schemars(transform = rules::required_address)]
    pub peer_address: String,

    /// The port of the peer; 0 is 179.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16384), transform = crate::schema::no_format)]
    pub peer_port: Option<u16>,

    /// The address from which to connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = rules::source_address)]
    pub source_address: Option<String>,

    /// The hold time to propose (RFC 4271 section 4.2), such as 90s: 0s, or at least 3s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = rules::duration)]
    pub hold_time: Option<String>,

    /// The time between keepalives (RFC 4271 section 4.4), such as 30s; at most the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = rules::duration)]
    pub keepalive_time: Option<String>,

    /// The BGP identifier to announce, an IPv4 address.
    #[serde(default, rename = "routerID", skip_serializing_if = "Option::is_none")]
    #[schemars(transform = rules::router_id)]
    pub router_id: Option<String>,

    /// Selectors of nodes that connect to the peer. Left out, all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_selectors: Vec<NodeSelector>,

    /// The password of the session (RFC 2385).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,

    /// The name of the BFDProfile for the session. Left out, BFD is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd_profile: Option<String>,

    /// Whether the peer is more than one hop away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebgp_multi_hop: Option<bool>,
}

/// A label query over nodes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector {
    /// Labels that must have exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements that must all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A requirement on one label.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct SelectorRequirement {
    /// The label.
    pub key: String,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: String,
    /// The values for In and NotIn.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
}
