//! Layer 2 on real interfaces: one thread of its own answers, whatever else the process is busy with.
//!
//! | module | owns |
//! | --- | --- |
//! | [`eligible`] | which interfaces announce, and which family; which gateways are asked |
//! | [`attached`] | how this node is attached to the network, as others are to know it |
//! | [`ownership`] | which addresses are answered for: [`cortenlb_proto::cluster`] with addresses and interfaces around it |
//! | [`hearing`] | whether other speakers are heard at all, and which of them are not |
//! | [`view`] | how this node sees the others, and is attached itself, as it is shown |
//! | [`transport`] | datagrams to and from the other speakers |
//! | [`driver`] | the thread: sockets, filters and group memberships around both machines |
//! | [`timeline`] | what this node took over, and when what led to it happened |
//! | [`claims`] | other stations' claims of what is announced here |
//! | [`failovers`] | the same, shared by the thread and those who read it |
//! | [`metrics`] | `metallb_layer2_*`, and what was not answered |
//!
//! The outside says what is to be announced by [`Handle::set_plan`], which never blocks: the thread takes the newest
//! plan when it wakes, a moment later. Nothing is queued, so nothing can overflow. Interfaces reach the thread the
//! same way, from netlink notifications.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cortenlb_core::time::Instant;
use cortenlb_kit::logs::chain;
use cortenlb_netio::clock;
use cortenlb_netio::gateway::GatewayWatch;
use cortenlb_netio::limits;
use cortenlb_netio::link::{self, LinkWatch};
use cortenlb_netio::poll::{Poller, Waker};
use cortenlb_netio::turns;
use cortenlb_proto::cluster::NodeId;
use cortenlb_proto::l2::{Gateways, Interfaces, Responder};
use cortenlb_proto::seal::Keys;
use cortenlb_wire::mac::MacAddr;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};

mod attached;
mod claims;
mod driver;
mod eligible;
mod failovers;
mod hearing;
mod metrics;
mod ownership;
mod timeline;
mod transport;
mod view;

use attached::Ports;
pub use claims::{Claim, Claims};
pub use eligible::{Exclusions, LoadError};
pub use failovers::Failovers;
use ownership::Ownership;
pub use ownership::{Group, Plan, Speaker};
pub use timeline::Takeover;
pub use transport::Bind;
use transport::Transport;
use view::View;

/// What the thread tells the rest of the process: the newest of each.
#[derive(Debug, Default)]
struct Told {
    /// The groups that this node owns, by their lowest addresses; none while that is not known.
    owned: watch::Sender<Option<BTreeSet<IpAddr>>>,
    /// The addresses that stations have which are no nodes, and where.
    contested: watch::Sender<BTreeMap<IpAddr, MacAddr>>,
    /// The records, for the next process of this node.
    records: watch::Sender<Vec<u8>>,
    view: watch::Sender<View>,
    failovers: Failovers,
    claims: Claims,
}

/// What the responder is told once.
#[derive(Debug)]
pub struct Settings {
    /// `metadata.name` of this node.
    pub node: String,
    /// Interfaces that announce nothing.
    pub exclusions: Exclusions,
    /// How often each address is told of again, if at all.
    pub refresh: Option<Duration>,
    /// Whether groups go to nodes that have fewer.
    pub rebalance: bool,
    /// Whether others' groups are answered for in their names while their speakers are away.
    pub stand_in: bool,
    /// Where this speaker hears the others; none: it hears none.
    pub bind: Option<Bind>,
    /// The records that an earlier process has left ([`Handle::records`]).
    pub records: Option<Vec<u8>>,
}

/// Why nothing is, or soon nothing will be, announced on layer 2: the process is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The interfaces are not known, or no longer followed.
    #[error("cannot follow the node's interfaces")]
    Links(#[source] link::Error),
    /// The other speakers cannot be heard.
    #[error(
        "cannot listen for the other speakers on UDP port {} of {} (--ml-bindaddr, --ml-bindport); does another process \
         have it, the speaker of a MetalLB that still runs?", bind.port, bind.address
    )]
    Bind {
        /// Where.
        bind: Bind,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread could not be started.
    #[error("cannot start the thread that answers on layer 2")]
    Start(#[source] io::Error),
    /// The thread cannot wait for frames; it has ended, and its sockets are closed.
    #[error("the thread that answers on layer 2 cannot wait for frames")]
    Wait(#[source] io::Error),
}

/// The running responder. Dropping it falls silent soon; [`Handle::stop`] does before it returns.
#[derive(Debug)]
pub struct Handle {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
    names: watch::Receiver<BTreeSet<String>>,
    owned: watch::Receiver<Option<BTreeSet<IpAddr>>>,
    contested: watch::Receiver<BTreeMap<IpAddr, MacAddr>>,
    records: watch::Receiver<Vec<u8>>,
    failovers: Failovers,
    claims: Claims,
    view: watch::Receiver<View>,
    failures: mpsc::Receiver<Failure>,
}

/// Starts to follow the interfaces and to answer. It announces nothing until it has a plan. Needs a tokio runtime and the
/// capability `NET_RAW`.
///
/// # Errors
/// [`Failure`]; nothing is left running.
pub async fn spawn(registry: &mut Registry, settings: Settings) -> Result<Handle, Failure> {
    let Settings {
        node,
        exclusions,
        refresh,
        rebalance,
        stand_in,
        bind,
        records,
    } = settings;
    match limits::raise_descriptors() {
        Ok(descriptors) => tracing::debug!(descriptors, "limit raised"),
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit on descriptors: IPv6 addresses beyond it are not announced");
        }
    }
    let links = LinkWatch::open().await.map_err(Failure::Links)?;
    let poller = Poller::new().map_err(Failure::Start)?;
    let mailbox = Arc::new(Mailbox {
        desired: Mutex::default(),
        waker: poller.waker(),
    });
    // One for the task that follows the links and one for the thread: neither tells more than one.
    let (failures, ended) = mpsc::channel(2);

    let metrics = metrics::Metrics::register(registry);
    let me = NodeId::of(&node);
    let transport = bind.map(|bind| {
        let opened = Transport::open(bind, me, rand::random(), rand::random());
        opened.map_err(|source| Failure::Bind { bind, source })
    });
    let now = Instant(clock::now());
    let born = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let born = u64::try_from(born.as_nanos()).unwrap_or(u64::MAX);
    let mut ownership = Ownership::new(now, me, born, rand::random());
    if rebalance {
        ownership = ownership.with_rebalancing();
    }
    if !stand_in {
        ownership = ownership.without_stand_ins();
    }
    if let Some(records) = records {
        ownership.restore(now, &records);
    }
    let machines = (Responder::new(refresh), ownership, transport.transpose()?);
    let told = Told::default();
    let (owned, contested) = (told.owned.subscribe(), told.contested.subscribe());
    let (records, failovers, claims) = (
        told.records.subscribe(),
        told.failovers.clone(),
        told.claims.clone(),
    );
    let view = told.view.subscribe();
    let driver = driver::Driver::new(poller, Arc::clone(&mailbox), metrics, machines, told);
    let failed = failures.clone();
    let thread = thread::Builder::new()
        .name("layer2".into())
        .spawn(move || {
            // Whoever asks waits for it, and so do those who listen for heartbeats.
            if let Err(error) = turns::shorten(turns::SHORTEST) {
                tracing::warn!(%error, "cannot ask for short turns: answers may be late while all cores are busy");
            }
            if let Err(error) = driver.run() {
                // A failure that nobody waits for is of no consequence.
                let _ = failed.try_send(Failure::Wait(error));
            }
        })
        .map_err(Failure::Start)?;

    let mut changes = links.subscribe();
    let names = watch::Sender::new(exclusions.names(&changes.borrow_and_update()));
    let handle = Handle {
        names: names.subscribe(),
        owned,
        contested,
        records,
        failovers,
        claims,
        view,
        mailbox: Arc::clone(&mailbox),
        thread: Some(thread),
        failures: ended,
    };
    tokio::spawn(async move {
        let _ = failures.try_send(Failure::Links(links.run().await));
    });
    tokio::spawn(follow_gateways(Arc::clone(&mailbox)));
    // Ends with the first task, which owns the sender of the changes.
    tokio::spawn(async move {
        loop {
            let links = Arc::clone(&changes.borrow_and_update());
            let found = (
                eligible::interfaces(&links, &exclusions),
                eligible::ports(&links, &exclusions),
            );
            mailbox.post(|desired| desired.links = Some(found));
            names.send_if_modified(|known| {
                let names = exclusions.names(&links);
                let changed = *known != names;
                *known = names;
                changed
            });
            if changes.changed().await.is_err() {
                return;
            }
        }
    });
    Ok(handle)
}

/// Lets the calling thread give way to the one that answers: the API server can wait, whoever asks on the segment does not for
/// long. To be called on threads other than the one that calls [`spawn`], or after it.
pub fn give_way() {
    if let Err(error) = turns::give_way() {
        tracing::debug!(%error, "cannot give way to the thread that answers on layer 2");
    }
}

/// Hands the default gateways on. Without them take-overs are only told, and nobody knows whether the gateway heard:
/// no reason to end.
async fn follow_gateways(mailbox: Arc<Mailbox>) {
    let watch = match GatewayWatch::open().await {
        Ok(watch) => watch,
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(
                error,
                "cannot find the default gateways: they are not asked on taking over"
            );
            return;
        }
    };
    let mut changes = watch.subscribe();
    let ended = tokio::spawn(watch.run());
    loop {
        let gateways = eligible::gateways(&changes.borrow_and_update());
        mailbox.post(|desired| desired.gateways = Some(gateways));
        if changes.changed().await.is_err() {
            break;
        }
    }
    if let Ok(error) = ended.await {
        let error = chain(&error);
        tracing::warn!(
            error,
            "cannot follow the default gateways: changes of them are not seen"
        );
    }
}

impl Handle {
    /// From now on this is to be announced, and no more: by this node what it owns of it.
    pub fn set_plan(&self, plan: Arc<Plan>) {
        self.mailbox.post(|desired| desired.plan = Some(plan));
    }

    /// Says which keys the speakers have. Until there are any, a speaker that has others is silent.
    pub fn key_setter(&self) -> impl Fn(Keys) + use<> {
        let mailbox = Arc::clone(&self.mailbox);
        move |keys| mailbox.post(|desired| desired.keys = Some(keys))
    }

    /// Says that this node can forward what comes in: before, it takes nothing that others can have.
    pub fn forwards_setter(&self) -> impl Fn() + use<> {
        let mailbox = Arc::clone(&self.mailbox);
        move || mailbox.post(|desired| desired.forwards = true)
    }

    /// The groups that this node owns, by their lowest addresses; none while that is not known: in the beginning, and
    /// after a pause.
    pub fn owned(&self) -> watch::Receiver<Option<BTreeSet<IpAddr>>> {
        self.owned.clone()
    }

    /// What the next process on this node is to be given, at most once a second.
    pub fn records(&self) -> watch::Receiver<Vec<u8>> {
        self.records.clone()
    }

    /// The addresses that stations have which are no nodes, as this node found before their first use, and where.
    pub fn contested(&self) -> watch::Receiver<BTreeMap<IpAddr, MacAddr>> {
        self.contested.clone()
    }

    /// Other stations' claims of what is announced here.
    pub fn claims(&self) -> Claims {
        self.claims.clone()
    }

    /// How this node hears the other speakers, as JSON at the time of the call: `unheard` is true while it hears none,
    /// although their pods are there; `missing` are the nodes of single ones that it should hear and does not. `attached`
    /// are this node's interfaces towards addresses.
    pub fn membership(&self) -> impl Fn() -> String + Clone + Send + Sync + use<> {
        let view = self.view.clone();
        move || view.borrow().json()
    }

    /// What this node took over of late.
    pub fn failovers(&self) -> Failovers {
        self.failovers.clone()
    }

    /// The names that an L2Advertisement's `interfaces` can mean: all interfaces of the node, down ones too, apart
    /// from the excluded ones (MetalLB's list).
    pub fn interface_names(&self) -> watch::Receiver<BTreeSet<String>> {
        self.names.clone()
    }

    /// Waits for what ends the responder; for ever, if nothing does.
    pub async fn failure(&mut self) -> Failure {
        match self.failures.recv().await {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Tells the others that this speaker ends, and falls silent when they have had the time to stand in: when this
    /// returns, no frame goes out any more.
    pub fn stop(mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell that `failure` would not have told.
            let _ = thread.join();
        }
    }

    fn end(&self) {
        self.mailbox.post(|desired| desired.stop = true);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the outside wants and the thread has not taken yet: the newest of each, not a queue.
#[derive(Debug)]
struct Mailbox {
    desired: Mutex<Desired>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Desired {
    plan: Option<Arc<Plan>>,
    keys: Option<Keys>,
    forwards: bool,
    /// The interfaces that announce, and those that would with carrier too.
    links: Option<(Interfaces, Ports)>,
    gateways: Option<Gateways>,
    stop: bool,
}

impl Mailbox {
    fn post(&self, change: impl FnOnce(&mut Desired)) {
        change(&mut self.lock());
        self.waker.wake();
    }

    fn take(&self) -> Desired {
        std::mem::take(&mut self.lock())
    }

    /// A holder that panicked has left whole values behind: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Desired> {
        self.desired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
