//! Services and pools in, addresses out.
//!
//! | module | owns |
//! | --- | --- |
//! | [`args`] | flags and environment, and what MetalLB's mean here |
//! | [`index`] | what is known of Services and pools, and what follows from it: pure |
//! | [`announced`] | who announces each address, for the Service's condition: pure |
//! | [`conflicts`] | whose address somebody else on the segment has: pure |
//! | `listing` | all Services, asked for beside the watch |
//! | [`metrics`] | `metallb_allocator_…` and its company |
//! | [`pending`] | which Services have no address, and how long one took: pure |
//! | [`replica`] | the watches, the task that owns the indexes, the Lease |
//! | [`run`] | the process |
//! | [`secret`] | the Secret with the key by which the speakers know one another |
//! | `webhook` | removes what an earlier MetalLB left behind |
//!
//! Never imports `wire`, `proto` or `netio`: what happens on the segment is the speaker's.

pub mod announced;
pub mod args;
pub mod conflicts;
pub mod index;
mod listing;
pub mod metrics;
pub mod pending;
pub mod replica;
pub mod run;
pub mod secret;
mod webhook;
