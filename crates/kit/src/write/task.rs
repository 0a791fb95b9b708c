//! The writer's task: the queue, the requests under way, and the gate.

use std::{collections::HashSet, fmt::Debug, hash::Hash, sync::Arc};

use kube::Client;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Outcome, Write,
    attempt::{Attempt, Heard, attempt},
    line::Line,
    queue::Queue,
};
use crate::{backoff, lease::Claim, metrics::Registry, outage::Seldom, watch::LONGEST_OF_FEW};

/// Requests under way at a time. HTTP/1.1 needs a connection for each, and the API server's priority and fairness
/// gives one client about as many seats: more would only wait there.
pub const CONCURRENCY: usize = 32;

/// The sending end. Cheap to clone; the writer ends when all are gone.
#[derive(Debug)]
pub struct WriteHandle<K>(mpsc::UnboundedSender<Decided<K>>);

/// A write, and the term in which it was decided.
#[derive(Debug)]
struct Decided<K> {
    term: i32,
    write: Write<K>,
}

impl<K> Clone for WriteHandle<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> WriteHandle<K> {
    /// Hands a write over that was decided in this term ([`Claim::transitions`]); when another one has begun it is
    /// dropped. Never waits. After the writer's end a write goes nowhere.
    ///
    /// The queue has no bound of its own: with [`Write::supersede`] it holds at most one patch per object and
    /// priority, and the caller's index holds the objects themselves.
    pub fn send_in(&self, term: i32, write: Write<K>) {
        // A closed channel means shutdown: nobody is left to be told.
        let _ = self.0.send(Decided { term, write });
    }

    /// The same for a process without a Lease ([`Claim::unconditional`]).
    pub fn send(&self, write: Write<K>) {
        self.send_in(Claim::unconditional().transitions, write);
    }
}

/// How a writer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request of this term has been answered: the Lease may be released, once the late writes of earlier terms
    /// are fenced off.
    Clean,
    /// The fate of a request of this term is unknown. It may still land, so the Lease must be left to expire: only after
    /// an expiry does the next leader fence off late writes.
    Ambiguous,
}

/// The writing task: [`run`](Self::run) it.
pub struct Writer<K> {
    client: Client,
    manager: Arc<str>,
    claim: watch::Receiver<Claim>,
    writes: mpsc::UnboundedReceiver<Decided<K>>,
    outcomes: mpsc::UnboundedSender<Outcome<K>>,
    metrics: Metrics,
    busy: watch::Sender<bool>,
}

/// From an answer on the same machine to [`REQUEST_TIMEOUT`](crate::client::REQUEST_TIMEOUT).
const ANSWERED: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 8.0];

/// What the task counts. Each value is shared with the registry.
struct Metrics {
    writes: Family<ResultLabel, Counter>,
    /// Seconds from a request to the API server's answer.
    answered: Histogram,
    /// Objects for which writes wait or are under way.
    waiting: Gauge,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            writes: Family::default(),
            answered: Histogram::new(ANSWERED),
            waiting: Gauge::default(),
        };
        for result in WriteResult::ALL {
            drop(metrics.writes.get_or_create(&ResultLabel { result }));
        }
        registry.register(
            "cortenlb_api_writes",
            "Writes to the API server: done, refused by it, sent again, or dropped for want of the Lease",
            metrics.writes.clone(),
        );
        registry.register(
            "cortenlb_api_write_seconds",
            "Time from the request of a write to the API server's answer; writes without an answer are not in it",
            metrics.answered.clone(),
        );
        registry.register(
            "cortenlb_api_writes_waiting",
            "Number of objects for which a write waits or is under way",
            metrics.waiting.clone(),
        );
        metrics
    }

    fn count(&self, result: WriteResult, writes: usize) {
        if writes > 0 {
            let counter = self.writes.get_or_create(&ResultLabel { result });
            counter.inc_by(writes as u64);
        }
    }
}

/// A writer's sending end, the receiving end of its outcomes, and the task itself.
pub type Parts<K> = (WriteHandle<K>, mpsc::UnboundedReceiver<Outcome<K>>, Writer<K>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: WriteResult,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum WriteResult {
    Done,
    Refused,
    Retried,
    Dropped,
}

impl WriteResult {
    const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Retried, Self::Dropped];
}

/// What ends inside the writer's set of tasks.
enum Ended<K> {
    Attempt {
        write: Box<Write<K>>,
        /// The term in which it was sent.
        term: i32,
        probe: Option<u64>,
        sent: Instant,
        result: Attempt,
    },
    Backoff(K),
}

/// What the running task holds.
struct Running<K> {
    /// The claim under which the queue was filled.
    claim: Claim,
    queue: Queue<K>,
    line: Line,
    tasks: JoinSet<Ended<K>>,
    /// Tasks that wait for the API server; those that sleep through a backoff are not counted.
    active: usize,
    /// Objects for which a request of this term may have landed, or may yet, without an answer that said so. Those of
    /// earlier terms are no matter of this one's end: its own beginning has to fence them off, or the term between did.
    unsettled: HashSet<K>,
    /// When users were told that writes are not done: in an overload that happens to thousands.
    told: Seldom,
}

impl<K: Clone + Debug + Eq + Hash + Send + 'static> Writer<K> {
    /// A writer that sends while `claim` holds ([`Claim::unconditional`] for a process without a Lease).
    ///
    /// `manager` is the field manager in `managedFields`. The metrics `cortenlb_api_write…` are registered.
    /// Outcomes are not bounded either: there is at most one for each write, and a writer that waited for its caller
    /// would in the end wait for itself.
    #[must_use]
    pub fn new(
        client: Client,
        manager: &str,
        claim: watch::Receiver<Claim>,
        registry: &mut Registry,
    ) -> Parts<K> {
        let (handle, writes) = mpsc::unbounded_channel();
        let (outcomes, receiver) = mpsc::unbounded_channel();
        let writer = Self {
            client,
            manager: manager.into(),
            claim,
            writes,
            outcomes,
            metrics: Metrics::register(registry),
            busy: watch::Sender::new(false),
        };
        (WriteHandle(handle), receiver, writer)
    }

    /// Whether requests are under way: traffic of lower rank waits for a lull
    /// ([`Recorder::yielding_to`](crate::events::Recorder::yielding_to)).
    #[must_use]
    pub fn busy(&self) -> watch::Receiver<bool> {
        self.busy.subscribe()
    }

    /// Writes until `shutdown` or until all handles are gone; then drops what waits, and returns when the requests
    /// under way are answered.
    ///
    /// Without a term, writes are dropped and counted: a new leader decides everything anew. So they are when one term of
    /// ours follows another. While a term is suspended they wait, for it may yet go on.
    pub async fn run(mut self, shutdown: CancellationToken) -> Drained {
        let mut running = Running {
            claim: *self.claim.borrow_and_update(),
            queue: Queue::default(),
            line: Line::default(),
            tasks: JoinSet::new(),
            active: 0,
            unsettled: HashSet::new(),
            told: Seldom::default(),
        };
        let mut open = true;
        while open || running.active > 0 {
            let suspended = open && self.start(&mut running);
            let busy = running.active > 0;
            let waiting = i64::try_from(running.queue.len()).unwrap_or(i64::MAX);
            self.metrics.waiting.set(waiting);
            self.busy
                .send_if_modified(|before| std::mem::replace(before, busy) != busy);
            let opens = running.line.opens();
            let waits =
                opens.is_some() && !suspended && running.active < CONCURRENCY && !running.queue.is_idle();
            let opens = opens.unwrap_or_else(Instant::now);
            tokio::select! {
                () = shutdown.cancelled(), if open => open = false,
                Some(ended) = running.tasks.join_next() => {
                    self.ended(&mut running, ended.expect("the tasks neither panic nor are they aborted"));
                }
                write = self.writes.recv(), if open => match write {
                    Some(Decided { term, write }) => {
                        // Before the push: what a new term decided is sent after its claim is known.
                        let claim = self.notice(&mut running);
                        if claim.held && claim.transitions == term {
                            running.queue.push(write);
                        } else {
                            self.metrics.count(WriteResult::Dropped, 1);
                        }
                    }
                    None => open = false,
                },
                () = sleep_until(opens), if open && waits => {}
                // An election that is gone renews nothing: its claim stays as it is.
                Ok(()) = self.claim.changed(), if suspended => {}
            }
        }
        if running.unsettled.is_empty() {
            Drained::Clean
        } else {
            Drained::Ambiguous
        }
    }

    /// The claim as it is now. What was decided in another term, or without one, is dropped.
    fn notice(&mut self, running: &mut Running<K>) -> Claim {
        let claim = *self.claim.borrow_and_update();
        let before = std::mem::replace(&mut running.claim, claim);
        if !claim.held || !before.held || before.transitions != claim.transitions {
            self.metrics.count(WriteResult::Dropped, running.queue.clear());
            running.unsettled.clear();
        }
        claim
    }

    /// Sends as much as may be under way. Returns whether the rest waits for the claim.
    fn start(&mut self, running: &mut Running<K>) -> bool {
        while running.active < CONCURRENCY {
            let claim = self.notice(running);
            let now = Instant::now();
            if !claim.holds(now) {
                return claim.held && !running.queue.is_idle();
            }
            if !running.line.is_open(now) {
                return false;
            }
            let Some(write) = running.queue.pop() else {
                return false;
            };
            let probe = running.line.sent(now);
            running.active += 1;
            let (client, manager) = (self.client.clone(), Arc::clone(&self.manager));
            running.tasks.spawn(async move {
                let result = attempt(&client, &manager, &write.target, &write.op).await;
                Ended::Attempt {
                    write: Box::new(write),
                    term: claim.transitions,
                    probe,
                    sent: now,
                    result,
                }
            });
        }
        false
    }

    fn ended(&self, running: &mut Running<K>, ended: Ended<K>) {
        let (write, term, probe, sent, result) = match ended {
            Ended::Backoff(key) => return running.queue.wake(&key),
            Ended::Attempt {
                write,
                term,
                probe,
                sent,
                result,
            } => (*write, term, probe, sent, result),
        };
        running.active -= 1;
        let now = Instant::now();
        match &result {
            Attempt::Transient {
                heard: Heard::Nothing,
                ..
            } => running.line.unanswered(now, probe),
            _ => {
                running.line.answered();
                self.metrics.answered.observe((now - sent).as_secs_f64());
            }
        }
        let result = match result {
            Attempt::Done(object) => Ok(object),
            Attempt::Refused(refusal) => Err(refusal),
            Attempt::Transient { reason, after, heard } => {
                let key = write.key.clone();
                let claim = *self.claim.borrow();
                if !claim.held || claim.transitions != term {
                    self.metrics.count(WriteResult::Dropped, 1);
                    return running.queue.done(&key);
                }
                if heard != Heard::NotDone {
                    running.unsettled.insert(key.clone());
                }
                self.metrics.count(WriteResult::Retried, 1);
                let target = write.target.clone();
                let failures = running.queue.put_back(write);
                let delay = match heard {
                    // The line says when; this is only for a write that alone breaks each connection.
                    Heard::Nothing => backoff::delay(0, LONGEST_OF_FEW),
                    Heard::NotDone | Heard::Unsure => after
                        .unwrap_or_default()
                        .max(backoff::delay(failures, LONGEST_OF_FEW)),
                };
                // That nobody answers the client tells, once for the whole process.
                if heard != Heard::Nothing && running.told.is_due(now) {
                    tracing::warn!(
                        %target,
                        reason,
                        "the API server does not do a write: it is sent again until it is judged, and so are all others"
                    );
                } else {
                    tracing::debug!(%target, reason, ?delay, "write not judged, will be sent again");
                }
                running.tasks.spawn(async move {
                    sleep(delay).await;
                    Ended::Backoff(key)
                });
                return;
            }
        };
        let counted = if result.is_ok() {
            WriteResult::Done
        } else {
            WriteResult::Refused
        };
        self.metrics.count(counted, 1);
        running.unsettled.remove(&write.key);
        running.queue.done(&write.key);
        // A caller that no longer listens has ended; its writes need no reader.
        let _ = self.outcomes.send(Outcome { write, term, result });
    }
}
