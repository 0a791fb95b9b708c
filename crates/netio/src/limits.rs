//! Limits of the process.

use std::io;

use crate::sys;

/// Lets the process have as many descriptors as its hard limit allows, and returns their number.
///
/// A membership in a solicited-node group is a descriptor for each IPv6 address and interface; the soft limit of 1,024
/// that most systems start with is for programs that use `select(2)`. Child processes inherit the new limit.
///
/// # Errors
/// Those of `getrlimit(2)` and `setrlimit(2)`, which a sandbox may forbid; the limit stays as it was.
pub fn raise_descriptors() -> io::Result<u64> {
    let limit = sys::descriptors()?;
    sys::set_descriptors(libc::rlimit {
        rlim_cur: limit.rlim_max,
        ..limit
    })?;
    Ok(limit.rlim_max)
}
