//! An API server in memory, for tests: `kube::Client` takes any tower service.
//!
//! It models get, list, watch, create, JSON merge patch, server-side apply and delete with their 404, 409 and 410;
//! lists and watches within a namespace and across all; `metadata.generateName`, `uid` and `resourceVersion`; a patch
//! that changes nothing changes no version; `spec` and `status` apart (a patch of `status` changes nothing else, but the
//! annotations of core kinds; everything else leaves `status` alone); `ipMode: VIP` on the ingress of Services; the
//! selector `metadata.name`; preconditions of a deletion; reviews of tokens and of the access to paths.
//!
//! It models faults: of single requests by [`Fault`], chosen by a [`script`](Fake::script) or a
//! [`policy`](Fake::policy); of the whole server by [`freeze`](Fake::freeze), [`stop`](Fake::stop) and
//! [`restart`](Fake::restart); and requests that are done long after their sender is gone ([`Held`]).
//!
//! It does **not** model: validation, admission and any default but `ipMode`; JSON and strategic merge patches, and
//! replacement; answers of metadata alone (who asks for them gets the whole object); field managers, `managedFields` and
//! ownership (an apply merges maps, replaces lists, and never removes a field that is left out); other selectors, paging
//! and bookmarks; the end of a watch after its time (it is a server that hangs); finalizers, owners and namespaces that
//! are being deleted; `generation` and `creationTimestamp`; access rights; priority and fairness, and limits of any kind.

mod fault;
mod merge;
mod place;
mod rights;
mod state;

use std::{
    future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderValue, Request, Response,
        header::{ACCEPT, CONTENT_TYPE},
    },
};
use kube::Client;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::sleep,
};
use tower::{BoxError, ServiceBuilder, service_fn};

pub use self::{
    fault::{Call, Fault, Held},
    merge::merge,
};
use self::{
    place::Place,
    state::{State, busy, status},
};

use crate::retry_after;

type Answer = Result<Response<Body>, BoxError>;

/// The server; clones are one.
#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    /// Each request takes a permit before it is looked at, and keeps none.
    door: Arc<Semaphore>,
    /// How often all connections have been reset.
    resets: Arc<watch::Sender<u64>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A server without objects.
    #[must_use]
    pub fn new() -> Self {
        Self::behind(Semaphore::MAX_PERMITS)
    }

    /// A server that lets a request in for each [`let_in`](Self::let_in).
    #[must_use]
    pub fn with_a_door() -> Self {
        Self::behind(0)
    }

    fn behind(permits: usize) -> Self {
        Self {
            state: Arc::default(),
            door: Arc::new(Semaphore::new(permits)),
            resets: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Lets so many requests in.
    pub fn let_in(&self, requests: usize) {
        self.door.add_permits(requests);
    }

    /// A client of this server.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_of("")
    }

    /// A client that calls itself so: a policy knows its requests by [`Call::client`].
    #[must_use]
    pub fn client_of(&self, name: &str) -> Client {
        let (fake, name) = (self.clone(), name.to_owned());
        let service = service_fn(move |request| {
            let (fake, name) = (fake.clone(), name.clone());
            async move { fake.serve(name, request).await }
        });
        // As every client of ours is.
        let service = ServiceBuilder::new()
            .map_response(retry_after::in_status)
            .service(service);
        Client::new(service, "default")
    }

    /// The faults of the next requests that write, in order; `None` for none.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.lock().faults.extend(faults);
    }

    /// Asks for the fault of each request that the script has none for, those that read included. It replaces the
    /// policy before it.
    ///
    /// The server is locked meanwhile: the closure must not call it.
    pub fn policy(&self, policy: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        self.lock().policy = Some(Box::new(policy));
    }

    /// Calls `observer` after every change of an object, with its path and what it is now (`None`: gone). A panic in it
    /// is a panic of whoever made the change: an observer notes what it finds, and the test looks.
    ///
    /// The server is locked meanwhile: the closure must not call it.
    pub fn observe(&self, observer: impl FnMut(&str, Option<&Value>) + Send + 'static) {
        self.lock().observers.push(Box::new(observer));
    }

    /// Creates or replaces an object with all that is in it, `status` too, as no single client could.
    ///
    /// # Panics
    /// The path is not that of an object.
    pub fn put(&self, path: &str, object: Value) {
        self.lock().put(&object_at(path), object);
    }

    /// Deletes an object as another client would.
    ///
    /// # Panics
    /// The path is not that of an object.
    pub fn remove(&self, path: &str) {
        self.lock().remove(&object_at(path));
    }

    /// The object at this path.
    #[must_use]
    pub fn object(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).map(|(_, object)| object.clone())
    }

    /// All objects whose path begins so.
    #[must_use]
    pub fn objects(&self, under: &str) -> Vec<Value> {
        let state = self.lock();
        let under = state.objects.iter().filter(|(path, _)| path.starts_with(under));
        under.map(|(_, (_, object))| object.clone()).collect()
    }

    /// `METHOD path` of every request so far that was let in, those included that found the server stopped.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// The most requests that stood at the door together.
    #[must_use]
    pub fn most_waiting(&self) -> usize {
        self.lock().most_waiting
    }

    /// From now on this token is that user's.
    pub fn knows(&self, token: &str, user: &str) {
        self.lock().rights.users.insert(token.to_owned(), user.to_owned());
    }

    /// From now on this token is nobody's.
    pub fn forgets(&self, token: &str) {
        self.lock().rights.users.remove(token);
    }

    /// From now on this user may do that with a path that is no object's.
    pub fn grants(&self, user: &str, verb: &str, path: &str) {
        let granted = (user.to_owned(), verb.to_owned(), path.to_owned());
        self.lock().rights.granted.insert(granted);
    }

    /// Ends every watch in good order.
    pub fn break_watches(&self) {
        self.lock().watches.clear();
    }

    /// The watches that there are say nothing any more, and do not end.
    pub fn mute_watches(&self) {
        self.lock().mute();
    }

    /// Ends every watch and forgets what happened before: who resumes is told 410.
    pub fn compact(&self) {
        let mut state = self.lock();
        state.compact();
        state.watches.clear();
    }

    /// Stops the process as SIGSTOP does: connections stand, and nobody answers. Requests queue up; what
    /// [`put`](Self::put) and [`remove`](Self::remove) change is not told. Neither script nor policy is asked.
    pub fn freeze(&self) {
        self.lock().frozen = true;
    }

    /// Continues as SIGCONT does: does all requests that came meanwhile in their order, those whose sender has gone
    /// away too, and tells the watches.
    pub fn thaw(&self) {
        let queued = {
            let mut state = self.lock();
            state.frozen = false;
            std::mem::take(&mut state.queued)
        };
        for held in queued {
            held.deliver();
        }
        self.lock().flush();
    }

    /// Kills the server: connections are reset, requests under way are not done, history is gone, and new requests are
    /// refused at once. A [`Held`] that the test has taken can still be delivered.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stop();
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Starts the server that was stopped, with its objects.
    pub fn start(&self) {
        self.lock().stopped = false;
    }

    /// [`stop`](Self::stop) and [`start`](Self::start).
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Takes the requests that [`Fault::Held`] holds, in the order in which they came.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        std::mem::take(&mut self.lock().held)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, client: String, request: Request<kube::client::Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await?;
        let header = |name| {
            let value = parts.headers.get(name);
            value.map_or_else(String::new, |value: &HeaderValue| {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            })
        };
        let call = Call {
            client,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            accept: header(ACCEPT),
            content_type: header(CONTENT_TYPE),
            body: if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body)?
            },
        };
        let mut resets = self.resets.subscribe();
        tokio::select! {
            biased;
            _ = resets.changed() => Err(reset()),
            answer = self.admit(call) => answer,
        }
    }

    /// An error is a connection that the stopped server refuses.
    fn arrive(&self, call: Call) -> Result<Arrival, BoxError> {
        let mut state = self.lock();
        state.log.push(format!("{} {}", call.method, call.path));
        if state.stopped {
            return Err("connection refused".into());
        }
        if state.frozen {
            let (held, answer) = Held::new(self, call);
            state.queued.push(held);
            return Ok(Arrival::Queued(answer));
        }
        let fault = state.fault(&call);
        Ok(Arrival::Seen(call, fault))
    }

    async fn admit(&self, call: Call) -> Answer {
        {
            let _waiting = Waiting::new(self);
            self.door.acquire().await?.forget();
        }
        let (call, fault) = match self.arrive(call)? {
            Arrival::Queued(answer) => return answered(answer).await,
            Arrival::Seen(call, fault) => (call, fault),
        };
        match fault {
            None => self.lock().answer(&call),
            Some(Fault::Code(code)) => status(code, "Injected", "injected"),
            Some(Fault::Busy(seconds)) => busy(seconds),
            Some(Fault::AnswerLost) => {
                let _ = self.lock().answer(&call)?;
                Err(reset())
            }
            Some(Fault::Reset) => Err(reset()),
            Some(Fault::Silence) => future::pending().await,
            Some(Fault::Slow(latency)) => {
                let (held, answer) = Held::new(self, call);
                let resets = self.resets.subscribe();
                // A task of its own: it is done although its sender may have gone away.
                tokio::spawn(async move {
                    sleep(latency).await;
                    if !resets.has_changed().unwrap_or(true) {
                        held.deliver();
                    }
                });
                answered(answer).await
            }
            Some(Fault::Held) => {
                let (held, answer) = Held::new(self, call);
                self.lock().held.push(held);
                answered(answer).await
            }
        }
    }
}

/// What becomes of a request that was let in.
enum Arrival {
    /// The server is frozen.
    Queued(oneshot::Receiver<Answer>),
    /// It is looked at, and something may go wrong with it.
    Seen(Call, Option<Fault>),
}

/// One request at the door.
struct Waiting<'a>(&'a Fake);

impl<'a> Waiting<'a> {
    fn new(fake: &'a Fake) -> Self {
        let mut state = fake.lock();
        state.waiting += 1;
        state.most_waiting = state.most_waiting.max(state.waiting);
        Self(fake)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

async fn answered(answer: oneshot::Receiver<Answer>) -> Answer {
    answer.await.unwrap_or_else(|_| Err(reset()))
}

fn reset() -> BoxError {
    "connection reset".into()
}

fn object_at(path: &str) -> Place {
    let place = Place::parse(path).filter(|place| place.name.is_some() && !place.status);
    place.unwrap_or_else(|| panic!("{path:?} is not the path of an object"))
}

#[cfg(test)]
mod tests;
