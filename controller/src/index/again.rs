//! What was refused, and is decided again if nothing newer is seen.
//!
//! The newer form that a 409 speaks of is on its way, and what it says is waited for. But a proxy may say 409 where there
//! is nothing newer, and a watch may be broken: a Service must not wait for its next change then. What
//! was refused for good (a right that is missing, a policy) is mended elsewhere, and nothing tells of it.

use std::collections::BTreeSet;
use std::time::Duration;

use cortenlb_core::time::Instant;

use super::input::Key;

/// A watch tells a change within milliseconds; to ask in vain costs one request.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was refused for good costs a request this often, for each object.
const REJECTED: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Again(BTreeSet<(Instant, Key)>);

impl Again {
    pub(super) fn refused(&mut self, now: Instant, key: Key) {
        self.0.insert((now + PATIENCE, key));
    }

    pub(super) fn rejected(&mut self, now: Instant, key: Key) {
        self.0.insert((now + REJECTED, key));
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.first().map(|(due, _)| *due)
    }

    /// The next one whose time has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<Key> {
        let (due, _) = self.0.first()?;
        if *due > now {
            return None;
        }
        self.0.pop_first().map(|(_, key)| key)
    }
}
