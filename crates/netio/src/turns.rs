//! How long the turns of a thread are.

use std::io;
use std::time::Duration;

use crate::sys;

/// The shortest turn that the kernel gives (`sched_setattr(2)`).
pub const SHORTEST: Duration = Duration::from_micros(100);

/// Lets the calling thread run for so long at a time, and so much sooner after it was woken while others want the core.
///
/// Its share of the core stays the same. From Linux 6.12 on the fair scheduler (EEVDF) runs whose turn would be over first;
/// earlier kernels take the length and make nothing of it. Needs no privilege.
///
/// # Errors
/// Those of `sched_getattr(2)` and `sched_setattr(2)`, which a sandbox may forbid; all stays as it was.
pub fn shorten(turn: Duration) -> io::Result<()> {
    let now = sys::scheduling()?;
    sys::set_scheduling(libc::sched_attr {
        sched_runtime: u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX),
        ..now
    })
}

#[cfg(test)]
mod tests;
