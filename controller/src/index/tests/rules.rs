//! The tables in `controller/rules`, row by row on the index alone. The scenario `rules_of_assignment` runs the same
//! rows on a real API server.

use super::*;
use table::{Id, Kind, Row, Step};

#[path = "../../../rules/table.rs"]
mod table;

#[test]
fn every_rule_of_the_tables_holds() {
    let mut failed = Vec::new();
    let mut count = 0;
    for (area, text) in table::TABLES {
        let rows = table::rows(text).unwrap_or_else(|error| panic!("controller/rules/{area}.yaml: {error}"));
        for row in rows {
            count += 1;
            let title = row.title();
            let wrong = run(row);
            if !wrong.is_empty() {
                failed.push(format!("{area}: {title}\n    {}", wrong.join("\n    ")));
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {count} rules:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Runs one row; returns what is not as it says.
fn run(row: Row) -> Vec<String> {
    let mut world = World::new(&row);
    let mut wrong = Vec::new();
    for (place, step) in row.steps().enumerate() {
        let before: Vec<String> = step.unwritten.iter().map(|name| world.version(name)).collect();
        world.take(&step);
        for (name, before) in step.unwritten.iter().zip(before) {
            if world.version(name) != before {
                wrong.push(format!("step {place}: {name} was written"));
            }
        }
        wrong.extend(
            world
                .judge(&step)
                .into_iter()
                .map(|one| format!("step {place}: {one}")),
        );
    }
    wrong
}

/// The objects of one row, and what their users wrote.
struct World {
    cluster: Cluster,
    written: BTreeMap<Id, Value>,
}

impl World {
    fn new(row: &Row) -> Self {
        let mut settings = mk_settings();
        settings.class.clone_from(&row.settings.lb_class);
        settings.rules.reassign_on_pool_change = row.settings.reassign_on_pool_change;
        let mut world = Self {
            cluster: Cluster::empty(settings),
            written: BTreeMap::new(),
        };
        for (name, labels) in &row.found.namespaces {
            world.put_namespace(name, labels);
        }
        for (id, form) in row.found.expand() {
            let object = world.written(&id, form);
            match id.0 {
                Kind::Pool => world.cluster.put_pool(object),
                Kind::Reservation => world.put_reservation(object),
                Kind::Service => world.cluster.put_service(object),
            }
        }
        world.cluster.list();
        world.cluster.input(Input::Lead(Some(LEAD)));
        world.cluster.settle();
        world
    }

    fn version(&self, service: &str) -> String {
        self.cluster.services[service]["metadata"]["resourceVersion"].to_string()
    }

    fn take(&mut self, step: &Step) {
        self.cluster.notes.clear();
        for (name, text) in &step.status {
            let (kind, name) = table::id(name);
            let status = json!({ "status": table::mk_status(kind, text) });
            match kind {
                Kind::Pool => {
                    let mut pool = self.cluster.pools[&name].clone();
                    merge(&mut pool, &status);
                    self.cluster.apply_pool(pool);
                }
                Kind::Service | Kind::Reservation => self.cluster.edit(&name, status),
            }
        }
        for text in &step.delete {
            self.delete(table::id(text));
        }
        for (name, labels) in &step.apply.namespaces {
            let namespace = self.put_namespace(name, labels);
            self.cluster.input(Input::Namespaces(Change::Apply(namespace)));
            self.cluster.settle();
        }
        for (id, form) in step.apply.expand() {
            self.apply(&id, form);
        }
        if step.restart {
            self.cluster.restart();
        }
        // A pool's status is written once a second.
        let time = Duration::from_secs(step.wait.unwrap_or(1));
        self.cluster.now.wall += time;
        self.cluster.pass(time);
    }

    fn judge(&self, step: &Step) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, expected) in &step.expect {
            let id = table::id(name);
            let object = match id.0 {
                Kind::Pool => self.cluster.pools.get(&id.1),
                Kind::Reservation => self.cluster.reservations.get(&id.1),
                Kind::Service => self.cluster.services.get(&id.1),
            };
            let shown = object.map_or_else(
                || "no such object".to_owned(),
                |object| table::shown(id.0, object),
            );
            if !table::is_as_expected(id.0, &shown, expected) {
                wrong.push(format!("{name} is {shown:?}, and not {expected:?}"));
            }
        }
        for (name, expected) in &step.events {
            let about =
                |(id, note): &&(String, Note)| id == name && note.involved.kind.as_deref() == Some("Service");
            let notes: Vec<&Note> = self
                .cluster
                .notes
                .iter()
                .filter(about)
                .map(|(_, note)| note)
                .collect();
            let all = notes.len() == expected.len()
                && notes
                    .iter()
                    .zip(expected)
                    .all(|(note, expected)| table::is_expected_event(&note.reason, &note.message, expected));
            if !all {
                let got: Vec<String> = notes
                    .iter()
                    .map(|note| format!("{}: {}", note.reason, note.message))
                    .collect();
                wrong.push(format!("Events about {name} are {got:?}, and not {expected:?}"));
            }
        }
        wrong
    }

    fn apply(&mut self, id: &Id, form: Value) {
        let object = self.written(id, form);
        match id.0 {
            Kind::Pool => self.cluster.apply_pool(object),
            Kind::Reservation => {
                self.put_reservation(object);
                let reservation = serde_json::from_value(self.cluster.reservations[&id.1].clone()).unwrap();
                self.cluster
                    .input(Input::Reservations(Change::Apply(reservation)));
                self.cluster.settle();
            }
            Kind::Service => self.cluster.apply(object),
        }
    }

    fn delete(&mut self, id: Id) {
        self.written.remove(&id);
        match id.0 {
            Kind::Pool => self.cluster.delete_pool(&id.1),
            Kind::Reservation => {
                let gone = self.cluster.reservations.remove(&id.1).unwrap();
                let gone = serde_json::from_value(gone).unwrap();
                self.cluster.input(Input::Reservations(Change::Delete(gone)));
                self.cluster.settle();
            }
            Kind::Service => self.cluster.delete(&id.1),
        }
    }

    /// The object as the API server holds it once a user has written `form`.
    fn written(&mut self, id: &Id, form: Value) -> Value {
        let objects = match id.0 {
            Kind::Pool => &self.cluster.pools,
            Kind::Reservation => &self.cluster.reservations,
            Kind::Service => &self.cluster.services,
        };
        let mut object = objects.get(&id.1).cloned().unwrap_or_else(|| {
            let created = Timestamp::from_second(self.cluster.version.try_into().unwrap()).unwrap();
            json!({ "metadata": { "uid": format!("uid-{}", self.cluster.version), "creationTimestamp": created } })
        });
        let before = self.written.get(id).cloned().unwrap_or_else(|| json!({}));
        merge(&mut object, &difference(&before, &form));
        if id.0 == Kind::Service && form["spec"]["clusterIPs"].is_null() {
            object["spec"]["clusterIPs"] = cluster_ips(&object["spec"]);
        }
        self.written.insert(id.clone(), form);
        object
    }

    fn put_reservation(&mut self, mut reservation: Value) {
        self.cluster.version += 1;
        reservation["metadata"]["resourceVersion"] = self.cluster.version.to_string().into();
        self.cluster.reservations.insert(id_of(&reservation), reservation);
    }

    fn put_namespace(&mut self, name: &str, labels: &BTreeMap<String, String>) -> Namespace {
        let namespace = json!({ "metadata": { "name": name, "labels": labels } });
        self.cluster.namespaces.insert(name.to_owned(), namespace.clone());
        serde_json::from_value(namespace).unwrap()
    }
}

/// What the API server of a dual-stack cluster gives a Service.
fn cluster_ips(spec: &Value) -> Value {
    let (v4, v6) = ("10.96.0.1", "fd00:96::1");
    let dual = ["PreferDualStack", "RequireDualStack"];
    let is_dual = dual.iter().any(|policy| spec["ipFamilyPolicy"] == *policy);
    match (spec["ipFamilies"][0] == "IPv6", is_dual) {
        (false, false) => json!([v4]),
        (true, false) => json!([v6]),
        (false, true) => json!([v4, v6]),
        (true, true) => json!([v6, v4]),
    }
}

/// The merge patch (RFC 7386) that makes `new` of what was written as `old`, and leaves alone what others have added.
fn difference(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let gone = gone.map(|key| (key.clone(), Value::Null));
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
    let changed = changed.map(|(key, value)| {
        let was = old.get(key).unwrap_or(&Value::Null);
        (key.clone(), difference(was, value))
    });
    Value::Object(gone.chain(changed).collect())
}
