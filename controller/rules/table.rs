//! The form of the tables in this folder, read by both who run them: `cargo test -p cortenlb-controller rules` on the
//! index alone, and the scenario `rules_of_assignment` on a real API server. README.md says how a row is written.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The tables, by area.
pub(super) const TABLES: [(&str, &str); 12] = [
    ("selection", include_str!("selection.yaml")),
    ("addresses", include_str!("addresses.yaml")),
    ("pool", include_str!("pool.yaml")),
    ("allocation", include_str!("allocation.yaml")),
    ("families", include_str!("families.yaml")),
    ("sharing", include_str!("sharing.yaml")),
    ("class", include_str!("class.yaml")),
    ("service-changes", include_str!("service-changes.yaml")),
    ("pool-changes", include_str!("pool-changes.yaml")),
    ("adoption", include_str!("adoption.yaml")),
    ("reservations", include_str!("reservations.yaml")),
    ("cool-down", include_str!("cool-down.yaml")),
];

/// The namespace of objects that name none.
pub(super) const NAMESPACE: &str = "ns";

/// The namespace of pools.
pub(super) const SYSTEM: &str = "metallb-system";

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Row {
    /// One sentence.
    rule: String,
    /// Where it comes from.
    source: String,
    /// What MetalLB does instead, if that is something else.
    differs: Option<String>,
    /// Why it cannot be shown on a real API server, if it cannot.
    pub(super) pure: Option<String>,
    /// How the controller runs.
    #[serde(default)]
    pub(super) settings: Settings,
    /// What a controller finds when it starts.
    #[serde(default)]
    pub(super) found: Objects,
    /// What is created while it runs, before the first look.
    #[serde(default)]
    given: Objects,
    #[serde(default)]
    expect: BTreeMap<String, String>,
    #[serde(default)]
    events: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    steps: Vec<Step>,
}

/// Flags of the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    /// `--reassign-on-pool-change`.
    pub(super) reassign_on_pool_change: bool,
    /// `--lb-class`.
    pub(super) lb_class: Option<String>,
}

/// What happens, in this order, and what is so afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    /// Somebody else writes this into the status of Services and pools; see [`mk_status`].
    pub(super) status: BTreeMap<String, String>,
    /// `service/web`, `pool/p`, `reservation/r`: deleted.
    pub(super) delete: Vec<String>,
    /// Created, or changed to what is written here.
    pub(super) apply: Objects,
    /// Another controller takes over.
    pub(super) restart: bool,
    /// This many seconds pass.
    pub(super) wait: Option<u64>,
    /// Nothing is written on these Services meanwhile.
    pub(super) unwritten: Vec<String>,
    /// How each of these objects stands; see [`service`], [`pool`] and [`reservation`].
    pub(super) expect: BTreeMap<String, String>,
    /// The Events about a Service in this step, in their order: a reason, or `reason: part of the text`.
    pub(super) events: BTreeMap<String, Vec<String>>,
}

/// Objects by kind and name, in their short form.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Objects {
    /// Labels.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pools: BTreeMap<String, Value>,
    reservations: BTreeMap<String, Value>,
    services: BTreeMap<String, Value>,
}

/// The kinds of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pool,
    Reservation,
    Service,
}

/// An object by kind and short name.
pub(super) type Id = (Kind, String);

/// The rows of a table.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, String> {
    let rows: Vec<Row> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    for row in &rows {
        if row.pure.is_none() && row.steps.iter().any(|step| step.wait.is_some()) {
            return Err(format!(
                "{}: nobody can wait for a real API server's clock: say so with `pure`",
                row.rule
            ));
        }
    }
    Ok(rows)
}

impl Row {
    /// What is to be read above a failure.
    pub(super) fn title(&self) -> String {
        let differs = self.differs.as_ref().map(|differs| format!(" ({differs})"));
        format!("{} [{}]{}", self.rule, self.source, differs.unwrap_or_default())
    }

    /// Its steps; the first creates what is given.
    pub(super) fn steps(self) -> impl Iterator<Item = Step> {
        let first = Step {
            apply: self.given,
            expect: self.expect,
            events: self.events,
            ..Step::default()
        };
        std::iter::once(first).chain(self.steps)
    }
}

impl Objects {
    /// The objects as a user would write them in full, in the order in which they are created.
    pub(super) fn expand(&self) -> Vec<(Id, Value)> {
        let pools = self
            .pools
            .iter()
            .map(|(name, short)| ((Kind::Pool, name.clone()), mk_pool(name, short)));
        let reservations = self
            .reservations
            .iter()
            .map(|(id, short)| ((Kind::Reservation, id.clone()), mk_reservation(id, short)));
        let services = self
            .services
            .iter()
            .map(|(id, short)| ((Kind::Service, id.clone()), mk_service(id, short)));
        pools.chain(reservations).chain(services).collect()
    }
}

/// Reads `pool/p`, `reservation/r` and `service/s`; without a kind it is a Service.
pub(super) fn id(text: &str) -> Id {
    match text.split_once('/') {
        Some(("pool", name)) => (Kind::Pool, name.to_owned()),
        Some(("reservation", name)) => (Kind::Reservation, name.to_owned()),
        Some(("service", name)) => (Kind::Service, name.to_owned()),
        _ => (Kind::Service, text.to_owned()),
    }
}

/// Namespace and name of `web` or `shop/web`.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or((NAMESPACE, name))
}

/// How an object stands, in the words of the tables.
pub(super) fn shown(kind: Kind, object: &Value) -> String {
    match kind {
        Kind::Service => service(object),
        Kind::Pool => pool(object),
        Kind::Reservation => reservation(object),
    }
}

/// The entries of the status, pool, and the reason of `cortenlb.io/AddressAssigned` unless it is `Assigned`:
/// `10.0.0.1 (p)`, `10.0.0.1 (p) PoolGone`, `- NoAddressAvailable`. A lone `-`: nobody cares for the Service.
fn service(object: &Value) -> String {
    let addresses: Vec<String> = items(&object["status"]["loadBalancer"]["ingress"])
        .map(shown_entry)
        .collect();
    let pool = object["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"].as_str();
    let reason = reason(object, "cortenlb.io/AddressAssigned");
    let reason = Some(reason).filter(|reason| !reason.is_empty() && *reason != "Assigned");
    let held = match (addresses.as_slice(), pool) {
        ([], None) => "-".to_owned(),
        (addresses, pool) => format!("{} ({})", addresses.join(" "), pool.unwrap_or("-")),
    };
    [Some(held.as_str()), reason]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The address, or the host name of an entry without one; after an address what it has besides, see [`mk_entry`].
fn shown_entry(entry: &Value) -> String {
    let mode = entry["ipMode"].as_str().filter(|mode| *mode != "VIP");
    let ports = items(&entry["ports"]).map(|port| port["port"].to_string());
    [entry["ip"].as_str(), mode, entry["hostname"].as_str()]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .chain(ports)
        .collect::<Vec<_>>()
        .join("+")
}

/// The reason of `cortenlb.io/Valid`, and how many addresses are in use and free: `Valid 1 used 255 free`, with the same
/// for IPv6 where there is any.
fn pool(object: &Value) -> String {
    let count = |used: &str, free: &str| -> String {
        let number = |field: &str| object["status"][field].as_i64().unwrap_or_default();
        format!("{} used {} free", number(used), number(free))
    };
    let (v4, v6) = (
        count("assignedIPv4", "availableIPv4"),
        count("assignedIPv6", "availableIPv6"),
    );
    let counts = [v4, v6].into_iter().filter(|count| count != "0 used 0 free");
    let reason = reason(object, "cortenlb.io/Valid").to_owned();
    std::iter::once(reason)
        .chain(counts)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Phase, reason while Pending, address, and who has it: `Bound 10.0.0.1 web`, `Pending AddressInUse`.
fn reservation(object: &Value) -> String {
    let status = &object["status"];
    let phase = status["phase"].as_str().unwrap_or("-");
    let why = Some(reason(object, "cortenlb.io/Reserved")).filter(|_| phase == "Pending");
    let address = status["address"].as_str();
    [Some(phase), why, address, status["boundTo"].as_str()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether an object that stands so is what a row expects. Of a pool the reason alone may be given.
pub(super) fn is_as_expected(kind: Kind, shown: &str, expected: &str) -> bool {
    shown == expected || (kind == Kind::Pool && shown.split(' ').next() == Some(expected))
}

/// How the texts of MetalLB's Events begin (v0.16.2, `controller/service.go`), by reason.
const BEGINNINGS: [(&str, &[&str]); 8] = [
    ("IPAllocated", &["Assigned IP [\"", "Assigned additional IP \""]),
    ("ClearAssignment", &["current IP for \""]),
    ("AllocationFailed", &["Failed to allocate IP for \""]),
    (
        "AdditionalAssignFailed",
        &["cannot assign additional IP in PreferDualStack: "],
    ),
    ("LoadBalancerFailed", &["invalid requested loadbalancer IPs: "]),
    (
        "not enough clusterips",
        &["Service requires dual stack but not enough clusterips ["],
    ),
    (
        "noclusterIPsIPFamily",
        &["Failed to retrieve ClusterIPs IPFamily for ["],
    ),
    ("deprecatedAnnotation", &["Service uses deprecated annotation "]),
];

/// Whether an Event is the one that a row expects, and begins as MetalLB's where that has such a one.
pub(super) fn is_expected_event(reason: &str, message: &str, expected: &str) -> bool {
    let (wanted, text) = expected.split_once(": ").unwrap_or((expected, ""));
    let begins = BEGINNINGS
        .iter()
        .filter(|(of, _)| *of == reason)
        .all(|(_, known)| known.iter().any(|beginning| message.starts_with(beginning)));
    reason == wanted && begins && message.contains(text)
}

fn reason<'a>(object: &'a Value, condition: &str) -> &'a str {
    let mut conditions = items(&object["status"]["conditions"]);
    let found = conditions.find(|one| one["type"] == condition);
    found
        .and_then(|found| found["reason"].as_str())
        .unwrap_or_default()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn mk_pool(name: &str, short: &Value) -> Value {
    let fields = match short {
        Value::String(_) => Map::from_iter([("addresses".to_owned(), json!([short]))]),
        Value::Array(_) => Map::from_iter([("addresses".to_owned(), short.clone())]),
        other => other.as_object().cloned().unwrap_or_default(),
    };
    let (annotations, spec) = apart(fields);
    json!({
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": name, "namespace": SYSTEM, "annotations": annotations },
        "spec": spec,
    })
}

fn mk_reservation(id: &str, short: &Value) -> Value {
    let (namespace, name) = split(id);
    let (annotations, spec) = apart(short.as_object().cloned().unwrap_or_default());
    json!({
        "apiVersion": "cortenlb.io/v1alpha1",
        "kind": "AddressReservation",
        "metadata": { "name": name, "namespace": namespace, "annotations": annotations },
        "spec": spec,
    })
}

fn mk_service(id: &str, short: &Value) -> Value {
    let (namespace, name) = split(id);
    let (annotations, mut spec) = apart(short.as_object().cloned().unwrap_or_default());
    let labels = spec.remove("labels").unwrap_or_else(|| json!({}));
    let holds = spec.remove("holds");
    let ports = spec.remove("ports").unwrap_or_else(|| json!([80]));
    let ports: Vec<Value> = items(&ports).map(mk_port).collect();
    spec.insert("ports".to_owned(), ports.into());
    spec.entry("type").or_insert_with(|| "LoadBalancer".into());
    spec.entry("selector").or_insert_with(|| json!({ "app": name }));
    let mut service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name, "namespace": namespace, "annotations": annotations, "labels": labels },
        "spec": spec,
    });
    if let Some(addresses) = holds.as_ref().and_then(Value::as_str) {
        service["status"] = mk_status(Kind::Service, addresses);
    }
    service
}

/// A Service's status with these entries, which are separated by blanks; a pool's with this many IPv4 addresses in use.
pub(super) fn mk_status(kind: Kind, text: &str) -> Value {
    if kind == Kind::Pool {
        return json!({ "assignedIPv4": text.parse::<u32>().unwrap_or_default() });
    }
    let entries: Vec<Value> = text.split_whitespace().map(mk_entry).collect();
    json!({ "loadBalancer": { "ingress": entries } })
}

/// `10.0.0.1`, `lb.example.com`, or an address with more: `10.0.0.1+Proxy`, `10.0.0.1+lb.example.com`, `10.0.0.1+80`.
fn mk_entry(short: &str) -> Value {
    let mut entry = json!({});
    for part in short.split('+') {
        if part.parse::<IpAddr>().is_ok() {
            entry["ip"] = part.into();
        } else if part == "Proxy" {
            entry["ipMode"] = part.into();
        } else if let Ok(port) = part.parse::<u16>() {
            entry["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
        } else {
            entry["hostname"] = part.into();
        }
    }
    entry
}

/// `80`, or `53/UDP`.
fn mk_port(short: &Value) -> Value {
    let text = short.as_str().map_or_else(|| short.to_string(), str::to_owned);
    let (number, protocol) = text.split_once('/').unwrap_or((&text, "TCP"));
    json!({
        "name": format!("{}-{number}", protocol.to_lowercase()),
        "protocol": protocol,
        "port": number.parse::<u16>().unwrap_or_default(),
    })
}

/// Annotations have a slash in their names, fields of `spec` have none.
fn apart(fields: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    fields.into_iter().partition(|(key, _)| key.contains('/'))
}
