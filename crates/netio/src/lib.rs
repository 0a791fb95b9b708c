//! Sockets and netlink: the only crate with unsafe code.
//!
//! | module | owns |
//! | --- | --- |
//! | [`clock`] | the time of `CLOCK_BOOTTIME` |
//! | [`packet`] | `AF_PACKET` sockets with a filter, and the time at which the kernel took in each frame |
//! | [`poll`] | waiting for several sockets and for a waker, on a thread of its own |
//! | [`multicast`] | membership in solicited-node groups |
//! | [`limits`] | how many descriptors the process may have |
//! | [`turns`] | how long the turns of a thread are, and which threads give way |
//! | [`link`] | interfaces and their addresses, followed by netlink notifications |
//! | [`gateway`] | default gateways and their MACs, followed likewise |
//! | `notify` | what both have in common |
//! | `sys` | every `unsafe` block |
//!
//! Never imports policy or kube: it moves bytes, and decides nothing about them. Root without any capability but
//! `NET_RAW` is enough for all of it.

pub mod clock;
pub mod gateway;
pub mod limits;
pub mod link;
pub mod multicast;
mod notify;
pub mod packet;
pub mod poll;
mod sys;
pub mod turns;
