//! An API server in memory, for tests: `kube::Client` takes any tower service.
//!
//! It models get, list, watch, create, JSON merge patch and delete with resourceVersions and their 404, 409 and 410,
//! and faults on demand. It does **not** model: validation, defaults and admission; subresources (a patch of `status`
//! may change anything); field managers and `managedFields`; selectors, paging and bookmarks; finalizers and
//! preconditions; access rights; priority and fairness.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    future,
    sync::{Arc, Mutex},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Method, Request, Response, StatusCode},
};
use futures::stream::unfold;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tower::{BoxError, service_fn};

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Answered with this code; nothing is done.
    Code(u16),
    /// Done, but the connection breaks before the answer.
    AnswerLost,
    /// Never answered; nothing is done.
    Silence,
}

/// The server; clones are one.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    /// Each request takes a permit before it is looked at, and keeps none.
    door: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    version: u64,
    /// Objects by path.
    objects: BTreeMap<String, Value>,
    /// Every change: version, collection, watch event.
    history: Vec<(u64, String, Value)>,
    /// Changes up to this version are compacted away.
    compacted: u64,
    watches: Vec<(String, mpsc::UnboundedSender<String>)>,
    faults: VecDeque<Option<Fault>>,
    log: Vec<String>,
    waiting: usize,
    most_waiting: usize,
}

type Answer = Result<Response<Body>, BoxError>;

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::default(),
            door: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// A server that lets a request in for each [`let_in`](Self::let_in).
    pub(crate) fn with_a_door() -> Self {
        Self {
            state: Arc::default(),
            door: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn let_in(&self, requests: usize) {
        self.door.add_permits(requests);
    }

    pub(crate) fn client(&self) -> Client {
        let fake = self.clone();
        let service = service_fn(move |request| {
            let fake = fake.clone();
            async move { fake.serve(request).await }
        });
        Client::new(service, "default")
    }

    /// The faults of the next requests that write, in order; `None` for none.
    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.lock().faults.extend(faults);
    }

    /// Creates or replaces an object as another client would.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.lock().put(path, object);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.lock().remove(path);
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    pub(crate) fn objects(&self, under: &str) -> Vec<Value> {
        let state = self.lock();
        state
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with(under))
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// `METHOD path` of every request so far that was let in.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// The most requests that stood at the door together.
    pub(crate) fn most_waiting(&self) -> usize {
        self.lock().most_waiting
    }

    /// Ends every watch, as a restart of the server does.
    pub(crate) fn break_watches(&self) {
        self.lock().watches.clear();
    }

    /// Ends every watch and forgets what happened before: who resumes is told 410.
    pub(crate) fn compact(&self) {
        let mut state = self.lock();
        state.compacted = state.version;
        state.watches.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn serve(&self, request: Request<kube::client::Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await?;
        {
            let mut state = self.lock();
            state.waiting += 1;
            state.most_waiting = state.most_waiting.max(state.waiting);
        }
        self.door.acquire().await?.forget();
        let fault = {
            let mut state = self.lock();
            state.waiting -= 1;
            state.log.push(format!("{} {}", parts.method, parts.uri.path()));
            if parts.method == Method::GET {
                None
            } else {
                state.faults.pop_front().flatten()
            }
        };
        match fault {
            None => self
                .lock()
                .answer(&parts.method, parts.uri.path(), parts.uri.query(), &body),
            Some(Fault::Code(code)) => status(code, "Injected", "injected"),
            Some(Fault::AnswerLost) => {
                let _ = self
                    .lock()
                    .answer(&parts.method, parts.uri.path(), parts.uri.query(), &body)?;
                Err("connection reset".into())
            }
            Some(Fault::Silence) => future::pending().await,
        }
    }
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: Option<&str>, body: &Bytes) -> Answer {
        let object_path = path.strip_suffix("/status").unwrap_or(path);
        match *method {
            Method::GET if query.is_some_and(|query| query.contains("watch=true")) => self.watch(path, query),
            Method::GET => match self.objects.get(path) {
                Some(object) => answer(StatusCode::OK, object),
                None if query.is_some() => self.list(path),
                None => status(404, "NotFound", path),
            },
            Method::POST => {
                let object: Value = serde_json::from_slice(body)?;
                let path = format!("{path}/{}", object["metadata"]["name"].as_str().ok_or("no name")?);
                if self.objects.contains_key(&path) {
                    return status(409, "AlreadyExists", &path);
                }
                answer(StatusCode::CREATED, &self.put(&path, object))
            }
            Method::PATCH => {
                let Some(mut object) = self.objects.get(object_path).cloned() else {
                    return status(404, "NotFound", path);
                };
                let patch: Value = serde_json::from_slice(body)?;
                let wanted = &patch["metadata"]["resourceVersion"];
                if !wanted.is_null() && *wanted != object["metadata"]["resourceVersion"] {
                    return status(409, "Conflict", path);
                }
                merge(&mut object, &patch);
                answer(StatusCode::OK, &self.put(object_path, object))
            }
            Method::DELETE => match self.remove(path) {
                Some(object) => answer(StatusCode::OK, &object),
                None => status(404, "NotFound", path),
            },
            _ => status(405, "MethodNotAllowed", path),
        }
    }

    fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let kind = if self.objects.contains_key(path) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.objects.insert(path.to_owned(), object.clone());
        self.tell(path, kind, &object);
        object
    }

    fn remove(&mut self, path: &str) -> Option<Value> {
        let mut object = self.objects.remove(path)?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.tell(path, "DELETED", &object);
        Some(object)
    }

    fn tell(&mut self, path: &str, kind: &str, object: &Value) {
        let collection = path.rsplit_once('/').unwrap().0.to_owned();
        let event = json!({ "type": kind, "object": object });
        self.watches
            .retain(|(of, watch)| *of != collection || watch.send(format!("{event}\n")).is_ok());
        self.history.push((self.version, collection, event));
    }

    fn list(&self, collection: &str) -> Answer {
        let of_it = |path: &String| path.rsplit_once('/').is_some_and(|(of, _)| of == collection);
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(path, _)| of_it(path))
            .map(|(_, object)| object)
            .collect();
        answer(
            StatusCode::OK,
            &json!({ "metadata": { "resourceVersion": self.version.to_string() }, "items": items }),
        )
    }

    fn watch(&mut self, collection: &str, query: Option<&str>) -> Answer {
        let from = query
            .unwrap_or_default()
            .split('&')
            .find_map(|pair| pair.strip_prefix("resourceVersion="));
        let from: u64 = from.ok_or("a watch without resourceVersion")?.parse()?;
        if from < self.compacted {
            return status(410, "Expired", "too old resource version");
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        for (_, _, event) in self
            .history
            .iter()
            .filter(|(at, of, _)| *at > from && of == collection)
        {
            sender.send(format!("{event}\n"))?;
        }
        self.watches.push((collection.to_owned(), sender));
        let lines = unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        let lines = futures::StreamExt::map(lines, Ok::<_, Infallible>);
        Ok(Response::new(Body::from_stream(lines)))
    }
}

/// RFC 7386, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let object = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn answer(code: StatusCode, body: &Value) -> Answer {
    Ok(Response::builder()
        .status(code)
        .body(Body::from(body.to_string()))?)
}

fn status(code: u16, reason: &str, message: &str) -> Answer {
    let body =
        json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message });
    answer(StatusCode::from_u16(code)?, &body)
}
