//! `BFDProfile`: the timers of BFD sessions (RFC 5880) beside BGP sessions.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The desired state of a BFDProfile.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "BFDProfile",
    plural = "bfdprofiles",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Settings of the BFD session that watches over a BGP session.",
    status = "BFDProfileStatus",
    printcolumn(name = "Passive Mode", type_ = "boolean", json_path = ".spec.passiveMode"),
    printcolumn(
        name = "Transmit Interval",
        type_ = "integer",
        json_path = ".spec.transmitInterval"
    ),
    printcolumn(
        name = "Receive Interval",
        type_ = "integer",
        json_path = ".spec.receiveInterval"
    ),
    printcolumn(name = "Multiplier", type_ = "integer", json_path = ".spec.detectMultiplier")
)]
#[serde(rename_all = "camelCase")]
pub struct BFDProfileSpec {
    /// The shortest time between control packets that we can receive, in milliseconds; 300 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60000), transform = crate::schema::int32)]
    pub receive_interval: Option<u32>,

    /// The shortest time between control packets that we send, in milliseconds; 300 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60000), transform = crate::schema::int32)]
    pub transmit_interval: Option<u32>,

    /// How many packets may be missing before the peer counts as lost; 3 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 255), transform = crate::schema::int32)]
    pub detect_multiplier: Option<u32>,

    /// The shortest time between echo packets that we can receive, in milliseconds; 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 60000), transform = crate::schema::int32)]
    pub echo_interval: Option<u32>,

    /// Whether to use the echo function; off by default, and not for peers several hops away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_mode: Option<bool>,

    /// Whether to wait for the peer to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passive_mode: Option<bool>,

    /// The least TTL of control packets from peers several hops away (RFC 5883).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 254), transform = crate::schema::int32)]
    pub minimum_ttl: Option<u32>,
}

/// The observed state of a BFDProfile: empty, as MetalLB's.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct BFDProfileStatus {}
