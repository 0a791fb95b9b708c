//! How long the turns of a thread are, and which of a process's threads give way to others.

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

/// The nice value of a thread that gives way: beside one of the process's that does not it has a tenth of the core.
const GIVES_WAY: i32 = 10;

/// Lets the calling thread, and those that it starts from now on, give way to the process's other threads while all want the
/// core. What the process as a whole has of it stays the same. It cannot be taken back without privilege.
///
/// # Errors
/// As for [`shorten`].
pub fn give_way() -> io::Result<()> {
    let now = sys::scheduling()?;
    sys::set_scheduling(libc::sched_attr {
        sched_nice: now.sched_nice.max(GIVES_WAY),
        ..now
    })
}

#[cfg(test)]
mod tests;
