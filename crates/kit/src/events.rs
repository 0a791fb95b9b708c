//! core/v1 Events, with the aggregation that client-go does and without ever holding a status back.

mod cache;
mod queue;

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use self::cache::{Cache, Known};
use self::queue::{Receiver, Sender, queue};
use crate::{client::REQUEST_TIMEOUT, metrics::Registry};

/// The queue `events`: 10,000 Services that get their address in one go, and half as many again. The newest are dropped
/// when it is full, and counted (`cortenlb_events_dropped_total`).
const QUEUE: usize = 16_384;

/// The same in bytes: a text is below 512 bytes, unless it quotes what somebody has put into an annotation.
const QUEUE_BYTES: usize = QUEUE * 512;

/// How long an Event waits for the writer to pause. While it is busy that makes 20 Events a second.
const YIELD: Duration = Duration::from_millis(50);

/// Repeats within this time count up one Event; client-go's aggregation interval.
const REPEAT: Duration = Duration::from_secs(600);

/// The type of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// All is as it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// One thing to say about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The object, with `apiVersion`, `kind` and `uid`: `kubectl describe` finds its Events by the UID.
    pub involved: ObjectReference,
    /// Normal or Warning.
    pub severity: Severity,
    /// A short CamelCase word.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
}

/// The sending end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventHandle {
    notes: Sender,
    waiting: Gauge,
    dropped: Counter,
}

impl Note {
    /// What the log says of it: the same words, so that whoever reads the one finds the other.
    fn log(&self) {
        let event = self.reason.as_str();
        let namespace = self.involved.namespace.as_deref().unwrap_or_default();
        let object = self.involved.name.as_deref().unwrap_or_default();
        match self.severity {
            Severity::Normal => tracing::info!(event, namespace, object, "{}", self.message),
            Severity::Warning => tracing::warn!(event, namespace, object, "{}", self.message),
        }
    }
}

impl EventHandle {
    /// Logs a note and hands it over; never waits. When the queue is full the note is dropped and counted, and in the log
    /// alone.
    pub fn publish(&self, note: &Note) {
        note.log();
        if !self.notes.push(note) {
            self.dropped.inc();
        }
        set(&self.waiting, self.notes.len());
    }
}

fn set(gauge: &Gauge, count: usize) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// The recording task: [`run`](Self::run) it.
pub struct Recorder {
    client: Client,
    component: String,
    notes: Receiver,
    waiting: Gauge,
    cache: Cache,
    last_name: i64,
    busy: Option<watch::Receiver<bool>>,
}

impl Recorder {
    /// A recorder whose Events carry `component` in `source.component` and `reportingComponent`
    /// (`metallb-controller`, `metallb-speaker`).
    #[must_use]
    pub fn new(client: Client, component: &str, registry: &mut Registry) -> (EventHandle, Self) {
        let (sender, notes) = queue(QUEUE, QUEUE_BYTES);
        let dropped = Counter::default();
        registry.register(
            "cortenlb_events_dropped",
            "Events dropped because the queue was full",
            dropped.clone(),
        );
        let waiting = Gauge::default();
        registry.register(
            "cortenlb_events_waiting",
            "Number of Events that wait to be recorded",
            waiting.clone(),
        );
        let recorder = Self {
            client,
            component: component.to_owned(),
            notes,
            waiting: waiting.clone(),
            cache: Cache::default(),
            last_name: 0,
            busy: None,
        };
        (
            EventHandle {
                notes: sender,
                waiting,
                dropped,
            },
            recorder,
        )
    }

    /// Makes every Event wait up to 50 ms for a pause of the writer ([`Writer::busy`](crate::write::Writer::busy)):
    /// without that, Events take a third of what the API server can do from a writer that writes in bulk.
    #[must_use]
    pub fn yielding_to(self, busy: watch::Receiver<bool>) -> Self {
        Self {
            busy: Some(busy),
            ..self
        }
    }

    /// Records until all handles are gone, one request at a time.
    ///
    /// An Event that the API server does not take is logged and lost: Events are for people, and expire anyway.
    pub async fn run(mut self) {
        while let Some(note) = self.notes.next().await {
            set(&self.waiting, self.notes.len());
            if let Some(busy) = &mut self.busy {
                // A pause, the end of the wait and the end of the writer are all the same here.
                let _ = timeout(YIELD, busy.wait_for(|busy| !busy)).await;
            }
            let recorded = timeout(REQUEST_TIMEOUT, self.record(&note)).await;
            let error = match recorded {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => crate::logs::chain(&error),
                Err(_) => format!("no answer within {REQUEST_TIMEOUT:?}"),
            };
            tracing::warn!(
                reason = note.reason,
                message = note.message,
                error,
                "Event not recorded"
            );
        }
    }

    async fn record(&mut self, note: &Note) -> Result<(), kube::Error> {
        let now = Instant::now();
        if let Some(known) = self.cache.repeat(note, now) {
            match self.count_up(note, &known).await {
                // Events expire after an hour by default, and may be deleted by hand before.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                result => return result,
            }
        }
        let event = self.event(note);
        let name = event.metadata.name.clone().expect("an Event is made with a name");
        self.api(note).create(&PostParams::default(), &event).await?;
        self.cache.insert(note, name, now);
        Ok(())
    }

    async fn count_up(&self, note: &Note, known: &Known) -> Result<(), kube::Error> {
        let patch = json!({ "count": known.count, "lastTimestamp": Time(Timestamp::now()) });
        self.api(note)
            .patch(&known.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map(drop)
    }

    /// Events about cluster-scoped objects live in `default`, as client-go has it.
    fn api(&self, note: &Note) -> Api<Event> {
        Api::namespaced(
            self.client.clone(),
            note.involved.namespace.as_deref().unwrap_or("default"),
        )
    }

    fn event(&mut self, note: &Note) -> Event {
        let now = Timestamp::now();
        // client-go's name: the object's and the time in hexadecimal nanoseconds, here never the same twice.
        let nanoseconds = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        self.last_name = nanoseconds.max(self.last_name + 1);
        let involved = note.involved.clone();
        Event {
            metadata: ObjectMeta {
                name: Some(format!(
                    "{}.{:x}",
                    involved.name.as_deref().unwrap_or_default(),
                    self.last_name
                )),
                namespace: Some(involved.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            involved_object: involved,
            type_: Some(match note.severity {
                Severity::Normal => "Normal".to_owned(),
                Severity::Warning => "Warning".to_owned(),
            }),
            reason: Some(note.reason.clone()),
            message: Some(note.message.clone()),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            source: Some(EventSource {
                component: Some(self.component.clone()),
                host: None,
            }),
            reporting_component: Some(self.component.clone()),
            reporting_instance: Some(String::new()),
            ..Event::default()
        }
    }
}

#[cfg(test)]
mod tests;
