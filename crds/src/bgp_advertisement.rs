//! `BGPAdvertisement`: which pools are announced to which BGP peers, and how.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::rules::{COMMUNITY_SYNTAX, IS_COMMUNITY, NAME_LENGTH, add, bound_names, rule};

/// The desired state of a BGPAdvertisement.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "metallb.io",
    version = "v1beta1",
    kind = "BGPAdvertisement",
    plural = "bgpadvertisements",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Announces the addresses of pools to BGP peers.",
    status = "BGPAdvertisementStatus",
    printcolumn(name = "IPAddressPools", type_ = "string", json_path = ".spec.ipAddressPools"),
    printcolumn(
        name = "IPAddressPool Selectors",
        type_ = "string",
        json_path = ".spec.ipAddressPoolSelectors"
    ),
    printcolumn(name = "Peers", type_ = "string", json_path = ".spec.peers"),
    printcolumn(
        name = "Node Selectors",
        type_ = "string",
        json_path = ".spec.nodeSelectors",
        priority = 10
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.serviceSelectors) || self.serviceSelectors.size() == 0 || \
     ((!has(self.aggregationLength) || self.aggregationLength == 32) && \
     (!has(self.aggregationLengthV6) || self.aggregationLengthV6 == 128))",
    "serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default \
     aggregationLength (32) and aggregationLengthV6 (128)"
))]
pub struct BGPAdvertisementSpec {
    /// Announce IPv4 addresses as prefixes of this length, up to 32.
    #[serde(default = "ipv4_host")]
    #[schemars(range(min = 1, max = 32))]
    pub aggregation_length: i32,

    /// Announce IPv6 addresses as prefixes of this length, up to 128.
    #[serde(default = "ipv6_host", rename = "aggregationLengthV6")]
    #[schemars(range(max = 128))]
    pub aggregation_length_v6: i32,

    /// LOCAL_PREF (RFC 4271 section 5.1.5): peers of the same AS prefer the path with the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = crate::schema::int32, transform = crate::schema::no_minimum)]
    pub local_pref: Option<u32>,

    /// How often to prepend our own AS number to the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10), transform = crate::schema::no_format)]
    pub as_path_prepend: Option<u32>,

    /// Communities to attach: 1234:1234, large:1234:1234:1234, or the name of an alias from a Community.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = communities)]
    pub communities: Vec<String>,

    /// Names of the pools to announce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = crate::rules::pool_names)]
    pub ip_address_pools: Vec<String>,

    /// Selectors of pools to announce, in addition to those named. If neither names nor selectors are given, all pools
    /// are announced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub ip_address_pool_selectors: Vec<LabelSelector>,

    /// Selectors of nodes that announce. Left out, all nodes do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub node_selectors: Vec<LabelSelector>,

    /// Names of the BGPPeers to announce to. Left out, all peers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = peers)]
    pub peers: Vec<String>,

    /// Selectors of Services to announce. Left out, all Services of the pools are announced. Cannot be combined with
    /// aggregation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::label_selectors")]
    pub service_selectors: Vec<LabelSelector>,
}

impl Default for BGPAdvertisementSpec {
    fn default() -> Self {
        Self {
            aggregation_length: ipv4_host(),
            aggregation_length_v6: ipv6_host(),
            local_pref: None,
            as_path_prepend: None,
            communities: Vec::new(),
            ip_address_pools: Vec::new(),
            ip_address_pool_selectors: Vec::new(),
            node_selectors: Vec::new(),
            peers: Vec::new(),
            service_selectors: Vec::new(),
        }
    }
}

/// Names of aliases are judged when they are looked up; what has a colon must be a community.
fn communities(schema: &mut Schema) {
    bound_names(schema, "community", 256, NAME_LENGTH);
    let mut entry =
        Schema::try_from(schema.ensure_object()["items"].take()).expect("a list of strings has items");
    add(
        &mut entry,
        [rule(
            format!("!self.contains(':') || {IS_COMMUNITY}"),
            format!("'invalid community \"' + self + '\" in BGP advertisement: {COMMUNITY_SYNTAX}'"),
        )],
    );
    schema.insert("items".to_owned(), entry.to_value());
}

fn peers(schema: &mut Schema) {
    bound_names(schema, "peers", 256, NAME_LENGTH);
}

fn ipv4_host() -> i32 {
    32
}

fn ipv6_host() -> i32 {
    128
}

/// The observed state of a BGPAdvertisement: empty, as MetalLB's.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct BGPAdvertisementStatus {}
