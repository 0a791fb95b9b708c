//! One controller: watches feed one task, which owns the two indexes and hands their effects on.
//!
//! Tasks: one for each watch, one for a [`listing`] while it lasts, the writer, the recorder of Events, the election,
//! [`secret`], and [`Controller`] itself. All end when [`Running::run`] returns or is dropped. [`Controller::run`] waits in
//! one `select!` on receivers, tasks and a timer, all of them cancel safe (`recv`, `recv_many`, `changed`, `join_next`,
//! `sleep_until`), and holds no other state across an await.

use std::fmt::Debug;
use std::future::pending;
use std::time::Duration;

use anyhow::Context;
use cortenlb_core::announce::Fact;
use cortenlb_core::time::Instant;
use cortenlb_crds::names::{COMPONENT as OURS, LEASE};
use cortenlb_crds::translate::announce as translate;
use cortenlb_crds::{
    AddressReservation, BGPPeer, ConfigurationState, IPAddressPool, L2Advertisement, ServiceL2Status,
};
use cortenlb_kit::admin::{Readiness, ReadyHandle};
use cortenlb_kit::events::{EventHandle, Recorder};
use cortenlb_kit::lease::{self, Candidate, Claim, Predecessor, Timing};
use cortenlb_kit::metrics::Registry;
use cortenlb_kit::watch::{Change, Config, LONGEST_OF_FEW, watch, watch_as, watch_if_installed};
use cortenlb_kit::write::{Drained, Outcome, WriteHandle, Writer};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch as state};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::announced::{self, Announced, Announcer};
use crate::conflicts::Conflicts;
use crate::index::{COMPONENT, Effect, Index, Input, Key, Lead, Now, Settings, View};
use crate::listing;
use crate::metrics::Metrics;
use crate::pending::Pending;
use crate::secret;

/// The queue `inputs`, and how many of them are decided at once. A list is one input, so that the first lists need 12
/// places; the rest lets a burst of changes (an apply of some hundred Services) be decided in one go. When it is full
/// the watches wait.
const INPUTS: usize = 512;

/// What makes a replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// What decides; the Lease is in the namespace of the configuration.
    pub settings: Settings,
    /// By which this process holds the Lease.
    pub identity: String,
    /// Label selector of the speaker pods.
    pub speaker_labels: String,
    /// The times of the election.
    pub timing: Timing,
    /// The Secret with the speakers' key, in the namespace of the configuration; `None` leaves it to others.
    pub secret: Option<secret::Wanted>,
}

/// A replica whose tasks run.
pub struct Running {
    controller: Controller,
    writer: Writer<Key>,
    election: JoinSet<()>,
    claim: state::Receiver<Claim>,
    release: CancellationToken,
    /// The watches, the recorder of Events, and the keeper of the Secret.
    others: JoinSet<()>,
}

impl Running {
    /// Starts the tasks on the current runtime. `wall` is the clock by which times are written down.
    pub fn start(
        client: Client,
        replica: Replica,
        readiness: &Readiness,
        registry: &mut Registry,
        wall: fn() -> Timestamp,
    ) -> Self {
        let Replica {
            settings,
            identity,
            speaker_labels,
            timing,
            secret,
        } = replica;
        let listed = readiness.handle("everything that decides about addresses is listed");
        let metrics = Metrics::register(registry);
        let (claims, claim) = state::channel(Claim::none());
        let (events, recorder) = Recorder::new(client.clone(), COMPONENT, registry);
        let (writes, outcomes, writer) = Writer::new(client.clone(), COMPONENT, claim.clone(), registry);
        let candidate = Candidate {
            namespace: settings.namespace.clone(),
            name: LEASE.to_owned(),
            identity,
            timing,
        };
        let released = claim.clone();
        let release = CancellationToken::new();
        let mut election = JoinSet::new();
        election.spawn(lease::run(client.clone(), candidate, claims, release.clone()));
        let services = Api::all(client.clone());
        let mut others = JoinSet::new();
        others.spawn(recorder.yielding_to(writer.busy()).run());
        let (inputs, received) = mpsc::channel(INPUTS);
        watch_all(&mut others, &client, &settings, &speaker_labels, &inputs);
        if let Some(wanted) = secret {
            let namespace = settings.namespace.clone();
            others.spawn(secret::keep(client, namespace, wanted, claim.clone()));
        }
        let controller = Controller {
            announced: Announced::default(),
            conflicts: Conflicts::default(),
            pending: Pending::default(),
            services,
            lists: JoinSet::new(),
            index: Index::new(settings),
            inputs: received,
            outcomes,
            claim,
            lead: None,
            events,
            writes,
            metrics,
            waiting: Some(listed),
            epoch: tokio::time::Instant::now(),
            wall,
        };
        Self {
            controller,
            writer,
            election,
            claim: released,
            release,
            others,
        }
    }

    /// Runs until `shutdown`, then gives the Lease back and returns.
    ///
    /// # Errors
    /// The election has ended badly; the Lease will expire.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self {
            controller,
            writer,
            mut election,
            claim,
            release,
            others,
        } = self;
        let mut writing = JoinSet::new();
        writing.spawn(writer.run(shutdown.clone()));
        let ended = controller.run(shutdown).await;
        let drained = writing.join_next().await;
        // A write whose fate is unknown may still land, be it ours or one that our fence was to keep out: then the Lease
        // must expire, so that the next leader knows.
        let claim = *claim.borrow();
        let exposed = match ended {
            Some((lead, exposed)) if lead.epoch == claim.transitions => exposed,
            _ => claim.predecessor == Predecessor::Expired,
        };
        if !exposed && matches!(drained, Some(Ok(Drained::Clean))) {
            release.cancel();
            if let Some(ended) = election.join_next().await {
                ended.context("the election ended badly")?;
            }
        }
        drop(others);
        Ok(())
    }
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
    View => |change| Self::Index(Box::new(Input::Services(change)));
    IPAddressPool => |change| Self::Index(Box::new(Input::Pools(change)));
    Namespace => |change| Self::Index(Box::new(Input::Namespaces(change)));
    AddressReservation => |change| Self::Index(Box::new(Input::Reservations(change)));
    ConfigurationState => |change| Self::Index(Box::new(Input::States(change)));
    Pod => |change| Self::Announced(Box::new(announced::Input::Speakers(Box::new(change))));
    BGPPeer => |change| Self::Index(Box::new(Input::Peers(change)));
    Fact => |change| Self::Announced(Box::new(announced::Input::Slices(Box::new(change))));
    Node => |change| Self::Announced(Box::new(announced::Input::Nodes(Box::new(change))));
    L2Advertisement => |change| Self::Announced(Box::new(announced::Input::Advertisements(Box::new(change))));
    Announcer => |change| Self::Announced(Box::new(announced::Input::Statuses(change)));
}

/// A pod that is none of ours: the speakers' are told as [`Pod`].
#[derive(Debug)]
struct Foreign(Pod);

impl From<Change<Foreign>> for Told {
    fn from(change: Change<Foreign>) -> Self {
        let change = Box::new(change.map(|Foreign(pod)| pod));
        Self::Index(Box::new(Input::Rivals(change)))
    }
}

/// Cluster-wide kinds, and the configuration in our namespace.
fn watch_all(
    tasks: &mut JoinSet<()>,
    client: &Client,
    settings: &Settings,
    speaker_labels: &str,
    inputs: &mpsc::Sender<Told>,
) {
    fn spawn<K>(tasks: &mut JoinSet<()>, api: Api<K>, config: Config, inputs: &mpsc::Sender<Told>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
        Told: From<Change<K>>,
    {
        tasks.spawn(watch(api, config, LONGEST_OF_FEW, inputs.clone()));
    }
    let all = Config::default;
    let in_namespace = &settings.namespace;
    let class = settings.class.clone();
    let services = Api::<Service>::all(client.clone());
    let read = move |service: Service| View::of(&service, class.as_deref());
    tasks.spawn(watch_as(services, all(), LONGEST_OF_FEW, inputs.clone(), read));
    let pods = Api::<Pod>::namespaced(client.clone(), in_namespace);
    let foreign = all().labels(&format!("!{OURS}"));
    tasks.spawn(watch_as(
        pods.clone(),
        foreign,
        LONGEST_OF_FEW,
        inputs.clone(),
        Foreign,
    ));
    spawn(tasks, pods, all().labels(speaker_labels), inputs);
    spawn(tasks, Api::<Namespace>::all(client.clone()), all(), inputs);
    let slices = Api::<EndpointSlice>::all(client.clone());
    let read = |slice: EndpointSlice| translate::slice(&slice);
    tasks.spawn(watch_as(slices, all(), LONGEST_OF_FEW, inputs.clone(), read));
    spawn(tasks, Api::<Node>::all(client.clone()), all(), inputs);
    // Ours is optional: without its definition there are no reservations.
    let reservations = Api::<AddressReservation>::all(client.clone());
    tasks.spawn(watch_if_installed(
        reservations,
        all(),
        LONGEST_OF_FEW,
        inputs.clone(),
    ));
    let pools = Api::<IPAddressPool>::namespaced(client.clone(), in_namespace);
    spawn(tasks, pools, all(), inputs);
    let peers = Api::<BGPPeer>::namespaced(client.clone(), in_namespace);
    spawn(tasks, peers, all(), inputs);
    let advertisements = Api::<L2Advertisement>::namespaced(client.clone(), in_namespace);
    spawn(tasks, advertisements, all(), inputs);
    let states = Api::<ConfigurationState>::namespaced(client.clone(), in_namespace);
    spawn(tasks, states, all().fields("metadata.name=controller"), inputs);
    let statuses = Api::<ServiceL2Status>::namespaced(client.clone(), in_namespace);
    let read = |status: ServiceL2Status| Announcer::of(&status);
    tasks.spawn(watch_as(statuses, all(), LONGEST_OF_FEW, inputs.clone(), read));
}

/// The task that owns the indexes.
#[derive(Debug)]
struct Controller {
    index: Index,
    /// For the lists that the index asks for.
    services: Api<Service>,
    lists: JoinSet<Input>,
    announced: Announced,
    conflicts: Conflicts,
    pending: Pending,
    inputs: mpsc::Receiver<Told>,
    outcomes: mpsc::UnboundedReceiver<Outcome<Key>>,
    claim: state::Receiver<Claim>,
    /// The term that the index knows of.
    lead: Option<Lead>,
    events: EventHandle,
    writes: WriteHandle<Key>,
    metrics: Metrics,
    waiting: Option<ReadyHandle>,
    /// Where the index's clock begins.
    epoch: tokio::time::Instant,
    wall: fn() -> Timestamp,
}

impl Controller {
    /// Returns the term in which it ended, and whether late writes of others could still land in it.
    async fn run(mut self, shutdown: CancellationToken) -> Option<(Lead, bool)> {
        let mut batch = Vec::with_capacity(INPUTS);
        loop {
            let timeout = self.index.poll_timeout();
            tokio::select! {
                () = shutdown.cancelled() => {
                    return self.lead.map(|lead| (lead, self.index.is_exposed()));
                }
                Some(outcome) = self.outcomes.recv() => {
                    self.feed(Input::Written(Box::new(outcome)));
                }
                Ok(()) = self.claim.changed() => self.lead(),
                Some(found) = self.lists.join_next() => {
                    // One that was aborted answers nothing.
                    if let Ok(found) = found {
                        self.feed(found);
                    }
                }
                _ = self.inputs.recv_many(&mut batch, INPUTS) => {
                    self.metrics.updates.inc_by(batch.len() as u64);
                    for told in batch.drain(..) {
                        self.told(told);
                    }
                }
                () = sleep_until(self.epoch, timeout) => self.index.handle_timeout(self.now()),
            }
            if let Some(contested) = self.conflicts.settle() {
                self.feed(Input::Contested(contested));
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
                    Input::Services(change) => {
                        let allocated = self.pending.services(self.now().boot, change);
                        // A standby sees what the leader does.
                        if self.lead.is_some() {
                            self.metrics.observe_allocated(&allocated);
                        }
                        self.announced.services(change);
                        self.conflicts.services(change);
                    }
                    Input::Pools(change) => self.announced.pools(change),
                    Input::Rivals(change) => self.announced.rivals(change),
                    _ => {}
                }
                self.feed(*input);
            }
            Told::Announced(input) => {
                if let announced::Input::Statuses(change) = input.as_ref() {
                    self.conflicts.statuses(change);
                }
                self.announced.handle(&input);
                if let announced::Input::Advertisements(change) = *input {
                    self.feed(Input::Advertisements(*change));
                }
            }
        }
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.index.handle_input(now, input);
    }

    /// A new term is a new start, even if it follows upon our own; a renewal is none, however late.
    fn lead(&mut self) {
        let claim = *self.claim.borrow_and_update();
        let lead = claim.held.then_some(Lead {
            epoch: claim.transitions,
            predecessor: claim.predecessor,
        });
        if std::mem::replace(&mut self.lead, lead) != lead {
            self.feed(Input::Lead(None));
            self.feed(Input::Lead(lead));
        }
        if lead.is_none() {
            self.metrics.forget_usage();
        }
        self.metrics.leader.set(lead.is_some().into());
    }

    fn settle(&mut self) {
        while let Some(effect) = self.index.poll_output() {
            match effect {
                Effect::Write(write) => {
                    // Only a leader's index writes.
                    if let Some(lead) = self.lead {
                        self.writes.send_in(lead.epoch, write);
                    }
                }
                Effect::List(question) => {
                    let list = listing::newest(self.services.clone(), question);
                    // An answer to an earlier question is of no use.
                    self.lists.abort_all();
                    self.lists.spawn(list);
                }
                Effect::Note(note) => self.events.publish(&note),
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
        let pending = i64::try_from(self.pending.len()).unwrap_or(i64::MAX);
        self.metrics.pending.set(pending);
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
        let wall = (self.wall)();
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
