//! `Community`: names for BGP communities.

use kube::core::Rule;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::rules::{COMMUNITY_SYNTAX, IS_COMMUNITY, NAME_LENGTH, add, rule};

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
    #[schemars(transform = aliases)]
    pub communities: Vec<CommunityAlias>,
}

/// A name for a community.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[x_kube(validation = (
    "has(self.value)",
    "invalid community format: an alias needs a value such as 65000:100 or large:65000:1:2"
))]
pub struct CommunityAlias {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = NAME_LENGTH))]
    pub name: String,
    /// The community: 1234:1234 (RFC 1997) or large:1234:1234:1234 (RFC 8092).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64), transform = community)]
    pub value: String,
}

/// The message names no alias: the API server cannot bound the cost of taking one out of a list of objects.
fn aliases(schema: &mut Schema) {
    schema.insert("maxItems".to_owned(), 256.into());
    let once = "self.all(a, self.exists_one(b, (has(a.name) ? a.name : '') == (has(b.name) ? b.name : '')))";
    add(
        schema,
        [Rule::new(once).message("duplicate definition of community: two aliases have the same name")],
    );
}

fn community(schema: &mut Schema) {
    let message = format!("'invalid community value \"' + self + '\": {COMMUNITY_SYNTAX}'");
    add(schema, [rule(IS_COMMUNITY, message)]);
}

/// The observed state of a Community: empty, as MetalLB's.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct CommunityStatus {}
