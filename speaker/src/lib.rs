//! Services and pools in, ARP and NDP out: the pod on every node.
//!
//! | module | owns |
//! | --- | --- |
//! | [`args`] | flags and environment, and what MetalLB's mean here |
//! | [`forwards`] | whether this node can forward what comes in |
//! | [`index`] | what this node announces, as values: pure |
//! | [`keys`] | the key that the speakers share |
//! | [`statuses`] | the `ServiceL2Status` objects, and the writes that make them right: pure |
//! | [`membership`] | what the flags say about how the speakers know one another |
//! | [`metrics`] | `metallb_speaker_announced` and its company |
//! | [`saved`] | what this node's next process needs while the API server is away |
//! | [`run`] | the watches, the task that owns the index, and the end of it all |
//! | [`l2`] | the thread that answers on the wire |
//!
//! Decides nothing by itself: who announces what is [`cortenlb_core::announce`]'s, what is answered is
//! `cortenlb_proto`'s. While the API server is away the last decision stands.

pub mod args;
pub mod forwards;
pub mod index;
pub mod keys;
pub mod l2;
pub mod membership;
pub mod metrics;
pub mod run;
pub mod saved;
pub mod statuses;
