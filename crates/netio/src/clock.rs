//! The time of `CLOCK_BOOTTIME`, which counts while the machine is suspended.

use crate::sys;

/// Nanoseconds since the machine started.
pub fn now() -> u64 {
    sys::clock(libc::CLOCK_BOOTTIME)
}
