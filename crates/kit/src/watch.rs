//! One watch as a stream of changes: list, watch, and list again when the server has forgotten where we were.
//!
//! The initial list is paged rather than streamed: `sendInitialEvents` is on by default only from Kubernetes 1.34,
//! and 1.31 is the oldest that is supported.

use std::{fmt::Debug, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{backoff::Backoff, outage::Refused};

pub use kube::runtime::watcher::Config;

/// How long one watch request lasts, in seconds, before the next takes over where it ended.
///
/// A server that hangs while its kernel keeps the connection alive is noticed 5 s after it should have ended the watch.
/// The watcher's own 290 s would leave a node with an old picture for five minutes. The price is a request a minute for
/// each kind, answered from the API server's cache.
pub(crate) const WATCH_FOR: u32 = 60;

/// The longest delay for a component of which there are a few, as of the controller: after a fault of the API server
/// what follows is to be right within a second, and a list, a decision and a write come after the delay.
///
/// An API server that is away is asked by each watch at most twice a second: by two controllers with ten watches each,
/// forty times, which a kernel answers by itself while nobody listens.
pub const LONGEST_OF_FEW: Duration = Duration::from_millis(800);

/// The longest delay for a component of which there is one on each node, as of the speaker. It is 8 s in the mean, so
/// that 5,000 nodes with ten watches each come back to an API server at 6,000 watches a second. With 800 ms they would
/// be 77,000, and keep it from coming back at all. Meanwhile a speaker goes on to announce what it knows.
pub const LONGEST_OF_MANY: Duration = Duration::from_secs(10);

/// Objects in one page of a list. A decoded Service takes 15 KiB while its page is read, and what is kept of it lies
/// between what is not: the fewer there are at once, the less room is lost in the gaps.
const PAGE: u32 = 100;

/// What a watch tells the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K> {
    /// The object exists in this form: created, changed, or told again.
    Apply(K),
    /// The object is gone; this was its last form.
    Delete(K),
    /// These are all objects there are; what is not among them is gone. Always the first change, and again after
    /// every gap in the watch.
    Reset(Vec<K>),
}

impl<K> Change<K> {
    /// The same change, each object as `read` reads it.
    pub fn map<T>(self, read: impl Fn(K) -> T) -> Change<T> {
        match self {
            Self::Apply(object) => Change::Apply(read(object)),
            Self::Delete(object) => Change::Delete(read(object)),
            Self::Reset(objects) => Change::Reset(objects.into_iter().map(read).collect()),
        }
    }
}

impl<K: Resource> Change<K> {
    /// What this says about the one object of that name: `Some(None)` that it is gone, `None` nothing at all.
    #[must_use]
    pub fn about(self, name: &str) -> Option<Option<K>> {
        let is_it = |object: &K| object.meta().name.as_deref() == Some(name);
        match self {
            Self::Apply(object) => is_it(&object).then_some(Some(object)),
            Self::Delete(object) => is_it(&object).then_some(None),
            Self::Reset(objects) => Some(objects.into_iter().find(is_it)),
        }
    }
}

/// Watches one kind for ever and sends each change as the caller's event.
///
/// Errors never end it: what is refused again and again is logged with the kind's name, and all are tried again after a jittered backoff of 100 ms to
/// `longest` ([`LONGEST_OF_FEW`], [`LONGEST_OF_MANY`]). A server that falls silent is noticed within 65 s;
/// `config.timeout` is overwritten to this end. `managedFields` are dropped, being half of an object's size and of no
/// use to an index. The channel is the caller's and bounded: when it is full the watch waits, and so in the end does the
/// API server.
///
/// Returns when the receiver of `events` is gone. Dropping the future is safe at any point: it holds no state that
/// outlives it.
pub async fn watch<K, E>(api: Api<K>, config: Config, longest: Duration, events: mpsc::Sender<E>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    E: From<Change<K>>,
{
    follow(api, config, longest, events, stripped, false).await;
}

/// The same for a kind that may not be installed: while the API server does not know it (404), there are no objects.
/// It is looked for again after `longest`.
pub async fn watch_if_installed<K, E>(api: Api<K>, config: Config, longest: Duration, events: mpsc::Sender<E>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    E: From<Change<K>>,
{
    follow(api, config, longest, events, stripped, true).await;
}

/// The same for a kind of which there are many: each object becomes what `read` takes from it as soon as it is decoded,
/// so that no more than a page of a list is ever held whole.
pub async fn watch_as<K, T, E>(
    api: Api<K>,
    config: Config,
    longest: Duration,
    events: mpsc::Sender<E>,
    read: impl Fn(K) -> T,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    E: From<Change<T>>,
{
    follow(api, config, longest, events, read, false).await;
}

async fn follow<K, T, E>(
    api: Api<K>,
    config: Config,
    longest: Duration,
    events: mpsc::Sender<E>,
    read: impl Fn(K) -> T,
    may_be_missing: bool,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    E: From<Change<T>>,
{
    let mut told_missing = false;
    let kind = K::kind(&());
    let config = config.timeout(WATCH_FOR).page_size(PAGE);
    let mut backoff = Backoff::default();
    let mut refused = Refused::default();
    // Whether the last thing heard of the watch was that its place is forgotten.
    let mut forgotten = false;
    loop {
        let mut stream = pin!(watcher(api.clone(), config.clone()));
        let mut listed = Vec::new();
        while let Some(event) = stream.next().await {
            let change = match event {
                Ok(Event::Init) => {
                    listed.clear();
                    continue;
                }
                Ok(Event::InitApply(object)) => {
                    listed.push(read(object));
                    continue;
                }
                Ok(Event::InitDone) => {
                    tracing::debug!(%kind, objects = listed.len(), "listed");
                    told_missing = false;
                    Change::Reset(std::mem::take(&mut listed))
                }
                Ok(Event::Apply(object)) => {
                    forgotten = false;
                    Change::Apply(read(object))
                }
                Ok(Event::Delete(object)) => {
                    forgotten = false;
                    Change::Delete(read(object))
                }
                Err(error) if may_be_missing && is_unknown(&error) => {
                    if !std::mem::replace(&mut told_missing, true) {
                        tracing::warn!(%kind, "this kind is not installed: its CustomResourceDefinition is missing");
                        if events.send(Change::Reset(Vec::new()).into()).await.is_err() {
                            return;
                        }
                    }
                    sleep(longest).await;
                    continue;
                }
                Err(error) => {
                    let again = std::mem::replace(&mut forgotten, is_forgotten(&error));
                    let delay = if forgotten && !again {
                        // The server is back, and was waited for before: a list is all that is missing.
                        Duration::ZERO
                    } else {
                        backoff.failed(Instant::now(), longest)
                    };
                    if code(&error).is_some_and(|code| refused.refused(Instant::now(), code)) {
                        tracing::warn!(%kind, error = %cause(&error), "watch refused: it is tried until it succeeds");
                    } else {
                        tracing::debug!(%kind, error = %cause(&error), ?delay, "watch interrupted");
                    }
                    sleep(delay).await;
                    if needs_list(&error) {
                        break;
                    }
                    continue;
                }
            };
            if let Some(lasted) = refused.succeeded(Instant::now()) {
                tracing::info!(%kind, refused_for = ?lasted, "watch goes on");
            }
            if events.send(change.into()).await.is_err() {
                return;
            }
        }
    }
}

/// The status code of a refusal, 0 for an answer that cannot be read. `None` when there was no answer: the
/// [`client`](crate::client) tells that for the whole process.
fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) => Some(status.code),
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => None,
            _ => Some(0),
        },
        watcher::Error::NoResourceVersion => Some(0),
    }
}

/// 410: the server has no history back to where we were. Any other refusal, 429 before all, asks to be waited out.
fn is_forgotten(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) | watcher::Error::WatchError(status) => {
            status.code == 410
        }
        _ => false,
    }
}

/// 404 on a list: the API server does not know the kind.
fn is_unknown(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}

/// The watcher lists again by itself only when the stream says 410. When the *start* of a watch is refused it would
/// ask for the same resourceVersion for ever; after a restore of etcd that version lies in the future.
///
/// Who sheds load, is not there yet, or does not know our token (401, 429, 502, 503) has said nothing about the version, and
/// a list of ten thousand objects would be the last thing that it needs.
fn needs_list(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if ![401, 429, 502, 503].contains(&status.code))
}

/// The server's own words where there are some: the watcher's text repeats the whole `Status` twice.
fn cause(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => format!("{} ({})", status.message, status.code),
        other => crate::logs::chain(other),
    }
}

fn stripped<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}

#[cfg(test)]
mod tests;
