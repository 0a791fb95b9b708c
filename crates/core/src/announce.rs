//! Which node answers for which address, over which interfaces, and why: one decision for all who ask.
//!
//! | module | owns |
//! | --- | --- |
//! | [`facts`] | what the cluster says: Services, endpoints, pools, advertisements, nodes, speakers, MetalLB's |
//! | [`world`] | all facts, indexed, and which Services a changed fact concerns |
//! | [`decision`] | the record of one decision, with a reason for each yes and no |
//!
//! The rules are MetalLB's (`ShouldAnnounce` of its layer 2 mode) with four differences: an address keeps being
//! announced after its pool shrank or went away; only nodes whose speaker is Ready are candidates; which of the
//! candidates wins is said by [`crate::placement`]; and nothing is announced while a speaker of MetalLB is Ready.

mod decide;
pub mod decision;
pub mod facts;
pub mod world;

pub use decision::{Decision, Group, Interfaces, Reason, Refusal, Summary};
pub use facts::{Advertisement, Fact, Kind, Node, Pool, Preference, Service, Slice, Speaker};
pub use world::World;

/// A node with this label, whatever its value, is no candidate (Kubernetes' well-known label).
pub const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Annotation of a Node; `"true"`: it announces nothing, and gives away what it has, for as long as it is there.
pub const DRAIN: &str = "cortenlb.io/drain";

/// Annotation of an L2Advertisement; `"true"`: of the nodes that it selects only those announce an address that have an
/// interface in its subnet.
pub const REQUIRE_SUBNET: &str = "cortenlb.io/require-subnet";

#[cfg(test)]
mod tests;
