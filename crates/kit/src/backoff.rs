//! Jittered exponential backoff, shared by everything that talks to the API server.

use std::time::Duration;

use tokio::time::Instant;

/// The first delay. An API server that restarts is away for seconds, a connection that broke for none.
const FIRST: Duration = Duration::from_millis(100);

/// How long there must be no failure before the earlier ones are forgotten.
const CALM: Duration = Duration::from_secs(20);

/// The delay before try number `failures + 1`: doubled each time up to `longest`, and cut by up to three eighths at
/// random, so that a thousand speakers do not return to a restarted API server in the same millisecond.
pub(crate) fn delay(failures: u32, longest: Duration) -> Duration {
    let whole = FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(longest);
    whole.mul_f64(rand::random_range(0.625..=1.0))
}

/// Counts failures that follow closely on each other.
///
/// It forgets them after a calm time rather than after one success: a watch that may list but not watch
/// succeeds at every other request.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    last: Option<Instant>,
}

impl Backoff {
    /// Notes a failure and returns how long to wait: at most `longest`.
    pub(crate) fn failed(&mut self, now: Instant, longest: Duration) -> Duration {
        if self.last.is_some_and(|last| now.duration_since(last) > CALM) {
            self.failures = 0;
        }
        self.last = Some(now);
        let delay = delay(self.failures, longest);
        self.failures = self.failures.saturating_add(1);
        delay
    }
}

#[cfg(test)]
mod tests;
