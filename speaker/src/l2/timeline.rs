//! What this node came to answer for, and when what led to that happened. Pure: times are handed in.
//!
//! A change is complete when the gateway has answered, which is later than all the others need it; so phases are added
//! to what is in the ring already.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{Cause, Former, Given};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// So many changes are kept and shown, the newest ones: a node's whole share is lost with it, and 256 are read through by
/// nobody.
const MOST: usize = 256;

/// A change of owners is kept for so long however many there are: each is an Event, once the segment has been told, which
/// takes a second for 5,000 addresses, and gateways may answer seconds later.
const UNDER_WAY: Duration = Duration::from_secs(60);

/// A step from the last sign of life of an owner to the traffic that the next one gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// There was a sign of life of the former owner, the last one.
    Heard,
    /// It was asked for.
    Suspected,
    /// It was known to be dead, away or draining.
    Confirmed,
    /// This node has the group.
    Taken,
    /// The first gratuitous frame went out.
    Announced,
    /// The default gateway answered to the new link-layer address.
    Gateway,
}

impl Phase {
    /// The value of a metric's label, and the name in JSON.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
            Self::Taken => "taken",
            Self::Announced => "announced",
            Self::Gateway => "gateway",
        }
    }
}

/// A group that this node came to answer for.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The lowest address.
    pub(super) group: IpAddr,
    /// All that this node announces of it.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// The name of the node with whose link-layer address it answers; none: with its own.
    pub(super) in_name_of: Option<String>,
    pub(super) cause: Cause,
    /// The name of the node that had it, and when that was lost.
    pub(super) former: Option<(String, Former)>,
}

/// What is kept of it.
#[derive(Debug)]
struct Change {
    time: Timestamp,
    group: IpAddr,
    addresses: BTreeSet<IpAddr>,
    in_name_of: Option<String>,
    cause: Cause,
    from: Option<String>,
    /// Why that gave it away; none: it was lost, or there was none.
    given: Option<Given>,
    phases: BTreeMap<Phase, Instant>,
    /// There is to be an Event about it, once the segment has been told.
    is_news: bool,
}

/// A take-over of which users are to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The lowest address of the group.
    pub group: IpAddr,
    /// What happened, and how long it took.
    pub message: String,
}

/// The newest changes.
#[derive(Debug, Default)]
pub(super) struct Timeline(VecDeque<Change>);

impl Timeline {
    /// Takes in a change. `now` is when this node took the group, `time` the same on the wall's clock.
    pub(super) fn taken(&mut self, now: Instant, time: Timestamp, taken: Taken) -> Vec<(Phase, Duration)> {
        let Taken {
            group,
            addresses,
            in_name_of,
            cause,
            former,
        } = taken;
        let (from, former) = former.unzip();
        let known = [
            (Phase::Heard, former.and_then(|former| former.heard)),
            (Phase::Suspected, former.and_then(|former| former.suspected)),
            (Phase::Confirmed, former.and_then(|former| former.confirmed)),
            (Phase::Taken, Some(now)),
        ];
        let phases = known.into_iter().filter_map(|(phase, at)| Some((phase, at?)));
        let phases: BTreeMap<Phase, Instant> = phases.collect();
        let change = Change {
            time,
            group,
            addresses,
            // Who stands in for the owner does not take what that has.
            is_news: from.is_some() && in_name_of.is_none(),
            in_name_of,
            cause,
            from,
            given: former.and_then(|former| former.given),
            phases,
        };
        let measured = [Phase::Suspected, Phase::Confirmed, Phase::Taken];
        let measured = measured.into_iter().filter_map(|phase| change.measured(phase));
        let measured = measured.collect();
        self.0.push_back(change);
        while self.0.len() > MOST && self.0.front().is_some_and(|oldest| !oldest.is_under_way(now)) {
            self.0.pop_front();
        }
        measured
    }

    /// The newest change about this address has come to a phase. Returns the time since the former owner's last sign of
    /// life if it was lost, that is known, and this is the first time.
    pub(super) fn reached(
        &mut self,
        now: Instant,
        address: IpAddr,
        phase: Phase,
    ) -> Option<(Phase, Duration)> {
        let mut newest_first = self.0.iter_mut().rev();
        let change = newest_first.find(|change| change.addresses.contains(&address))?;
        if change.phases.contains_key(&phase) {
            return None;
        }
        change.phases.insert(phase, now);
        change.measured(phase)
    }

    /// The take-overs of which nobody has been told, as far as the segment has.
    pub(super) fn news(&mut self) -> Vec<Takeover> {
        let news = self.0.iter_mut().filter(|change| change.is_news);
        let announced = news.filter(|change| change.phases.contains_key(&Phase::Announced));
        let told = announced.map(|change| {
            change.is_news = false;
            Takeover {
                group: change.group,
                message: change.told(),
            }
        });
        told.collect()
    }

    /// For people and programs: the newest change first.
    pub(super) fn to_json(&self) -> Value {
        let changes: Vec<Value> = self.0.iter().rev().take(MOST).map(Change::to_json).collect();
        json!({ "changes": changes })
    }
}

impl Change {
    /// The phases in milliseconds since the first that is known.
    fn offsets(&self) -> impl Iterator<Item = (Phase, u128)> {
        let first = self.phases.values().min().copied().unwrap_or_default();
        let phases = self.phases.iter();
        phases.map(move |(phase, at)| (*phase, (*at - first).as_millis()))
    }

    /// Whether it is a fail-over, of which the time counts.
    const fn is_fail_over(&self) -> bool {
        matches!(self.cause, Cause::OwnerDead(_))
    }

    /// What counts for the time that a fail-over takes: nothing if the owner lived.
    fn measured(&self, phase: Phase) -> Option<(Phase, Duration)> {
        let (heard, at) = (self.phases.get(&Phase::Heard)?, self.phases.get(&phase)?);
        self.is_fail_over().then(|| (phase, *at - *heard))
    }

    /// Whether something may still follow from it: an Event, or a time that counts.
    fn is_under_way(&self, now: Instant) -> bool {
        let counts = self.is_news || self.is_fail_over();
        let taken = self.phases.get(&Phase::Taken);
        counts && taken.is_some_and(|at| now - *at < UNDER_WAY)
    }

    fn told(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let from = self.from.as_deref().unwrap_or("?");
        let what = match self.given {
            None if matches!(self.cause, Cause::OwnerAway(_)) => "whose speaker is away",
            None => "which is gone",
            Some(Given::Drained) => "which is being drained",
            Some(Given::NoCandidate) => "which can no longer announce it",
            Some(Given::NoCarrier) => "whose interface towards it has no carrier",
            Some(Given::Unanswered) => "whose answers do not come through on the segment",
            Some(Given::Preferred) => "which is preferred less",
            Some(Given::Rebalanced) => "which had more addresses",
            Some(Given::Other) => "which gave it away",
        };
        let message = format!("took over {} from {from}, {what}", addresses.join(", "));
        if !matches!(self.given, None | Some(Given::Drained)) {
            // It may happen again and again, if carriers come and go: the same text counts up one Event.
            return message;
        }
        let mut offsets = self.offsets();
        let since = match offsets.next() {
            Some((Phase::Heard, _)) => "its last sign of life",
            Some((Phase::Confirmed, _)) => "that was known here",
            _ => return message,
        };
        let offsets: Vec<String> = offsets
            .map(|(phase, offset)| format!("{} {offset} ms", phase.label()))
            .collect();
        format!("{message}: {} after {since}", offsets.join(", "))
    }

    fn to_json(&self) -> Value {
        let phases: BTreeMap<&str, u64> = self
            .offsets()
            .map(|(phase, offset)| (phase.label(), u64::try_from(offset).unwrap_or(u64::MAX)))
            .collect();
        json!({
            "time": self.time.to_string(),
            "group": self.group,
            "addresses": self.addresses,
            "cause": self.cause.told().0,
            "from": self.from,
            "inNameOf": self.in_name_of,
            "milliseconds": phases,
        })
    }
}

#[cfg(test)]
mod tests;
