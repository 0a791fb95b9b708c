//! The objects, their history, and what each request does to them.

use std::collections::{BTreeMap, VecDeque};

use axum::{
    body::Body,
    http::{
        Response, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
};
use futures::stream::unfold;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::BoxError;

use super::{
    Answer, Call, Fault, Held,
    merge::{merge, replace},
    place::Place,
    rights::Rights,
};

type Policy = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;
type Observer = Box<dyn FnMut(&str, Option<&Value>) + Send>;

#[derive(Default)]
pub(super) struct State {
    version: u64,
    /// Objects by path.
    pub(super) objects: BTreeMap<String, (Place, Value)>,
    /// Every change, the oldest first: its version, its object's place, and the watch event.
    history: Vec<(u64, Place, Value)>,
    /// Changes up to this version are compacted away.
    compacted: u64,
    pub(super) watches: Vec<Watch>,
    pub(super) faults: VecDeque<Option<Fault>>,
    pub(super) policy: Option<Policy>,
    pub(super) observers: Vec<Observer>,
    pub(super) log: Vec<String>,
    pub(super) waiting: usize,
    pub(super) most_waiting: usize,
    pub(super) frozen: bool,
    pub(super) stopped: bool,
    /// What came while the server was frozen.
    pub(super) queued: Vec<Held>,
    /// What [`Fault::Held`] holds.
    pub(super) held: Vec<Held>,
    pub(super) rights: Rights,
}

pub(super) struct Watch {
    of: Selection,
    /// Changes up to this version have been told.
    told: u64,
    lines: mpsc::UnboundedSender<Result<String, BoxError>>,
    muted: bool,
}

/// A collection, and the name to which a field selector narrows it.
struct Selection {
    collection: Place,
    name: Option<String>,
}

impl Selection {
    fn new(collection: Place, query: &str) -> Self {
        let name = parameter(query, "fieldSelector")
            .and_then(|selector| selector.strip_prefix("metadata.name%3D"))
            .map(str::to_owned);
        Self { collection, name }
    }

    fn has(&self, object: &Place) -> bool {
        self.collection.covers(object) && (self.name.is_none() || self.name == object.name)
    }
}

impl State {
    /// What goes wrong with this request.
    pub(super) fn fault(&mut self, call: &Call) -> Option<Fault> {
        let scripted = if call.method == "GET" {
            None
        } else {
            self.faults.pop_front().flatten()
        };
        scripted.or_else(|| self.policy.as_mut().and_then(|policy| policy(call)))
    }

    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        if let Some(review) = self.rights.review(call) {
            return answer(StatusCode::CREATED, &review);
        }
        let Some(place) = Place::parse(&call.path) else {
            return status(404, "NotFound", &call.path);
        };
        match (call.method.as_str(), place.name.is_some()) {
            ("GET", true) => match self.objects.get(&place.path()) {
                Some((_, object)) => answer(StatusCode::OK, object),
                None => status(404, "NotFound", &call.path),
            },
            ("GET", false) if parameter(&call.query, "watch") == Some("true") => {
                self.watch(place, &call.query)
            }
            ("GET", false) => self.list(&Selection::new(place, &call.query)),
            ("POST", false) => self.create(&place, call.body.clone()),
            ("PATCH", true) => self.patch(&place, call),
            ("DELETE", true) => self.delete(&place, &call.body["preconditions"]),
            _ => status(405, "MethodNotAllowed", &call.path),
        }
    }

    fn create(&mut self, collection: &Place, mut object: Value) -> Answer {
        let metadata = &object["metadata"];
        let name = match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(prefix)) => format!("{prefix}{:05x}", self.version + 1),
            (None, None) => return status(422, "Invalid", "metadata.name: required"),
        };
        let place = collection.named(&name);
        if self.objects.contains_key(&place.path()) {
            return status(409, "AlreadyExists", &place.path());
        }
        if let Some(object) = object.as_object_mut() {
            object.remove("status");
        }
        answer(StatusCode::CREATED, &self.put(&place, object))
    }

    fn patch(&mut self, place: &Place, call: &Call) -> Answer {
        let applied = match call.content_type.as_str() {
            "application/merge-patch+json" => false,
            "application/apply-patch+yaml" => true,
            other => return status(415, "UnsupportedMediaType", other),
        };
        let before = match self.objects.get(&place.path()) {
            Some((_, object)) => object.clone(),
            None if applied && !place.status => {
                let collection = Place {
                    name: None,
                    ..place.clone()
                };
                let mut object = call.body.clone();
                object["metadata"]["name"] = place.name.clone().into();
                return self.create(&collection, object);
            }
            None => return status(404, "NotFound", &call.path),
        };
        let wanted = &call.body["metadata"]["resourceVersion"];
        if !wanted.is_null() && *wanted != before["metadata"]["resourceVersion"] {
            return status(409, "Conflict", &call.path);
        }
        let mut merged = before.clone();
        merge(&mut merged, &call.body);
        let after = if place.status {
            let mut after = before;
            replace(&mut after, "status", merged["status"].take());
            if place.group == "/api/v1" {
                replace(
                    &mut after["metadata"],
                    "annotations",
                    merged["metadata"]["annotations"].take(),
                );
            }
            after
        } else {
            replace(&mut merged, "status", before["status"].clone());
            merged
        };
        answer(StatusCode::OK, &self.put(place, after))
    }

    fn delete(&mut self, place: &Place, preconditions: &Value) -> Answer {
        let Some((_, object)) = self.objects.get(&place.path()) else {
            return status(404, "NotFound", &place.path());
        };
        for field in ["uid", "resourceVersion"] {
            if !preconditions[field].is_null() && preconditions[field] != object["metadata"][field] {
                return status(409, "Conflict", &place.path());
            }
        }
        let object = self.remove(place);
        answer(StatusCode::OK, &object.unwrap_or_default())
    }

    /// Stores an object as it is, but for what the server sets.
    pub(super) fn put(&mut self, place: &Place, mut object: Value) -> Value {
        let path = place.path();
        let before = self.objects.get(&path).map(|(_, object)| object.clone());
        let metadata = &mut object["metadata"];
        metadata["name"] = place.name.clone().into();
        if let Some(namespace) = &place.namespace {
            metadata["namespace"] = namespace.clone().into();
        }
        let earlier = before.as_ref().map(|before| &before["metadata"]);
        if metadata["uid"].is_null() {
            let uid = earlier.map(|earlier| earlier["uid"].clone());
            metadata["uid"] = uid.unwrap_or_else(|| format!("uid-{}", self.version + 1).into());
        }
        if let Some(earlier) = earlier {
            metadata["resourceVersion"] = earlier["resourceVersion"].clone();
        }
        if place.group == "/api/v1" && place.resource == "services" {
            default_ip_mode(&mut object);
        }
        if before.as_ref() == Some(&object) {
            return object;
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let kind = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.objects.insert(path, (place.clone(), object.clone()));
        self.tell(place, kind, &object);
        object
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Value> {
        let (_, mut object) = self.objects.remove(&place.path())?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.tell(place, "DELETED", &object);
        Some(object)
    }

    fn tell(&mut self, place: &Place, kind: &str, object: &Value) {
        let event = json!({ "type": kind, "object": object });
        let place = Place {
            status: false,
            ..place.clone()
        };
        let path = place.path();
        self.history.push((self.version, place, event));
        for observer in &mut self.observers {
            observer(&path, (kind != "DELETED").then_some(object));
        }
        self.flush();
    }

    /// Tells the watches what they have not been told yet.
    pub(super) fn flush(&mut self) {
        if self.frozen {
            return;
        }
        let (history, version) = (&self.history, self.version);
        self.watches.retain_mut(|watch| {
            let from = history.partition_point(|(at, ..)| *at <= watch.told);
            watch.told = version;
            watch.muted
                || history[from..]
                    .iter()
                    .filter(|(_, object, _)| watch.of.has(object))
                    .all(|(_, _, event)| watch.lines.send(Ok(format!("{event}\n"))).is_ok())
        });
    }

    pub(super) fn mute(&mut self) {
        for watch in &mut self.watches {
            watch.muted = true;
        }
    }

    /// Forgets what happened up to now: a resourceVersion that anybody knows is too old.
    pub(super) fn compact(&mut self) {
        self.version += 1;
        self.compacted = self.version;
        self.history.clear();
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.frozen = false;
        self.queued.clear();
        self.held.clear();
        for watch in self.watches.drain(..) {
            // A reader that is gone has nothing to notice.
            let _ = watch.lines.send(Err("connection reset".into()));
        }
        self.compact();
    }

    fn list(&self, of: &Selection) -> Answer {
        let objects = self.objects.values();
        let items: Vec<_> = objects
            .filter(|(place, _)| of.has(place))
            .map(|(_, object)| object)
            .collect();
        answer(
            StatusCode::OK,
            &json!({ "metadata": { "resourceVersion": self.version.to_string() }, "items": items }),
        )
    }

    fn watch(&mut self, collection: Place, query: &str) -> Answer {
        let from = parameter(query, "resourceVersion").ok_or("a watch without resourceVersion")?;
        let told: u64 = from.parse()?;
        if told < self.compacted {
            return status(410, "Expired", "too old resource version");
        }
        let (lines, receiver) = mpsc::unbounded_channel();
        self.watches.push(Watch {
            of: Selection::new(collection, query),
            told,
            lines,
            muted: false,
        });
        self.flush();
        let lines = unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        Ok(Response::new(Body::from_stream(lines)))
    }
}

/// One parameter of a query, as it was sent.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then_some(value)
    })
}

/// As the API server does it for an entry with an address.
fn default_ip_mode(service: &mut Value) {
    let entries = service.pointer_mut("/status/loadBalancer/ingress");
    for entry in entries.and_then(Value::as_array_mut).into_iter().flatten() {
        if !entry["ip"].is_null() && entry["ipMode"].is_null() {
            entry["ipMode"] = "VIP".into();
        }
    }
}

fn answer(code: StatusCode, body: &Value) -> Answer {
    Ok(Response::builder()
        .status(code)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))?)
}

/// A refusal.
pub(super) fn status(code: u16, reason: &str, message: &str) -> Answer {
    let body =
        json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message });
    answer(StatusCode::from_u16(code)?, &body)
}

/// The refusal of a server that sheds load: plain words, and the time only in the header.
pub(super) fn busy(seconds: u32) -> Answer {
    Ok(Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(RETRY_AFTER, seconds)
        .body(Body::from("Too many requests, please try again later."))?)
}
