//! The running speaker: watches feed one task, which owns the index and hands its effects on.
//!
//! Tasks: one for each watch, the writer, the recorder of Events, the admin server, and `Speaker` itself. All
//! end with the runtime, which ends with [`run`]. `Speaker::run` waits in one `select!` on receivers only, all
//! of them cancel safe (`recv`, `recv_many`, `changed`, `notified`), and holds no other state across an await.

use crate::index::{Effect, Foreign, Index, Input, Key, Liveness, View};
use crate::membership::Membership;
use crate::metrics::Metrics;
use crate::statuses::Me;
use crate::{forwards, keys, l2, saved};
use anyhow::Context;
use cortenlb_crds::names::COMPONENT as OURS;
use cortenlb_crds::translate::announce as translate;
use cortenlb_crds::{ConfigurationState, IPAddressPool, L2Advertisement, ServiceL2Status};
use cortenlb_kit::admin::{self, Admin, Readiness, ReadyHandle};
use cortenlb_kit::events::{EventHandle, Recorder};
use cortenlb_kit::lease::Claim;
use cortenlb_kit::watch::{Change, Config, LONGEST_OF_MANY, watch, watch_as};
use cortenlb_kit::write::{Outcome, Refusal, WriteHandle, Writer};
use cortenlb_kit::{client, metrics, shutdown};
use cortenlb_wire::mac::MacAddr;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch as state};
use tokio_util::sync::CancellationToken;

/// The component in Events and in the audit log.
const COMPONENT: &str = "metallb-speaker";

/// Where the ConfigMap `metallb-excludel2` is mounted.
const EXCLUDED_INTERFACES: &str = "/etc/metallb/excludel2.yaml";

/// The queue `inputs`, and how many of them are decided at once: a list is one input, so that the first lists
/// need 9 places; the rest lets a burst of changes (a rollout of 200 pods) be decided in one go. When it is
/// full the watches wait.
const INPUTS: usize = 256;

/// So long the first lists are waited for; then the plan of an earlier process is good enough. Others stand in for this
/// node meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// One that tells something, but not all that is needed, is waited for so long: others do without this node for ten seconds
/// before they take what it has.
const PATIENCE_AT_MOST: Duration = Duration::from_secs(6);

/// What the flags say, parsed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This speaker.
    pub me: Me,
    /// Label selector of the speaker pods.
    pub speaker_labels: String,
    /// `--gratuitous-arp-interval`; none: addresses are told of only on taking over.
    pub refresh: Option<Duration>,
    /// `--rebalance`.
    pub rebalance: bool,
    /// `--stand-in`.
    pub stand_in: bool,
    /// How this speaker finds out which other nodes are there.
    pub membership: Membership,
    /// `--lb-class`.
    pub class: Option<String>,
    /// A kubeconfig, in place of the pod's service account.
    pub kubeconfig: Option<String>,
    /// Where the admin server listens.
    pub admin: admin::Settings,
}

/// Runs until SIGTERM, then falls silent and returns.
///
/// # Errors
/// Something that it cannot do without is not there (the API server may be away), or failed later.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let Settings {
        me,
        speaker_labels,
        refresh,
        rebalance,
        stand_in,
        membership,
        class,
        kubeconfig,
        admin,
    } = settings;
    let shutdown = shutdown::on_signal().context("cannot wait for signals")?;
    let client = match kubeconfig {
        Some(path) => client::connect_with_kubeconfig(&path, COMPONENT).await?,
        None => client::connect(COMPONENT).await?,
    };
    let admin = Admin::bind(admin).await?;
    let readiness = Readiness::default();
    let listed = readiness.handle("the watches are listed, and what this node owns is known");

    let mut registry = metrics::registry();
    let metrics = Metrics::register(&mut registry);
    let state = saved::folder();
    let settings = l2::Settings {
        node: me.node.clone(),
        exclusions: l2::Exclusions::load(Path::new(EXCLUDED_INTERFACES))?,
        refresh,
        rebalance,
        stand_in,
        bind: membership.bind.map(|address| l2::Bind {
            address,
            port: membership.port,
        }),
        records: state
            .as_deref()
            .and_then(|state| saved::load(&saved::records_in(state))),
    };
    let layer2 = l2::spawn(&mut registry, settings).await?;
    l2::give_way();
    let liveness = if membership.bind.is_some() {
        let mut unknown = Some(readiness.handle("the key of the speakers is known"));
        let set = layer2.key_setter();
        let tell = move |keys| {
            set(keys);
            if let Some(unknown) = unknown.take() {
                unknown.ready();
            }
        };
        tokio::spawn(keys::follow(
            client.clone(),
            me.namespace.clone(),
            membership,
            tell,
        ));
        Liveness::Heard
    } else {
        tracing::warn!(
            "no address to hear other speakers on (--ml-bindaddr): an address whose node is lost is taken over only when \
             Kubernetes notices, after some 40 s"
        );
        Liveness::Readiness
    };
    let plans = state::Sender::default();
    let mut known = None;
    if let Some(state) = state.filter(|_| liveness == Liveness::Heard) {
        known = saved::load(&saved::plan_in(&state)).and_then(|bytes| saved::read(&bytes));
        tokio::spawn(saved::keep(
            saved::records_in(&state),
            layer2.records(),
            Vec::clone,
        ));
        tokio::spawn(saved::keep(
            saved::plan_in(&state),
            plans.subscribe(),
            |plan: &Arc<l2::Plan>| saved::write(plan),
        ));
    }
    let set_forwards = layer2.forwards_setter();
    let (watching, node) = (client.clone(), me.node.clone());
    tokio::spawn(async move {
        forwards::until_ready(watching, &node).await;
        set_forwards();
    });
    let (events, recorder) = Recorder::new(client.clone(), COMPONENT, &mut registry);
    // Each speaker writes only what is its own: there is nothing to elect.
    let (_, claim) = state::channel(Claim::unconditional());
    let (writes, outcomes, writer) = Writer::new(client.clone(), COMPONENT, claim, &mut registry);

    tokio::spawn(recorder.run());
    tokio::spawn(writer.run(shutdown.clone()));
    let failovers = layer2.failovers();
    let admin = admin
        .with_json("/failovers", move || failovers.to_json())
        .with_json("/membership", layer2.membership());
    tokio::spawn(admin.serve(readiness, Arc::new(registry), client.clone(), shutdown.clone()));
    let (inputs, received) = mpsc::channel(INPUTS);
    watch_all(&client, &me, &speaker_labels, class, &inputs);
    Speaker {
        node: me.node.clone(),
        index: Index::new(me, liveness),
        inputs: received,
        outcomes,
        links: layer2.interface_names(),
        owned: layer2.owned(),
        contested: layer2.contested(),
        failovers: layer2.failovers(),
        claims: layer2.claims(),
        layer2,
        plans,
        known,
        events,
        writes,
        metrics,
        waiting: Some(listed),
    }
    .run(shutdown)
    .await
}

/// Cluster-wide kinds, and the configuration in our namespace.
fn watch_all(
    client: &Client,
    me: &Me,
    speaker_labels: &str,
    class: Option<String>,
    inputs: &mpsc::Sender<Input>,
) {
    let namespace = &me.namespace;
    fn spawn<K>(api: Api<K>, config: Config, inputs: &mpsc::Sender<Input>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
        Input: From<Change<K>>,
    {
        tokio::spawn(watch(api, config, LONGEST_OF_MANY, inputs.clone()));
    }
    fn ours<K>(client: &Client, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(client.clone(), namespace)
    }
    tokio::spawn(watch_as(
        Api::<Service>::all(client.clone()),
        Config::default(),
        LONGEST_OF_MANY,
        inputs.clone(),
        move |service: Service| View::of(&service, class.as_deref()),
    ));
    tokio::spawn(watch_as(
        Api::<EndpointSlice>::all(client.clone()),
        Config::default(),
        LONGEST_OF_MANY,
        inputs.clone(),
        |slice: EndpointSlice| translate::slice(&slice),
    ));
    spawn(Api::<Node>::all(client.clone()), Config::default(), inputs);
    spawn(
        ours::<IPAddressPool>(client, namespace),
        Config::default(),
        inputs,
    );
    spawn(
        ours::<L2Advertisement>(client, namespace),
        Config::default(),
        inputs,
    );
    spawn(
        ours::<ServiceL2Status>(client, namespace),
        Config::default(),
        inputs,
    );
    spawn(
        ours::<ConfigurationState>(client, namespace),
        Config::default().fields(&format!("metadata.name=speaker-{}", me.node)),
        inputs,
    );
    tokio::spawn(watch_as(
        ours::<Pod>(client, namespace),
        Config::default().labels(&format!("!{OURS}")),
        LONGEST_OF_MANY,
        inputs.clone(),
        |pod: Pod| Foreign::of(&pod),
    ));
    spawn(
        ours::<Pod>(client, namespace),
        Config::default().labels(speaker_labels),
        inputs,
    );
}

/// The task that owns the index.
#[derive(Debug)]
struct Speaker {
    node: String,
    index: Index,
    inputs: mpsc::Receiver<Input>,
    outcomes: mpsc::UnboundedReceiver<Outcome<Key>>,
    links: state::Receiver<BTreeSet<String>>,
    owned: state::Receiver<Option<BTreeSet<IpAddr>>>,
    contested: state::Receiver<BTreeMap<IpAddr, MacAddr>>,
    failovers: l2::Failovers,
    claims: l2::Claims,
    layer2: l2::Handle,
    /// The plans, for the next process.
    plans: state::Sender<Arc<l2::Plan>>,
    /// The last plan of the process before this one, while the API server has told nothing.
    known: Option<l2::Plan>,
    events: EventHandle,
    writes: WriteHandle<Key>,
    metrics: Metrics,
    waiting: Option<ReadyHandle>,
}

impl Speaker {
    async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        // The links are known before the thread runs; their changes come below.
        let names = self.links.borrow_and_update().clone();
        self.index.handle(Input::Links(names));
        let mut batch = Vec::with_capacity(INPUTS);
        let patience = tokio::time::sleep(PATIENCE);
        let latest = tokio::time::Instant::now() + PATIENCE_AT_MOST;
        tokio::pin!(patience);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => {
                    self.layer2.stop();
                    tracing::info!(op = "shutdown", "no address is announced from here any more");
                    return Ok(());
                }
                failure = self.layer2.failure() => return Err(failure.into()),
                _ = self.inputs.recv_many(&mut batch, INPUTS) => {}
                Some(outcome) = self.outcomes.recv() => {
                    if let Err(Refusal::Rejected { .. }) = outcome.result {
                        self.metrics.errors.inc();
                    }
                    batch.push(Input::Written(outcome));
                }
                Ok(()) = self.owned.changed() => {
                    // While it is not known, what was told last stands.
                    batch.extend(self.owned.borrow_and_update().clone().map(Input::Owned));
                }
                () = &mut patience, if self.known.is_some() => {
                    tracing::warn!("the API server has told nothing yet: what it told last is announced until it does");
                    self.layer2.set_plan(self.known.take().unwrap_or_default().into());
                }
                Ok(()) = self.contested.changed() => {
                    let contested = self.contested.borrow_and_update().clone();
                    self.metrics.contested.set(i64::try_from(contested.len()).unwrap_or(i64::MAX));
                    batch.push(Input::Contested(contested));
                }
                () = self.claims.made() => {
                    let claims = self.claims.take().into_iter();
                    let notes = claims.flat_map(|claim| self.index.claimed(&claim));
                    notes.for_each(|note| self.events.publish(&note));
                }
                () = self.failovers.announced() => {
                    let takeovers = self.failovers.take().into_iter();
                    let notes = takeovers.flat_map(|takeover| self.index.took_over(&takeover));
                    notes.for_each(|note| self.events.publish(&note));
                }
                Ok(()) = self.links.changed() => {
                    batch.push(Input::Links(self.links.borrow_and_update().clone()));
                }
            }
            self.metrics.updates.inc_by(batch.len() as u64);
            if self.known.is_some() && !batch.is_empty() {
                // It is there, and may take long to list what there is.
                let later = tokio::time::Instant::now() + PATIENCE;
                patience.as_mut().reset(later.min(latest));
            }
            for input in batch.drain(..) {
                self.index.handle(input);
            }
            self.settle();
        }
    }

    fn settle(&mut self) {
        for effect in self.index.settle() {
            match effect {
                Effect::Plan(plan) => {
                    self.known = None;
                    if self.plans.receiver_count() > 0 {
                        self.plans.send_replace(Arc::clone(&plan));
                    }
                    self.layer2.set_plan(plan);
                }
                Effect::Announced { service, address } => {
                    // The Event says it of the Service, and the layer 2 thread of the group; which address it is, is for who
                    // looks closer.
                    tracing::debug!(
                        event = "serviceAnnounced",
                        %service,
                        ip = %address,
                        protocol = "layer2",
                        "service has IP, announcing"
                    );
                    self.metrics.set_announced(&service, address, &self.node, true);
                }
                Effect::Withdrawn {
                    service,
                    address,
                    reason,
                } => {
                    tracing::info!(
                        event = "serviceWithdrawn",
                        %service,
                        ip = %address,
                        reason,
                        "withdrawing service announcement"
                    );
                    self.metrics.set_announced(&service, address, &self.node, false);
                }
                Effect::Note(note) => self.events.publish(&note),
                Effect::Write(write) => self.writes.send(write),
            }
        }
        self.metrics.config_stale.set(self.index.any_ignored().into());
        if let Some(write) = self.index.poll_state(&Time(Timestamp::now())) {
            self.writes.send(write);
        }
        if self.index.is_settled()
            && let Some(waiting) = self.waiting.take()
        {
            tracing::info!("every watch is listed, and what this node owns is known");
            self.metrics.config_loaded.set(1);
            waiting.ready();
        }
    }
}
