//! Metrics of the layer 2 thread, by MetalLB's names where it has one.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cortenlb_proto::cluster::{Cause, NodeId, Unreadable};
use cortenlb_proto::l2::DropReason;
use cortenlb_proto::seal::Refused;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::timeline::Phase;

/// A number that only rises. OpenMetrics would have a counter's name end in `_total`, and MetalLB's do not: as
/// gauges they keep the names that dashboards ask for.
type Rising = Family<Ip, Gauge<u64, AtomicU64>>;

/// From an answer on an idle segment to one that needed a few questions.
const GATEWAY_LEARNED: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Close together where three missed heartbeats, the questions after them and the verdict come; up to an owner whose
/// speaker is away for ten seconds.
const FAILED_OVER: [f64; 12] = [0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.75, 1.0, 2.5, 5.0, 15.0];

/// What the thread counts. Each value is shared with the registry.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    requests: Rising,
    responses: Rising,
    gratuitous: Rising,
    claims: Family<Claim, Counter>,
    friends_claims: Family<Claim, Counter>,
    ignored: Family<Reason, Counter>,
    /// Frames that passed the filter of a socket, those among them that the kernel had no room for.
    pub(super) accepted: Counter,
    /// Frames that the kernel had no room for in a socket's queue.
    pub(super) overflowed: Counter,
    /// Claims of which no Event tells.
    pub(super) untold: Counter,
    /// Frames that could not be sent.
    pub(super) unsent: Counter,
    /// Datagrams of other speakers that were not taken.
    refused: Family<Reason, Counter>,
    /// 1 while no other speaker is heard, although their pods are there.
    pub(super) hears_nobody: Gauge,
    /// Seconds from a take-over to the gateway's answer.
    pub(super) gateway_learned: Histogram,
    failed_over: Family<Step, Histogram, fn() -> Histogram>,
    /// Groups that this node came to answer for.
    came: Family<Why, Counter>,
    phases: Family<Step, Counter>,
    /// How often heartbeats of another speaker did not come.
    pub(super) suspected: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ip {
    ip: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Claim {
    ip: String,
    interface: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    cause: &'static str,
}

impl Metrics {
    /// Makes them part of `registry`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Rising::default(),
            responses: Rising::default(),
            gratuitous: Rising::default(),
            claims: Family::default(),
            friends_claims: Family::default(),
            ignored: Family::default(),
            accepted: Counter::default(),
            overflowed: Counter::default(),
            untold: Counter::default(),
            unsent: Counter::default(),
            refused: Family::default(),
            hears_nobody: Gauge::default(),
            gateway_learned: Histogram::new(GATEWAY_LEARNED),
            failed_over: Family::new_with_constructor(|| Histogram::new(FAILED_OVER)),
            came: Family::default(),
            phases: Family::default(),
            suspected: Counter::default(),
        };
        metrics.begin();
        registry.register(
            "metallb_layer2_requests_received",
            "Number of layer2 requests received for owned IPs",
            metrics.requests.clone(),
        );
        registry.register(
            "metallb_layer2_responses_sent",
            "Number of layer2 responses sent for owned IPs in response to requests",
            metrics.responses.clone(),
        );
        registry.register(
            "metallb_layer2_gratuitous_sent",
            "Number of gratuitous layer2 packets sent for owned IPs as a result of failovers",
            metrics.gratuitous.clone(),
        );
        registry.register(
            "cortenlb_layer2_foreign_claims",
            "Number of frames in which another station claimed an IP that this node owns",
            metrics.claims.clone(),
        );
        registry.register(
            "cortenlb_layer2_node_claims",
            "Number of frames in which another node of the cluster claimed an IP that this node answers for",
            metrics.friends_claims.clone(),
        );
        registry.register(
            "cortenlb_layer2_ignored",
            "Number of frames that passed the socket's filter and were not answered",
            metrics.ignored.clone(),
        );
        registry.register(
            "cortenlb_layer2_accepted",
            "Number of frames that passed a socket's filter, looked at every 10 s",
            metrics.accepted.clone(),
        );
        registry.register(
            "cortenlb_layer2_overflowed",
            "Number of frames lost because the receive queue was full",
            metrics.overflowed.clone(),
        );
        registry.register(
            "cortenlb_layer2_claims_dropped",
            "Number of defended claims of which no Event tells, since too many stations claim too many IPs",
            metrics.untold.clone(),
        );
        registry.register(
            "cortenlb_layer2_unsent",
            "Number of frames that the interface did not take",
            metrics.unsent.clone(),
        );
        registry.register(
            "cortenlb_membership_refused",
            "Number of datagrams on the speakers' port that were not taken",
            metrics.refused.clone(),
        );
        registry.register(
            "cortenlb_membership_unheard",
            "1 if no other speaker has been heard for 10 s although their pods are there, else 0",
            metrics.hears_nobody.clone(),
        );
        registry.register(
            "cortenlb_gateway_learned_seconds",
            "Time from the take-over of an IP to the default gateway's answer that proves that it knows the new MAC",
            metrics.gateway_learned.clone(),
        );
        registry.register(
            "cortenlb_failover_seconds",
            "Time from the last sign of life of an owner that was lost to each phase of the take-over by this node",
            metrics.failed_over.clone(),
        );
        registry.register(
            "cortenlb_ownership_changes",
            "Number of groups of IPs that this node came to answer for",
            metrics.came.clone(),
        );
        registry.register(
            "cortenlb_membership_phases",
            "Number of times that another speaker came into a phase, as seen from this node",
            metrics.phases.clone(),
        );
        registry.register(
            "cortenlb_membership_suspected",
            "Number of times that heartbeats of another speaker did not come, three in a row as a rule, and it was asked for",
            metrics.suspected.clone(),
        );
        metrics
    }

    /// Counters that alerts look at begin with 0, so that the first increase is one.
    fn begin(&self) {
        let nobody = NodeId::of("");
        for cause in [
            Cause::Placed,
            Cause::OwnerDead(nobody),
            Cause::OwnerAway(nobody),
            Cause::OwnerBack(nobody),
            Cause::HandedOver,
            Cause::Preferred,
            Cause::Rebalanced,
            Cause::Conflict(nobody),
            Cause::Confirmed,
            Cause::Renamed,
        ] {
            let (cause, _) = cause.told();
            drop(self.came.get_or_create(&Why { cause }));
        }
        for refused in [Refused::ForeignKey, Refused::Replayed, Refused::Version] {
            let reason = refused.label();
            drop(self.refused.get_or_create(&Reason { reason }));
        }
    }

    pub(super) fn asked(&self, address: IpAddr) {
        self.requests.get_or_create(&Ip::of(address)).inc();
    }

    pub(super) fn answered(&self, address: IpAddr) {
        self.responses.get_or_create(&Ip::of(address)).inc();
    }

    pub(super) fn told(&self, address: IpAddr) {
        self.gratuitous.get_or_create(&Ip::of(address)).inc();
    }

    /// Somebody else has claimed this address on the interface with this name.
    pub(super) fn claimed(&self, address: IpAddr, interface: &str) {
        let claim = Claim::of(address, interface);
        self.claims.get_or_create(&claim).inc();
    }

    /// As [`claimed`](Self::claimed), by another node of the cluster.
    pub(super) fn claimed_by_friend(&self, address: IpAddr, interface: &str) {
        let claim = Claim::of(address, interface);
        self.friends_claims.get_or_create(&claim).inc();
    }

    pub(super) fn refused(&self, refused: Refused) {
        let reason = refused.label();
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// As [`refused`](Self::refused), of one that is authentic.
    pub(super) fn unreadable(&self, error: Unreadable) {
        let reason = match error {
            Unreadable::Version(_) => Refused::Version.label(),
            _ => "malformed",
        };
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    pub(super) fn failed_over(&self, phase: Phase, after: Duration) {
        let phase = phase.label();
        let step = self.failed_over.get_or_create(&Step { phase });
        step.observe(after.as_secs_f64());
    }

    pub(super) fn came(&self, cause: &'static str) {
        self.came.get_or_create(&Why { cause }).inc();
    }

    pub(super) fn phase(&self, phase: &'static str) {
        self.phases.get_or_create(&Step { phase }).inc();
    }

    pub(super) fn ignored(&self, reason: DropReason) {
        self.ignored
            .get_or_create(&Reason {
                reason: reason.label(),
            })
            .inc();
    }
}

impl Claim {
    fn of(address: IpAddr, interface: &str) -> Self {
        Self {
            ip: address.to_string(),
            interface: interface.to_owned(),
        }
    }
}

impl Ip {
    fn of(address: IpAddr) -> Self {
        Self {
            ip: address.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
