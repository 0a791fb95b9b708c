//! Time as the pure crates know it: a number handed in by the caller.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds of a clock that never goes back, and that a test moves by hand. For speakers it is `CLOCK_BOOTTIME`, which
/// counts while the machine is suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates: the end of the clock (584 years) is never reached.
    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
