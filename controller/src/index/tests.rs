//! The index against a few objects in memory, which take its patches as the API server does: resourceVersions, 409,
//! `ipMode` by default. Every test asserts on all that was written and said, so that nothing else was.

mod adoption;
mod advertisements;
mod again;
mod assignment;
#[path = "../../tests/simulation/objects/builders.rs"]
mod builders;
mod conditions;
mod conflicts;
mod cool_down;
mod fence;
mod leadership;
mod leaving;
mod parity;
mod peers;
mod pool_status;
mod reservations;
mod rest;
mod rivals;
mod rules;
mod sequences;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_crds::IPAddressPool;
use cortenlb_kit::events::Note;
use cortenlb_kit::fake::merge;
use cortenlb_kit::lease::Predecessor;
use cortenlb_kit::write::{Op, Outcome, Refusal, Write};
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use builders::asking_for;

/// What the API server says to a write.
type Answer = Result<Option<Box<DynamicObject>>, Refusal>;

/// The objects, the index, and the time.
struct Cluster {
    index: Index,
    services: BTreeMap<String, Value>,
    pools: BTreeMap<String, Value>,
    reservations: BTreeMap<String, Value>,
    state: Value,
    namespaces: BTreeMap<String, Value>,
    settings: Settings,
    /// The last term.
    term: i32,
    version: u64,
    now: Now,
    /// Writes that were taken out of the index and not answered yet.
    pending: VecDeque<Write<Key>>,
    /// The list that was asked for and not answered yet.
    question: Option<u64>,
    /// What happened since the last look.
    log: Vec<String>,
    /// The Events among it, with the object's name.
    notes: Vec<(String, Note)>,
}

impl Cluster {
    /// Leads, with everything listed.
    fn with(pools: &[Value], services: &[Value]) -> Self {
        let mut cluster = Self::following(pools, services);
        cluster.input(Input::Lead(Some(LEAD)));
        cluster.settle();
        cluster
    }

    /// The same without the Lease.
    fn following(pools: &[Value], services: &[Value]) -> Self {
        let mut cluster = Self::empty(mk_settings());
        for pool in pools {
            cluster.put_pool(pool.clone());
        }
        for service in services {
            cluster.put_service(service.clone());
        }
        cluster.list();
        cluster
    }

    /// Without any object but namespace `ns`, and nothing listed.
    fn empty(settings: Settings) -> Self {
        Self {
            index: Index::new(settings.clone()),
            services: BTreeMap::new(),
            pools: BTreeMap::new(),
            reservations: BTreeMap::new(),
            state: Value::Null,
            namespaces: BTreeMap::from([("ns".to_owned(), json!({ "metadata": { "name": "ns" } }))]),
            settings,
            term: LEAD.epoch,
            version: 0,
            now: Now {
                boot: Instant(0),
                wall: Timestamp::UNIX_EPOCH,
            },
            pending: VecDeque::new(),
            question: None,
            log: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Tells everything, as the first lists do.
    fn list(&mut self) {
        let services = self.services.values().map(|service| self.view(service)).collect();
        self.input(Input::Pools(Change::Reset(typed(&self.pools))));
        self.input(Input::Services(Change::Reset(services)));
        self.input(Input::Namespaces(Change::Reset(typed(&self.namespaces))));
        self.input(Input::Reservations(Change::Reset(typed(&self.reservations))));
        self.input(Input::Rivals(Change::Reset(Vec::new()).into()));
        let state = Some(&self.state).filter(|state| !state.is_null());
        let states = state.map(|state| serde_json::from_value(state.clone()).unwrap());
        self.input(Input::States(Change::Reset(states.into_iter().collect())));
    }

    /// Starts a new controller over the same objects.
    fn restart(&mut self) {
        self.index = Index::new(self.settings.clone());
        self.pending.clear();
        self.list();
        self.input(Input::Lead(Some(LEAD)));
        self.settle();
    }

    fn input(&mut self, input: Input) {
        if let Input::Lead(Some(lead)) = &input {
            self.term = lead.epoch;
        }
        self.index.handle_input(self.now, input);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(effect) = self.index.poll_output() {
            match effect {
                Effect::Write(write) => self.pending.push_back(write),
                Effect::List(question) => self.question = Some(question),
                Effect::Note(note) => {
                    self.log.push(format!("{} {}", note.reason, note.message));
                    self.notes
                        .push((id_of(&json!({ "metadata": note.involved })), note));
                }
                Effect::Usage { .. } | Effect::Config { .. } => {}
                Effect::Failed => self.log.push("failed".to_owned()),
            }
        }
    }

    /// A write of this term is answered.
    fn answered(&mut self, write: Write<Key>, result: Answer) {
        self.answered_in(self.term, write, result);
    }

    fn answered_in(&mut self, term: i32, write: Write<Key>, result: Answer) {
        self.input(Input::Written(Box::new(Outcome { write, term, result })));
    }

    /// Answers all writes, and lets the watch follow.
    fn settle(&mut self) {
        loop {
            if let Some(write) = self.pending.pop_front() {
                self.answer(write);
            } else if self.question.is_some() {
                self.answer_question();
            } else {
                return;
            }
        }
    }

    /// Lists the Services as they are.
    fn answer_question(&mut self) {
        let balanced = |service: &&Value| service["spec"]["type"] == "LoadBalancer";
        let versions = self.services.values().filter(balanced).map(|service| {
            let version = service["metadata"]["resourceVersion"].as_str();
            version.unwrap().parse().unwrap()
        });
        let newest = Some(versions.max().unwrap_or_default());
        let question = self.question.take().unwrap();
        self.input(Input::Newest { question, newest });
    }

    /// Does one write, as the API server would.
    fn answer(&mut self, write: Write<Key>) {
        let Op::Patch {
            subresource: Some("status"),
            body,
        } = &write.op
        else {
            return self.answer_apply(write);
        };
        let (objects, name) = match &write.key {
            Key::Service(key) | Key::Stamp(key) => (&mut self.services, id(key.namespace(), key.name())),
            Key::Pool(name) => (&mut self.pools, name.clone()),
            Key::Reservation(key) => (&mut self.reservations, id(key.namespace(), key.name())),
            Key::State => panic!("a ConfigurationState is applied"),
        };
        let target = write.target.clone();
        let result = match objects.get_mut(&name) {
            None => Err(Refusal::NotFound { target }),
            Some(object) => {
                let body = body.read();
                let wanted = &body["metadata"]["resourceVersion"];
                if !wanted.is_null() && *wanted != object["metadata"]["resourceVersion"] {
                    self.log.push(format!("conflict {name}"));
                    Err(Refusal::Conflict { target })
                } else {
                    merge(object, &body);
                    self.version += 1;
                    object["metadata"]["resourceVersion"] = self.version.to_string().into();
                    for entry in object["status"]["loadBalancer"]["ingress"]
                        .as_array_mut()
                        .into_iter()
                        .flatten()
                    {
                        if entry["ipMode"].is_null() {
                            entry["ipMode"] = "VIP".into();
                        }
                    }
                    match write.key {
                        Key::Service(_) => self.log.push(format!("patch {name}")),
                        Key::Stamp(_) => self.log.push(format!("stamp {name}")),
                        Key::Pool(_) | Key::Reservation(_) | Key::State => {}
                    }
                    Ok(Some(Box::new(serde_json::from_value(object.clone()).unwrap())))
                }
            }
        };
        let landed = result.is_ok();
        self.answered(write, result);
        if landed {
            self.tell(&name);
        }
    }

    /// Applies the ConfigurationState.
    fn answer_apply(&mut self, write: Write<Key>) {
        let Op::Apply { body, .. } = &write.op else {
            panic!("{write:?}")
        };
        merge(&mut self.state, &body.read());
        let object = serde_json::from_value(self.state.clone()).unwrap();
        let result = Ok(Some(Box::new(object)));
        self.answered(write, result);
    }

    /// The watch tells a Service as it is.
    fn tell(&mut self, name: &str) {
        if let Some(service) = self.services.get(name) {
            let view = self.view(service);
            self.input(Input::Services(Change::Apply(view)));
        }
    }

    /// Creates or replaces without telling anybody.
    fn put_service(&mut self, mut service: Value) {
        self.version += 1;
        service["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.services.insert(id_of(&service), service);
    }

    fn put_pool(&mut self, mut pool: Value) {
        self.version += 1;
        pool["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.pools.insert(id_of(&pool), pool);
    }

    /// Creates or replaces, and settles.
    fn apply(&mut self, service: Value) {
        let name = id_of(&service);
        self.put_service(service);
        self.tell(&name);
        self.settle();
    }

    /// Changes a Service as a user does, and settles.
    fn edit(&mut self, name: &str, patch: Value) {
        let mut service = self.services[name].clone();
        merge(&mut service, &patch);
        self.apply(service);
    }

    fn delete(&mut self, name: &str) {
        let gone = self.services.remove(name).unwrap();
        let view = self.view(&gone);
        self.input(Input::Services(Change::Delete(view)));
        self.settle();
    }

    fn apply_pool(&mut self, pool: Value) {
        let name = id_of(&pool);
        self.put_pool(pool);
        let pool: IPAddressPool = serde_json::from_value(self.pools[&name].clone()).unwrap();
        self.input(Input::Pools(Change::Apply(pool)));
        self.settle();
    }

    fn delete_pool(&mut self, name: &str) {
        let pool = serde_json::from_value(self.pools.remove(name).unwrap()).unwrap();
        self.input(Input::Pools(Change::Delete(pool)));
        self.settle();
    }

    fn view(&self, service: &Value) -> View {
        let service = serde_json::from_value(service.clone()).unwrap();
        View::of(&service, self.settings.class.as_deref())
    }

    fn pass(&mut self, time: Duration) {
        self.now.boot = self.now.boot + time;
        self.index.handle_timeout(self.now);
        self.collect();
        self.settle();
    }

    fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The addresses in a Service's status, and the pool in its annotation.
    fn shown(&self, name: &str) -> String {
        let service = &self.services[name];
        let entries = service["status"]["loadBalancer"]["ingress"]
            .as_array()
            .into_iter()
            .flatten();
        let addresses: Vec<&str> = entries.filter_map(|entry| entry["ip"].as_str()).collect();
        let pool = service["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"].as_str();
        format!("{} ({})", addresses.join(" "), pool.unwrap_or("-"))
    }

    /// A condition of a Service: `True Assigned …`.
    fn condition(&self, name: &str, type_: &str) -> String {
        let conditions = self.services[name]["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten();
        let found = conditions
            .into_iter()
            .find(|condition| condition["type"] == type_);
        found.map_or_else(String::new, |condition| {
            let text = |field: &str| condition[field].as_str().unwrap().to_owned();
            format!("{} {}: {}", text("status"), text("reason"), text("message"))
        })
    }

    fn assigned(&self, name: &str) -> String {
        self.condition(name, "cortenlb.io/AddressAssigned")
    }
}

/// A term before which nobody led.
const LEAD: Lead = Lead {
    epoch: 1,
    predecessor: Predecessor::Fresh,
};

fn mk_settings() -> Settings {
    Settings {
        namespace: "metallb-system".to_owned(),
        ..Settings::default()
    }
}

fn mk_view(service: &Value) -> View {
    View::of(&serde_json::from_value(service.clone()).unwrap(), None)
}

/// How an object is called here: by its name alone in namespace `ns`, and if it is a pool.
fn id(namespace: &str, name: &str) -> String {
    match namespace {
        "" | "ns" | "metallb-system" => name.to_owned(),
        _ => format!("{namespace}/{name}"),
    }
}

fn id_of(object: &Value) -> String {
    let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    id(field("namespace"), field("name"))
}

fn typed<K: serde::de::DeserializeOwned>(objects: &BTreeMap<String, Value>) -> Vec<K> {
    let objects = objects.values();
    objects
        .map(|object| serde_json::from_value(object.clone()).unwrap())
        .collect()
}

/// A Service of type LoadBalancer; `age` orders by creation, higher is older.
fn mk_service(name: &str, age: u32) -> Value {
    let mut service = builders::mk_service(59 - age);
    let metadata = json!({ "name": name, "namespace": "ns", "uid": format!("uid-{name}") });
    merge(&mut service, &json!({ "metadata": metadata }));
    service
}

/// A Service whose status shows an address, with the annotation if `pool` is not empty.
fn mk_holder(name: &str, age: u32, address: &str, pool: &str) -> Value {
    let mut service = mk_service(name, age);
    service["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": address, "ipMode": "VIP" }] } });
    if !pool.is_empty() {
        service["metadata"]["annotations"] = json!({ "metallb.io/ip-allocated-from-pool": pool });
    }
    service
}

fn mk_pool(name: &str, addresses: &[&str]) -> Value {
    let mut pool = builders::mk_pool(addresses);
    pool["metadata"] = json!({ "name": name, "namespace": "metallb-system" });
    pool
}
