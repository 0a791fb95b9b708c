//! How many stand behind what this member decides: more than half of the known speakers, or at most half of them.
//!
//! Of two even halves that one counts for more whose default gateway answers, since the clients are there. What it answered
//! before they were cut off from each other says nothing of where it is now: it is asked from then on, and nobody is
//! replaced until it has had the time to answer.

use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::Backing;

use super::{Cluster, Output};

/// A side that is no longer a majority waits for so long before it acts as a minority: those that are missed may contradict.
const FALL: Duration = Duration::from_millis(300);

/// A side that has come to be a majority waits for so long before it acts as one: it may have been one all the time
/// without this member, and know better.
const RISE: Duration = Duration::from_millis(500);

/// Where the number of speakers is even the gateway is asked this often, …
const ASK: Duration = Duration::from_secs(2);

/// … and for it to count it must have answered within this time.
const ANSWERED: Duration = ASK.saturating_mul(2);

/// While its answer decides, and is missing, it is asked this often, …
const AGAIN: Duration = Duration::from_millis(25);

/// … for so long.
const INSIST: Duration = Duration::from_secs(1);

/// One that answered before has so long to do so again: less than it takes to find that somebody is gone.
const PATIENCE: Duration = Duration::from_millis(80);

/// How many stand behind what this member decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// More than half of the known speakers.
    Majority,
    /// Half of them, and the gateway has until then to say whether they are the right one.
    Asking(Instant),
    /// No longer, but that may be an error until then.
    Falling(Instant),
    /// At most half of them.
    Minority,
    /// More than half of them, but they may know better until then.
    Rising(Instant),
}

/// The standing, and what the gateway has to do with it.
#[derive(Debug)]
pub(super) struct Support {
    standing: Standing,
    /// When the gateway has answered last.
    answered: Option<Instant>,
    /// When to ask it.
    ask: Instant,
    /// Since when just half of the speakers are there.
    halved: Option<Instant>,
}

impl Support {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            standing: Standing::Minority,
            answered: None,
            ask: now,
            halved: None,
        }
    }

    /// Whether the gateway has answered, since its answer decides if it does.
    fn has_gateway(&self, now: Instant) -> bool {
        let since = self.halved.unwrap_or_default();
        self.answered
            .is_some_and(|at| at >= since && now - at <= ANSWERED)
    }

    /// Until when the gateway may answer, if it did before.
    fn patience(&self, now: Instant) -> Option<Instant> {
        let since = self.halved?;
        let answered = self.answered.filter(|at| *at < since && since - *at <= ANSWERED);
        answered.map(|_| since + PATIENCE).filter(|until| now < *until)
    }
}

impl Cluster {
    /// The default gateway has answered.
    pub(super) fn gateway_answered(&mut self, now: Instant) {
        self.support.answered = Some(now);
        self.weigh(now);
    }

    /// When something of this is due.
    pub(super) fn next_weighing(&self) -> Option<Instant> {
        let ask = self.may_be_halved().then_some(self.support.ask);
        [ask, self.hesitates_until()].into_iter().flatten().min()
    }

    /// Whether there can be two even halves.
    fn may_be_halved(&self) -> bool {
        let speakers = self.members.roster().len();
        speakers > 0 && speakers.is_multiple_of(2)
    }

    /// How many stand behind what this member decides.
    pub(super) fn weigh(&mut self, now: Instant) {
        let doubtful = self.inquiries.count(&self.members);
        if !self.members.are_half(doubtful) {
            self.support.halved = None;
        } else if self.support.halved.is_none() {
            self.support.halved = Some(now);
            self.support.ask = now;
        }
        self.ask_gateway(now);
        let most = self.members.are_majority(doubtful, self.support.has_gateway(now));
        let standing = match self.support.standing {
            _ if self.is_only() && most => Standing::Majority,
            Standing::Majority | Standing::Asking(_) if !most => match self.support.patience(now) {
                Some(until) => Standing::Asking(until),
                None => Standing::Falling(now + FALL),
            },
            Standing::Asking(_) => Standing::Majority,
            Standing::Falling(at) if at <= now => Standing::Minority,
            Standing::Falling(_) | Standing::Minority if most => Standing::Rising(now + RISE),
            Standing::Rising(_) if !most => Standing::Falling(now + FALL),
            Standing::Rising(at) if at <= now => Standing::Majority,
            standing => standing,
        };
        if standing == self.support.standing {
            return;
        }
        self.support.standing = standing;
        self.life.changed = now;
        if standing == Standing::Minority {
            self.records.demote();
        }
        self.duty.all_due(now);
    }

    fn ask_gateway(&mut self, now: Instant) {
        if !self.may_be_halved() || now < self.support.ask {
            return;
        }
        let insists = self.support.halved.is_some_and(|since| now - since < INSIST);
        let next = if insists && !self.support.has_gateway(now) {
            AGAIN
        } else {
            ASK
        };
        self.support.ask = now + next;
        self.outputs.push_back(Output::AskGateway);
    }

    /// Until when nobody is to be replaced here; none: at once.
    pub(super) const fn hesitates_until(&self) -> Option<Instant> {
        match self.support.standing {
            Standing::Majority | Standing::Minority => None,
            Standing::Asking(at) | Standing::Falling(at) | Standing::Rising(at) => Some(at),
        }
    }

    /// What stands behind a decision, in place of one behind which stood `before`.
    pub(super) const fn backing(&self, before: Option<Backing>) -> Backing {
        match (self.support.standing, before) {
            (Standing::Majority, _) => Backing::Majority,
            (Standing::Minority, _) | (_, None) => Backing::Minority,
            (Standing::Asking(_) | Standing::Falling(_) | Standing::Rising(_), Some(before)) => before,
        }
    }

    /// What others' records count for here at most: a side cannot give more than it has.
    pub(super) fn credit(&self) -> Backing {
        if self.support.standing == Standing::Minority {
            Backing::Minority
        } else {
            Backing::Majority
        }
    }
}
