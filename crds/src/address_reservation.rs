//! `AddressReservation`: an address that is kept for Services which may be deleted and created anew.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::Rule;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::rules::{ADDRESS_LENGTH, LABEL_LENGTH, NAME_LENGTH, add, bound_names, rule};

/// The desired state of an AddressReservation.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "cortenlb.io",
    version = "v1alpha1",
    kind = "AddressReservation",
    plural = "addressreservations",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Keeps an address of a pool for Services of its namespace, also while there is no such Service: those that \
           it names, and those that name it in the annotation cortenlb.io/reservation.",
    status = "AddressReservationStatus",
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Bound To", type_ = "string", json_path = ".status.boundTo"),
    printcolumn(name = "Since", type_ = "date", json_path = ".status.since")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = same_family)]
pub struct AddressReservationSpec {
    /// The IPAddressPool that has the address. Its serviceAllocation must select this namespace.
    #[schemars(transform = pool)]
    pub pool: String,

    /// The family of the address. A Service with two families needs a reservation for each address that it is to keep.
    #[serde(default)]
    pub family: AddressFamily,

    /// The address to keep. Left out: the one that a Service which may bind has already, or else the first free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = address)]
    pub address: Option<String>,

    /// The names of the Services of this namespace that get the address without asking for it. Any other Service of
    /// this namespace asks by its annotation cortenlb.io/reservation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = services)]
    pub services: Vec<String>,

    /// What becomes of the address when the last Service that has it goes.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
}

/// An address family, spelled as in a Service's ipFamilies.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum AddressFamily {
    /// 32 bits.
    #[default]
    IPv4,
    /// 128 bits.
    IPv6,
}

/// What becomes of a reserved address when the last Service that has it goes.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum ReclaimPolicy {
    /// It is kept, also when the pool is removed.
    #[default]
    Retain,
    /// It goes back to the pool. A Service that binds later gets it again if it is still free.
    Release,
}

/// The observed state of an AddressReservation.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressReservationStatus {
    /// How it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ReservationPhase>,

    /// The address that it keeps; while Pending or Released, the one that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// The Services that have the address, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_to: Option<String>,

    /// When it came to stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub since: Option<Time>,

    /// cortenlb.io/Reserved says whether it keeps an address, and if not, why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// How a reservation stands.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ReservationPhase {
    /// It has no address; its condition says why.
    Pending,
    /// Its address is kept, and no Service has it.
    Available,
    /// A Service has its address.
    Bound,
    /// Its Services are gone, and its address went back to the pool.
    Released,
}

fn pool(schema: &mut Schema) {
    schema.insert("minLength".to_owned(), 1.into());
    schema.insert("maxLength".to_owned(), NAME_LENGTH.into());
}

fn address(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), ADDRESS_LENGTH.into());
    let is_address = rule(
        "isIP(self)",
        "'invalid address \"' + self + '\": must be an IPv4 or IPv6 address'",
    );
    add(schema, [is_address]);
}

fn services(schema: &mut Schema) {
    bound_names(schema, "services", 64, LABEL_LENGTH);
}

fn same_family(schema: &mut Schema) {
    let is_v6 = "(has(self.family) && self.family == 'IPv6')";
    let same = Rule::new(format!(
        "!has(self.address) || !isIP(self.address) || (ip(self.address).family() == 6) == {is_v6}"
    ))
    .message(kube::core::Message::Expression(
        "'address ' + self.address + ' is not of family ' + (has(self.family) ? self.family : 'IPv4')"
            .to_owned(),
    ));
    add(schema, [same]);
}
