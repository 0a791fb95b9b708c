//! One Service: what was seen of it last, and what is remembered between a write and its echo.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cortenlb_core::announce::Fact;
use cortenlb_core::few::FewList;
use cortenlb_core::ipam::{Claim, InUse};
use cortenlb_core::name::ServiceKey;
use cortenlb_core::time::Instant;
use cortenlb_crds::names;
use cortenlb_crds::translate::announce;
use cortenlb_crds::translate::service::{self, LoadBalancer};
use cortenlb_kit::events::Note;
use cortenlb_kit::write::Op;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;

use super::conditions::Conditions;
use super::desired::Desired;
use super::input::Verdict;
use super::packed::{Uid, Version};

/// Whoever writes its own addresses back this often …
const REWRITES: usize = 3;
/// … within this time is another controller, and is left alone.
const REWRITE_WINDOW: Duration = Duration::from_secs(60);

/// A Service as the controller reads it: thousands are listed at once, and none is held whole.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub key: ServiceKey,
    /// What decides about who announces it.
    pub fact: Fact,
    pub(super) seen: Seen,
}

impl View {
    /// What matters of a Service to a controller of load balancer class `class` (MetalLB's `--lb-class`).
    pub fn of(object: &Service, class: Option<&str>) -> Self {
        let key = announce::key(object);
        Self {
            fact: announce::service_named(key.clone(), object, class),
            key,
            seen: Seen::of(object, class),
        }
    }

    /// Whether it is ours to serve.
    pub fn is_ours(&self) -> bool {
        self.seen.wants.is_some()
    }

    /// Whether it is to have an address, and has none.
    pub fn is_pending(&self) -> bool {
        self.is_ours() && self.seen.addresses.is_empty()
    }

    /// Whether it has an address of ours to give.
    pub fn has_address(&self) -> bool {
        self.is_ours() && !self.seen.addresses.is_empty()
    }

    /// Whether its status says why it has none.
    pub fn is_refused(&self) -> bool {
        let said = self.seen.conditions.get(names::CONDITION_ADDRESS_ASSIGNED);
        said.is_some_and(|verdict| !verdict.status)
    }
}

/// What the API server holds, as far as it matters.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) uid: Option<Uid>,
    pub(super) version: Version,
    pub(super) generation: Option<i64>,
    /// What it asks for; none if it is not ours to serve.
    pub(super) wants: Option<LoadBalancer>,
    pub(super) is_load_balancer: bool,
    pub(super) addresses: FewList<IpAddr>,
    /// Whether each entry of the status is an address and nothing else: no host name, no ports, `ipMode` by default.
    pub(super) is_plain: bool,
    /// The annotation that names the pool, in either spelling.
    pub(super) pool: Option<Box<str>>,
    /// Whether the deprecated spelling of that annotation is there.
    pub(super) deprecated_pool: bool,
    pub(super) conditions: Conditions,
    /// The stamp of a leader that followed upon an expired Lease.
    pub(super) epoch: Option<Box<str>>,
}

impl Seen {
    pub(super) fn of(object: &Service, class: Option<&str>) -> Self {
        let status = object.status.as_ref();
        Self {
            uid: object.metadata.uid.as_deref().map(Uid::from),
            version: object
                .metadata
                .resource_version
                .as_deref()
                .unwrap_or_default()
                .into(),
            generation: object.metadata.generation,
            wants: service::load_balancer(object, class),
            is_load_balancer: service::is_load_balancer(object),
            is_plain: service::is_plain(object),
            addresses: service::ingress(object).into(),
            pool: service::allocated_from(object).map(Box::from),
            deprecated_pool: object
                .annotations()
                .contains_key(names::IP_ALLOCATED_FROM_POOL_DEPRECATED),
            conditions: Conditions::of(
                status
                    .and_then(|status| status.conditions.as_deref())
                    .unwrap_or_default(),
            ),
            epoch: object
                .annotations()
                .get(names::EPOCH)
                .map(|stamp| stamp.as_str().into()),
        }
    }

    /// What has not changed stays where it is: the allocator holds some of it, and the rest would leave gaps behind, all
    /// over the heap, with each of the thousands of forms that come by.
    fn settle_into(&mut self, old: Self) {
        keep(&mut self.uid, old.uid);
        keep(&mut self.wants, old.wants);
        keep(&mut self.addresses, old.addresses);
        keep(&mut self.pool, old.pool);
        self.conditions.settle_into(old.conditions);
    }

    pub(super) fn created(&self) -> i64 {
        self.wants.as_ref().map_or(0, |wants| wants.created)
    }

    /// The addresses in the status that are ours to keep: those that a pool covers, or all if the annotation says that
    /// they came from one. Anything else is foreign.
    pub(super) fn claim(&self, covered: impl Fn(IpAddr) -> bool) -> Option<Claim> {
        service::claim(
            self.wants.as_ref()?,
            &self.addresses,
            self.pool.as_deref(),
            covered,
        )
    }

    /// Whether it belongs to another load balancer class, and we have said something on it.
    pub(super) fn is_anothers_with_our_condition(&self) -> bool {
        self.is_load_balancer
            && self.wants.is_none()
            && self.condition(names::CONDITION_ADDRESS_ASSIGNED).is_some()
    }

    /// What our condition `type_` says.
    pub(super) fn condition(&self, type_: &str) -> Option<&Verdict> {
        self.conditions.get(type_)
    }
}

/// Of two that are equal the older one stays.
pub(super) fn keep<T: PartialEq>(new: &mut T, old: T) {
    if *new == old {
        *new = old;
    }
}

/// One Service.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) seen: Seen,
    /// The Events of the write that is under way: they are true once it has landed.
    under_way: Option<Box<UnderWay>>,
    /// A write that met 409, with the version from which it was decided. It may have landed all the same: if its answer is
    /// lost, what is sent again meets its own landing.
    doubtful: Option<Box<(Version, UnderWay)>>,
    /// The version from which a write was decided that was refused: only a newer one is decided from again.
    refused: Option<Box<Version>>,
    /// Our addresses, once they have been seen in the status.
    settled: Option<FewList<IpAddr>>,
    rewrites: Vec<Instant>,
    yielded: Option<Yielded>,
    /// What it was given last, and when, by this process.
    pub(super) given: Option<(Instant, FewList<IpAddr>)>,
    /// Why the Service lost the address that its status shows.
    pub(super) lost: Option<Box<InUse>>,
    /// It was ours, and belongs to another load balancer class now.
    pub(super) left: bool,
    /// It belongs to another load balancer class, and had our condition when this process began to decide: it has left
    /// while nobody looked. Once for each start, since the condition may also be that of a CortenLB for that class,
    /// which writes it again.
    pub(super) relic: bool,
    /// Some(None): it is to have no condition about its announcement. None: nobody has said, what it has stays.
    pub(super) announced: Option<Option<Arc<Verdict>>>,
}

/// A write that has not been answered.
#[derive(Debug)]
struct UnderWay {
    notes: Vec<Note>,
    /// The addresses that it adds.
    addresses: Vec<IpAddr>,
    /// What the Service says once it has landed.
    desired: Desired,
}

/// The status is left to another controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Yielded {
    /// The condition is still to be written.
    Untold,
    /// It was seen. It is not repeated if the other removes it, or the fight would go on over the condition.
    Told,
}

impl Record {
    pub(super) fn new(seen: Seen) -> Self {
        Self {
            seen,
            under_way: None,
            doubtful: None,
            refused: None,
            settled: None,
            rewrites: Vec::new(),
            yielded: None,
            given: None,
            lost: None,
            left: false,
            relic: false,
            announced: None,
        }
    }

    /// Takes a newer form. A change of what is asked for is the user's word: the fight is forgotten.
    pub(super) fn see(&mut self, seen: Seen) {
        if self.seen.wants != seen.wants {
            self.yielded = None;
            self.rewrites.clear();
        }
        self.left = seen.wants.is_none() && (self.left || self.seen.wants.is_some());
        self.relic &= seen.is_anothers_with_our_condition();
        let old = std::mem::replace(&mut self.seen, seen);
        self.seen.settle_into(old);
    }

    /// Nothing that was sent will be answered.
    pub(super) fn restart(&mut self) {
        self.under_way = None;
        self.doubtful = None;
        self.refused = None;
        self.suspend();
    }

    /// Nothing is held until it is adopted anew. What was sent will be answered.
    pub(super) fn suspend(&mut self) {
        self.settled = None;
        self.rewrites.clear();
        self.yielded = None;
        self.lost = None;
    }

    /// The addresses that the status has, if they are not there to `stay`, or will have if the write under way lands.
    pub(super) fn shows(&self, stay: bool) -> impl Iterator<Item = IpAddr> {
        let under_way = self.under_way.iter().flat_map(|write| &write.addresses);
        let seen = self.seen.addresses.iter().filter(move |_| !stay);
        seen.chain(under_way).copied()
    }

    /// Whether the status is left to another controller.
    pub(super) fn has_yielded(&self) -> bool {
        self.yielded.is_some()
    }

    /// Whether these addresses were the ones that it held when its status was last right.
    pub(super) fn had(&self, addresses: &[IpAddr]) -> bool {
        self.settled.as_deref() == Some(addresses)
    }

    /// Whether somebody has replaced our addresses `held`, which had been in the status.
    pub(super) fn notice_rewrite(&mut self, now: Instant, key: &ServiceKey, held: &[IpAddr]) {
        if self.settled.as_deref() != Some(held) || self.in_place(held) {
            return;
        }
        self.settled = None;
        self.rewrites.retain(|at| now - *at < REWRITE_WINDOW);
        self.rewrites.push(now);
        if self.rewrites.len() >= REWRITES && self.yielded.is_none() {
            tracing::warn!(service = %key, "another controller keeps writing this status: it is left alone");
            self.yielded = Some(Yielded::Untold);
        }
    }

    pub(super) fn notice_settled(&mut self, held: Option<&[IpAddr]>) {
        let Some(held) = held.filter(|held| self.in_place(held)) else {
            return;
        };
        self.settled = Some(held.into());
        self.yielded = None;
        self.lost = None;
    }

    fn in_place(&self, held: &[IpAddr]) -> bool {
        *self.seen.addresses == *held && self.seen.is_plain
    }

    pub(super) fn may_write(&mut self, desired: &Desired) -> bool {
        if self.yielded == Some(Yielded::Untold) && desired.is_said_by(&self.seen) {
            self.yielded = Some(Yielded::Told);
        }
        self.under_way.is_none()
            && self.refused.as_deref() != Some(&self.seen.version)
            && self.yielded != Some(Yielded::Told)
    }

    /// A write is on its way that adds these addresses.
    pub(super) fn sent(&mut self, now: Instant, notes: Vec<Note>, addresses: Vec<IpAddr>, desired: Desired) {
        if !addresses.is_empty() {
            self.given = Some((now, addresses.as_slice().into()));
        }
        self.under_way = Some(Box::new(UnderWay {
            notes,
            addresses,
            desired,
        }));
        self.doubtful = None;
        self.refused = None;
    }

    /// Nothing newer has come: the form from which the refused write was decided may be decided from again.
    pub(super) fn forgive(&mut self) {
        self.refused = None;
    }

    /// A write landed, and `held` is what the Service holds; returns its Events. What was written counts as seen in the
    /// status: who changes it on its way there, as a webhook can, is another controller too, and must not be answered
    /// without end.
    pub(super) fn landed(&mut self, held: Option<&[IpAddr]>) -> Vec<Note> {
        let Some(write) = self.under_way.take() else {
            return Vec::new();
        };
        if held.is_some() && write.desired.addresses.as_deref() == held {
            self.settled = held.map(FewList::from);
        }
        write.notes
    }

    /// A write was refused; `conflict`: with 409.
    pub(super) fn refused(&mut self, op: &Op, conflict: bool) {
        let write = self.under_way.take();
        let Some(version) = op.decided_from() else { return };
        let version = Version::from(version.as_str());
        self.doubtful = write
            .filter(|write| conflict && !write.notes.is_empty())
            .map(|write| Box::new((version.clone(), *write)));
        self.refused = Some(Box::new(version));
    }

    /// The Events of a write that met 409, if `is_shown` says that a newer form shows what it was to bring.
    pub(super) fn take_doubtful(&mut self, is_shown: impl FnOnce(&Seen, &Desired) -> bool) -> Vec<Note> {
        let seen = &self.seen;
        let Some(doubtful) = self.doubtful.take_if(|doubtful| doubtful.0 != seen.version) else {
            return Vec::new();
        };
        let (_, UnderWay { notes, desired, .. }) = *doubtful;
        if is_shown(seen, &desired) {
            notes
        } else {
            Vec::new()
        }
    }
}
