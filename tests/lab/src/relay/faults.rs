//! What a relay does to writes. Pure: a request and the dice in, its fate out.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

/// What a [`Relay`](super::Relay) does to the requests that change something; by default nothing.
///
/// Reads and watches pass untouched. Leases are spared by everything but the delay, and by that unless
/// [`leases`](Self::leases) says otherwise: whoever shall lose the lead is killed or paused, and a client without the
/// lead writes nothing that could go wrong. The shares are percentages of the other writes, 100 in all at most, and the
/// dice are thrown from [`seed`](Self::seed) anew with each [`Relay::set`](super::Relay::set).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How long each write waits in the relay. It is handed on then even if the client has given it up.
    pub delay: Duration,
    /// Whether writes of Leases wait too.
    pub leases: bool,
    /// Handed on after the object of the write has been given a newer version, with the client's rights: the API server
    /// answers 409 (Conflict) by itself if the write names the version that it was decided from. Patches only.
    pub contested: u8,
    /// Answered 409 (Conflict) and not handed on: there is no newer version.
    pub conflict: u8,
    /// Answered 429 (Too Many Requests) with `Retry-After: 1` and not handed on.
    pub throttled: u8,
    /// Answered 500 (Internal Server Error) and not handed on.
    pub failed: u8,
    /// Handed on and done; the connection ends without the answer.
    pub lost: u8,
    /// Where the dice begin.
    pub seed: u64,
}

/// What becomes of one write after its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The API server decides.
    HandOn,
    /// The API server decides, after somebody else was faster.
    Contest,
    /// Answered by the relay.
    Refuse(Answer),
    /// Done, and not answered.
    Lose,
}

/// The relay's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Conflict,
    Throttled,
    Failed,
}

/// Faults and dice.
#[derive(Debug)]
pub(super) struct Dice {
    faults: Faults,
    rng: StdRng,
}

impl Dice {
    pub(super) fn new(faults: Faults) -> Self {
        let rng = StdRng::seed_from_u64(faults.seed);
        Self { faults, rng }
    }

    /// How long a write of `path` waits, and what becomes of it then.
    pub(super) fn throw(&mut self, path: &str) -> (Duration, Fate) {
        let delay = self.faults.delay;
        if is_lease(path) {
            let delay = if self.faults.leases { delay } else { Duration::ZERO };
            return (delay, Fate::HandOn);
        }
        let mut rest = self.rng.random_range(0..100_u8);
        for (share, fate) in [
            (self.faults.contested, Fate::Contest),
            (self.faults.conflict, Fate::Refuse(Answer::Conflict)),
            (self.faults.throttled, Fate::Refuse(Answer::Throttled)),
            (self.faults.failed, Fate::Refuse(Answer::Failed)),
            (self.faults.lost, Fate::Lose),
        ] {
            match rest.checked_sub(share) {
                None => return (delay, fate),
                Some(less) => rest = less,
            }
        }
        (delay, Fate::HandOn)
    }
}

/// Whether a path is that of a Lease, or of all.
fn is_lease(path: &str) -> bool {
    path.starts_with("/apis/coordination.k8s.io/")
}

impl Answer {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Conflict => 409,
            Self::Throttled => 429,
            Self::Failed => 500,
        }
    }

    /// The `Retry-After` header, in seconds.
    pub(super) fn retry_after(self) -> Option<u32> {
        (self == Self::Throttled).then_some(1)
    }

    /// The body and its type, as the API server writes them: a `Status`, but plain words where it sheds load.
    pub(super) fn body(self) -> (&'static str, String) {
        let (reason, message) = match self {
            Self::Throttled => {
                let words = "Too many requests, please try again later. (by the lab's relay)";
                return ("text/plain; charset=utf-8", words.to_owned());
            }
            Self::Conflict => (
                "Conflict",
                "the object has been modified; please apply your changes to the latest version and try again",
            ),
            Self::Failed => ("InternalError", "an error on the server"),
        };
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "reason": reason, "code": self.code(), "message": format!("by the lab's relay: {message}"),
        });
        ("application/json", status.to_string())
    }
}

#[cfg(test)]
mod tests;
