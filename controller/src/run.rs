//! The running controller: watches feed one task, which owns the two indexes and hands their effects on.
//!
//! Tasks: one for each watch, the writer, the recorder of Events, the election, the admin server, the removal of a
//! left-over webhook, and [`Controller`] itself. All end with the runtime, which ends with [`run`].
//! [`Controller::run`] waits in one `select!` on receivers and a timer, all of them cancel safe (`recv`, `recv_many`,
//! `changed`, `sleep_until`), and holds no other state across an await.

use std::fmt::Debug;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cortenlb_core::time::Instant;
use cortenlb_crds::names::LEASE;
use cortenlb_crds::{BGPPeer, IPAddressPool, L2Advertisement, ServiceL2Status};
use cortenlb_kit::admin::{Admin, Readiness, ReadyHandle};
use cortenlb_kit::events::{EventHandle, Recorder};
use cortenlb_kit::flags::Common;
use cortenlb_kit::lease::{self, Candidate, Claim, Timing};
use cortenlb_kit::watch::{Change, Config, LONGEST_OF_FEW, watch};
use cortenlb_kit::write::{Drained, Outcome, WriteHandle, Writer};
use cortenlb_kit::{client, metrics, shutdown};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch as state};
use tokio_util::sync::CancellationToken;

use crate::announced::{self, Announced};
use crate::index::{Effect, Index, Input, Key, Now};
use crate::metrics::Metrics;
use crate::webhook;

/// The component in Events and in the audit log.
const COMPONENT: &str = "metallb-controller";

/// The queue `inputs`, and how many of them are decided at once. A list is one input, so that the first lists need 9
/// places; the rest lets a burst of changes (an apply of some hundred Services) be decided in one go. When it is full
/// the watches wait.
const INPUTS: usize = 512;

/// What the flags say, parsed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What both programs are told; the Lease is in the namespace of the configuration.
    pub common: Common,
    /// By which this process holds the Lease.
    pub identity: String,
    /// Label selector of the speaker pods.
    pub speaker_labels: String,
    /// Where the admin server listens.
    pub admin: Vec<SocketAddr>,
}

/// Runs until SIGTERM, then gives the Lease back and returns.
///
/// # Errors
/// Something that it cannot do without is not there; the API server may be away.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let Settings {
        common:
            Common {
                namespace,
                class,
                kubeconfig,
                ..
            },
        identity,
        speaker_labels,
        admin,
    } = settings;
    let shutdown = shutdown::on_signal().context("cannot wait for signals")?;
    let client = match kubeconfig {
        Some(path) => client::connect_with_kubeconfig(&path, COMPONENT).await?,
        None => client::connect(COMPONENT).await?,
    };
    let admin = Admin::bind(&admin).await?;
    let readiness = Readiness::default();
    let listed = readiness.handle("Services, pools and namespaces are listed");

    let mut registry = metrics::registry();
    let metrics = Metrics::register(&mut registry);
    let (claims, claim) = state::channel(Claim::none());
    let (events, recorder) = Recorder::new(client.clone(), COMPONENT, &mut registry);
    let (writes, outcomes, writer) = Writer::new(client.clone(), COMPONENT, claim.clone(), &mut registry);

    let candidate = Candidate {
        namespace: namespace.clone(),
        name: LEASE.to_owned(),
        identity,
        timing: Timing::default(),
    };
    let release = CancellationToken::new();
    let election = tokio::spawn(lease::run(client.clone(), candidate, claims, release.clone()));
    let writer = tokio::spawn(writer.run(shutdown.clone()));
    tokio::spawn(recorder.run());
    tokio::spawn(webhook::remove(client.clone()));
    tokio::spawn(admin.serve(readiness, Arc::new(registry), shutdown.clone()));
    let (inputs, received) = mpsc::channel(INPUTS);
    watch_all(&client, &namespace, &speaker_labels, &inputs);
    Controller {
        index: Index::new(class.clone(), &namespace),
        announced: Announced::new(class),
        inputs: received,
        outcomes,
        claim,
        events,
        writes,
        metrics,
        waiting: Some(listed),
        epoch: tokio::time::Instant::now(),
    }
    .run(shutdown)
    .await;
    // A write whose fate is unknown may still land: then the Lease must expire, so that the next leader knows.
    if matches!(writer.await, Ok(Drained::Clean)) {
        release.cancel();
        election.await.context("the election ended badly")?;
    }
    Ok(())
}

/// What a watch tells, to whichever index it is for.
#[derive(Debug)]
enum Told {
    Index(Box<Input>),
    Announced(Box<announced::Input>),
}

macro_rules! told {
    ($($kind:ty => $to:expr;)*) => {
        $(impl From<Change<$kind>> for Told {
            fn from(change: Change<$kind>) -> Self {
                $to(change)
            }
        })*
    };
}

told! {
    Service => |change| Self::Index(Box::new(Input::Services(change)));
    IPAddressPool => |change| Self::Index(Box::new(Input::Pools(change)));
    Namespace => |change| Self::Index(Box::new(Input::Namespaces(change)));
    BGPPeer => |change| Self::Index(Box::new(Input::Peers(change)));
    EndpointSlice => |change| Self::Announced(Box::new(announced::Input::Slices(change)));
    Node => |change| Self::Announced(Box::new(announced::Input::Nodes(Box::new(change))));
    L2Advertisement => |change| Self::Announced(Box::new(announced::Input::Advertisements(change)));
    Pod => |change| Self::Announced(Box::new(announced::Input::Speakers(Box::new(change))));
    ServiceL2Status => |change| Self::Announced(Box::new(announced::Input::Statuses(change)));
}

/// Cluster-wide kinds, and the configuration in our namespace.
fn watch_all(client: &Client, namespace: &str, speaker_labels: &str, inputs: &mpsc::Sender<Told>) {
    fn spawn<K>(api: Api<K>, config: Config, inputs: &mpsc::Sender<Told>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
        Told: From<Change<K>>,
    {
        tokio::spawn(watch(api, config, LONGEST_OF_FEW, inputs.clone()));
    }
    let all = Config::default;
    spawn(Api::<Service>::all(client.clone()), all(), inputs);
    spawn(Api::<Namespace>::all(client.clone()), all(), inputs);
    spawn(Api::<EndpointSlice>::all(client.clone()), all(), inputs);
    spawn(Api::<Node>::all(client.clone()), all(), inputs);
    spawn(
        Api::<IPAddressPool>::namespaced(client.clone(), namespace),
        all(),
        inputs,
    );
    spawn(
        Api::<BGPPeer>::namespaced(client.clone(), namespace),
        all(),
        inputs,
    );
    spawn(
        Api::<L2Advertisement>::namespaced(client.clone(), namespace),
        all(),
        inputs,
    );
    spawn(
        Api::<ServiceL2Status>::namespaced(client.clone(), namespace),
        all(),
        inputs,
    );
    spawn(
        Api::<Pod>::namespaced(client.clone(), namespace),
        all().labels(speaker_labels),
        inputs,
    );
}

/// The task that owns the indexes.
#[derive(Debug)]
struct Controller {
    index: Index,
    announced: Announced,
    inputs: mpsc::Receiver<Told>,
    outcomes: mpsc::UnboundedReceiver<Outcome<Key>>,
    claim: state::Receiver<Claim>,
    events: EventHandle,
    writes: WriteHandle<Key>,
    metrics: Metrics,
    waiting: Option<ReadyHandle>,
    /// Where the index's clock begins.
    epoch: tokio::time::Instant,
}

impl Controller {
    async fn run(mut self, shutdown: CancellationToken) {
        let mut batch = Vec::with_capacity(INPUTS);
        loop {
            let timeout = self.index.poll_timeout();
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(outcome) = self.outcomes.recv() => self.feed(Input::Written(Box::new(outcome))),
                Ok(()) = self.claim.changed() => self.lead(),
                _ = self.inputs.recv_many(&mut batch, INPUTS) => {
                    self.metrics.updates.inc_by(batch.len() as u64);
                    for told in batch.drain(..) {
                        self.told(told);
                    }
                }
                () = sleep_until(self.epoch, timeout) => self.index.handle_timeout(self.now()),
            }
            for (service, verdict) in self.announced.settle() {
                self.feed(Input::Announced { service, verdict });
            }
            self.settle();
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Index(input) => {
                match input.as_ref() {
                    Input::Services(change) => self.announced.services(change),
                    Input::Pools(change) => self.announced.pools(change),
                    _ => {}
                }
                self.feed(*input);
            }
            Told::Announced(input) => self.announced.handle(&input),
        }
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.index.handle_input(now, input);
    }

    /// A new term is a new start, even if it follows upon our own.
    fn lead(&mut self) {
        let held = self.claim.borrow_and_update().held;
        self.feed(Input::Lead(false));
        self.feed(Input::Lead(held));
    }

    fn settle(&mut self) {
        while let Some(effect) = self.index.poll_output() {
            match effect {
                Effect::Write(write) => self.writes.send(write),
                Effect::Note(note) => {
                    let object = note.involved.name.as_deref().unwrap_or_default();
                    let namespace = note.involved.namespace.as_deref().unwrap_or_default();
                    tracing::info!(event = note.reason, namespace, object, "{}", note.message);
                    self.events.publish(note);
                }
                Effect::Usage { pool, usage } => self.metrics.set_usage(&pool, usage),
                Effect::Config { stale } => {
                    self.metrics.config_loaded.set(1);
                    self.metrics.config_stale.set(stale.into());
                }
                Effect::Failed => {
                    self.metrics.errors.inc();
                }
            }
        }
        if self.index.is_listed()
            && let Some(waiting) = self.waiting.take()
        {
            tracing::info!("every watch is listed");
            waiting.ready();
        }
    }

    fn now(&self) -> Now {
        let nanoseconds = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // The API's times are whole seconds.
        let wall = Timestamp::now();
        let wall = Timestamp::from_second(wall.as_second()).unwrap_or(wall);
        Now {
            boot: Instant(nanoseconds),
            wall,
        }
    }
}

async fn sleep_until(epoch: tokio::time::Instant, timeout: Option<Instant>) {
    match timeout {
        Some(Instant(nanoseconds)) => {
            tokio::time::sleep_until(epoch + Duration::from_nanos(nanoseconds)).await;
        }
        None => pending().await,
    }
}
