//! The election's state machine: what is known of the Lease and what to do next. No clock, no network.
//!
//! As client-go does it, the age of somebody else's claim is measured from when *we* saw it change: the times in the
//! Lease come from a clock that may be wrong, and are only written for people. That is safe as long as no clock runs
//! faster than another by more than `duration / renew_deadline`: a holder counts its own claim from before it sent
//! the renewal, a candidate from after it saw it.
//!
//! A holder that cannot renew in time stops writing, and its term is suspended. It ends when the Lease is read and is not
//! ours as we left it. While it names us and our transitions nobody else has led: every other term has more transitions, and
//! each renewal replaced the very form that the one before it had left (its resourceVersion). So a renewal that succeeds
//! goes on with the term, however late.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use tokio::time::Instant;

use super::{Claim, Predecessor};
use crate::backoff;

/// The times of the election, by client-go's names.
///
/// client-go's defaults are 15, 10 and 2 s, for controllers that start anew with every term. A standby of ours is warm,
/// and what is waited for after a crash is nothing but `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a candidate waits for a silent holder: 5 s.
    pub duration: Duration,
    /// How long a holder claims the Lease after its last renewal: 3.5 s.
    pub renew_deadline: Duration,
    /// The time between two renewals, or two looks at somebody else's Lease while the watch is silent: 1 s. After a
    /// request that failed, half of it: an API server that restarts is to be met within a second, with the writes that
    /// follow upon it.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(5),
            renew_deadline: Duration::from_millis(3_500),
            retry: Duration::from_secs(1),
        }
    }
}

/// What the election wants done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the Lease, and report to [`LeaseState::read`].
    Read,
    /// Create the Lease, and report to `written`, `conflict` or `failed`.
    Create(LeaseSpec),
    /// Replace the Lease's spec if it still has this resourceVersion, and report likewise.
    Update {
        /// `metadata.resourceVersion` that the Lease must have.
        resource_version: String,
        /// The whole new spec, without its times.
        spec: LeaseSpec,
    },
    /// Nothing before this time.
    Wait(Instant),
}

/// One candidate's view of one Lease.
#[derive(Clone, Debug)]
pub struct LeaseState {
    identity: String,
    timing: Timing,
    view: View,
    /// When the view is to be looked at again; `None` for at once.
    read_again: Option<Instant>,
    /// When the next request may be sent after one that failed.
    retry_at: Option<Instant>,
    /// Conflicts since a write was accepted, or somebody else was seen to hold the Lease.
    conflicts: u32,
    /// Whether the last request had no answer, or the last write one that half a term would have been too short for.
    slow: bool,
    term: Option<Term>,
    /// The highest `leaseTransitions` of a Lease that had a holder; `None` while none was seen.
    ///
    /// A Lease that somebody deletes takes no writes of its holder with it.
    seen: Option<i32>,
}

#[derive(Clone, Debug)]
enum View {
    Absent,
    Present {
        resource_version: String,
        spec: LeaseSpec,
        /// When we first saw this spec.
        since: Instant,
    },
}

/// Our own term, suspended or not.
#[derive(Clone, Copy, Debug)]
struct Term {
    transitions: i32,
    predecessor: Predecessor,
    /// When the last successful renewal was sent.
    renewed: Instant,
}

impl LeaseState {
    /// A candidate that has seen nothing yet.
    ///
    /// `identity` belongs to one pod: no two processes may use it at the same time. A process that finds its own
    /// identity in the Lease follows itself after a crash, and takes the Lease at once.
    #[must_use]
    pub fn new(identity: &str, timing: Timing) -> Self {
        Self {
            identity: identity.to_owned(),
            timing,
            view: View::Absent,
            read_again: None,
            retry_at: None,
            conflicts: 0,
            slow: false,
            term: None,
            seen: None,
        }
    }

    /// What is to be done now.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> Action {
        if let Some(at) = self.retry_at.filter(|&at| now < at) {
            return Action::Wait(at);
        }
        let Some(read_again) = self.read_again else {
            return Action::Read;
        };
        let View::Present {
            resource_version,
            spec,
            since,
        } = &self.view
        else {
            let transitions = self.seen.map_or(0, |seen| seen.saturating_add(1));
            return Action::Create(self.spec(LeaseSpec::default(), transitions));
        };
        let transitions = spec.lease_transitions.unwrap_or_default();
        let next = match (self.term, holder(spec)) {
            (Some(term), _) => {
                let due = term.renewed + self.timing.retry;
                if now < due {
                    return Action::Wait(due);
                }
                term.transitions
            }
            (None, Some(other)) if other != self.identity => {
                let expires = *since + self.patience(spec);
                if now < expires {
                    let next = expires.min(read_again);
                    return if now < next {
                        Action::Wait(next)
                    } else {
                        Action::Read
                    };
                }
                transitions.saturating_add(1)
            }
            (None, _) => transitions.saturating_add(1),
        };
        Action::Update {
            resource_version: resource_version.clone(),
            spec: self.spec(spec.clone(), next),
        }
    }

    /// The Lease was read: its resourceVersion and spec, or `None` when there is none.
    pub fn read(&mut self, now: Instant, lease: Option<(String, LeaseSpec)>) {
        self.retry_at = None;
        self.read_again = Some(now + self.timing.retry);
        self.term = self.term.filter(|term| {
            lease.as_ref().is_some_and(|(_, spec)| {
                holder(spec) == Some(&self.identity) && spec.lease_transitions == Some(term.transitions)
            })
        });
        if let Some((_, spec)) = &lease {
            self.see(spec);
            if holder(spec).is_some_and(|holder| holder != self.identity) {
                self.conflicts = 0;
            }
        }
        self.view = match (lease, &self.view) {
            (None, _) => View::Absent,
            (
                Some((resource_version, spec)),
                View::Present {
                    spec: seen, since, ..
                },
            ) if *seen == spec => View::Present {
                resource_version,
                spec,
                since: *since,
            },
            (Some((resource_version, spec)), _) => View::Present {
                resource_version,
                spec,
                since: now,
            },
        };
    }

    /// The watch told of the Lease, or that it is gone.
    ///
    /// What it tells may be older than what is known. Without a term that does no harm: an update from it meets 409, and
    /// the holder's silence is counted from now. A holder believes only what it reads.
    pub fn told(&mut self, now: Instant, lease: Option<(String, LeaseSpec)>) {
        if self.term.is_none() {
            self.read(now, lease);
            // Renewals come in every `retry`: while they do, nothing needs to be read.
            self.read_again = Some(now + self.timing.retry * 2);
        } else if lease.is_none_or(|(_, spec)| holder(&spec) != Some(&self.identity)) {
            self.read_again = None;
        }
    }

    /// Our creation or update, sent at `sent` and answered at `now`, was accepted and gave this resourceVersion and spec.
    pub fn written(&mut self, sent: Instant, now: Instant, resource_version: String, spec: LeaseSpec) {
        let (transitions, predecessor) = match (self.term, &self.view) {
            (Some(term), _) => (term.transitions, term.predecessor),
            (None, View::Absent) => (
                spec.lease_transitions.unwrap_or_default(),
                if self.seen.is_some() {
                    Predecessor::Expired
                } else {
                    Predecessor::Fresh
                },
            ),
            (None, View::Present { spec: before, .. }) => (
                spec.lease_transitions.unwrap_or_default(),
                if holder(before).is_some() {
                    Predecessor::Expired
                } else {
                    Predecessor::Released
                },
            ),
        };
        self.see(&spec);
        self.retry_at = None;
        self.conflicts = 0;
        self.slow = now >= sent + self.timing.renew_deadline / 2;
        self.read_again = Some(sent);
        self.term = Some(Term {
            transitions,
            predecessor,
            renewed: sent,
        });
        self.view = View::Present {
            resource_version,
            spec,
            since: sent,
        };
    }

    /// Our creation or update met a Lease that had changed, or was gone, and that was answered at `now`.
    ///
    /// The first time it is read at once: another candidate was faster, or somebody has put a label on it. If there is no
    /// end to it (somebody writes it all the time, a proxy answers for the server) it is read after a backoff of 100 ms to
    /// the retry period, with jitter.
    pub fn conflict(&mut self, now: Instant) {
        self.read_again = None;
        self.retry_at = self
            .conflicts
            .checked_sub(1)
            .map(|before| now + backoff::delay(before, self.timing.retry));
        self.conflicts = self.conflicts.saturating_add(1);
    }

    /// A request that was sent at `sent` had no answer, or none that judged it.
    pub fn failed(&mut self, sent: Instant) {
        self.retry_at = Some(sent + self.timing.retry / 2);
        self.slow = true;
    }

    /// When to give a request up that is sent at `sent`.
    ///
    /// Two tries fit into the time for which a claim holds. On a slow API server (2 s for each write) neither would be
    /// heard: after a late answer, or none, and for a write of who has no term to lose, all of that time is waited. A
    /// later answer to a write gives a claim that does not hold.
    #[must_use]
    pub fn give_up(&self, sent: Instant, request: &Action) -> Instant {
        let writes = matches!(request, Action::Create(_) | Action::Update { .. });
        if self.slow || writes && self.term.is_none() {
            sent + self.timing.renew_deadline
        } else {
            sent + self.timing.renew_deadline / 2
        }
    }

    /// Gives the Lease up: the update that says so, if it is ours.
    #[must_use]
    pub fn release(&mut self) -> Option<Action> {
        let term = self.term.take()?;
        let View::Present {
            resource_version,
            spec,
            ..
        } = &self.view
        else {
            return None;
        };
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            // As client-go releases: the API server wants a duration above zero.
            lease_duration_seconds: Some(1),
            lease_transitions: Some(term.transitions),
            ..spec.clone()
        };
        Some(Action::Update {
            resource_version: resource_version.clone(),
            spec,
        })
    }

    /// What this process may do.
    #[must_use]
    pub fn claim(&self) -> Claim {
        self.term.map_or(
            Claim::none(),
            |Term {
                 transitions,
                 predecessor,
                 renewed,
             }| Claim {
                held: true,
                transitions,
                predecessor,
                until: Some(renewed + self.timing.renew_deadline),
            },
        )
    }

    fn see(&mut self, spec: &LeaseSpec) {
        if holder(spec).is_some() {
            self.seen = self.seen.max(Some(spec.lease_transitions.unwrap_or_default()));
        }
    }

    /// How long another holder may be silent: by its own word or by ours, whichever is longer.
    fn patience(&self, spec: &LeaseSpec) -> Duration {
        let theirs = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
        self.timing.duration.max(Duration::from_secs(theirs))
    }

    fn spec(&self, before: LeaseSpec, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.timing.duration.as_secs()).unwrap_or(i32::MAX)),
            lease_transitions: Some(transitions),
            // A renewal keeps the time of its term's beginning; the task fills in what is missing.
            acquire_time: self.term.and(before.acquire_time),
            renew_time: None,
            ..before
        }
    }
}

/// Who holds the Lease; an empty name is nobody (a release).
fn holder(spec: &LeaseSpec) -> Option<&str> {
    spec.holder_identity.as_deref().filter(|name| !name.is_empty())
}
