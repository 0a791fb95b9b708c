//! `BGPPeer`, version v1beta2, which is the stored one.

mod rules;
pub mod v1beta1;

use k8s_openapi::api::core::v1::SecretReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The desired state of a BGPPeer.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta2",
    kind = "BGPPeer",
    plural = "bgppeers",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "A BGP router to announce addresses to.",
    status = "BGPPeerStatus",
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.peerAddress"),
    printcolumn(name = "ASN", type_ = "string", json_path = ".spec.peerASN"),
    printcolumn(name = "BFD Profile", type_ = "string", json_path = ".spec.bfdProfile"),
    printcolumn(name = "Multi Hops", type_ = "string", json_path = ".spec.ebgpMultiHop")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::asn_or_dynamic(),
    validation = rules::multi_hop(),
    validation = rules::address_or_interface(),
    validation = rules::hold_time(),
    validation = rules::derived_hold_time(),
    validation = rules::keepalive_time(),
    validation = rules::one_password()
)]
pub struct BGPPeerSpec {
    /// The AS number of our end of the session.
    #[serde(rename = "myASN")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32), transform = crate::schema::int64, transform = rules::my_asn)]
    pub my_asn: u32,

    /// The AS number that the peer must have; either this or dynamicASN.
    #[serde(default, rename = "peerASN", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32), transform = crate::schema::int64)]
    pub peer_asn: Option<u32>,

    /// Takes the AS number of the peer from the session: "internal" requires it to be ours, "external" not to be.
    #[serde(default, rename = "dynamicASN", skip_serializing_if = "Option::is_none")]
    pub dynamic_asn: Option<DynamicAsn>,

    /// An AS number to use towards this peer in place of myASN.
    #[serde(default, rename = "localASN", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32), transform = crate::schema::int64)]
    pub local_asn: Option<u32>,

    /// The address of the peer; either this or interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = rules::peer_address)]
    pub peer_address: Option<String>,

    /// The interface of the node behind which an unnumbered peer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,

    /// The port of the peer.
    #[serde(default = "bgp_port")]
    #[schemars(range(min = 1, max = 16384), transform = crate::schema::no_format)]
    pub peer_port: u16,

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

    /// How long to wait between attempts to connect, such as 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = (
            "duration(self).getSeconds() >= 1 && duration(self).getSeconds() <= 65535",
            "connect time should be between 1 seconds to 65535"
        ),
        validation = (
            "duration(self).getMilliseconds() % 1000 == 0",
            "connect time should contain a whole number of seconds"
        )
    )]
    pub connect_time: Option<String>,

    /// The BGP identifier to announce, an IPv4 address.
    #[serde(default, rename = "routerID", skip_serializing_if = "Option::is_none")]
    #[schemars(transform = rules::router_id)]
    pub router_id: Option<String>,

    /// Selectors of nodes that connect to the peer. Left out, all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub node_selectors: Vec<LabelSelector>,

    /// The password of the session (RFC 2385).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,

    /// A Secret of type kubernetes.io/basic-auth that holds the password under the key "password".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "secret_reference")]
    pub password_secret: Option<SecretReference>,

    /// The name of the BFDProfile for the session. Left out, BFD is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd_profile: Option<String>,

    /// Whether the peer keeps our routes while a speaker restarts (RFC 4724).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self == oldSelf", "EnableGracefulRestart cannot be changed after creation"))]
    pub enable_graceful_restart: Option<bool>,

    /// Whether the peer is more than one hop away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebgp_multi_hop: Option<bool>,

    /// The VRF of the interface that leads to the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vrf: Option<String>,

    /// Deprecated and without effect.
    #[serde(default, rename = "disableMP")]
    pub disable_mp: bool,

    /// Whether the session carries both families, whichever it runs over.
    #[serde(default)]
    pub dual_stack_address_family: bool,
}

fn bgp_port() -> u16 {
    179
}

fn secret_reference(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "name": { "description": "The name of the Secret.", "type": "string" },
            "namespace": { "description": "The namespace of the Secret.", "type": "string" },
        },
    })
}

/// How to take the peer's AS number from the session.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DynamicAsn {
    /// The same as ours.
    Internal,
    /// Any other than ours.
    External,
}

/// The observed state of a BGPPeer: empty, as MetalLB's.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct BGPPeerStatus {}
