//! The API types of groups `metallb.io` and `cortenlb.io`, and their translation into core's.
//!
//! | module | owns |
//! | --- | --- |
//! | [`ip_address_pool`] | `IPAddressPool`: which addresses may be given out, and to whom |
//! | [`l2_advertisement`] | `L2Advertisement`: which pools are announced on the segment, by which nodes |
//! | [`bgp_advertisement`], [`bgp_peer`], [`bfd_profile`], [`community`] | the BGP kinds |
//! | [`service_l2_status`], [`service_bgp_status`] | what speakers report about a Service |
//! | [`address_reservation`] | `AddressReservation`, of our own group: an address kept for Services |
//! | [`configuration_state`] | `ConfigurationState`: whether the configuration is sound |
//! | [`names`] | annotations, labels, condition types |
//! | [`translate`] | these objects and Kubernetes' own as the facts that `core` decides by |
//! | [`definitions`], [`admission`] | what the API server checks: the CustomResourceDefinitions and an admission policy |
//!
//! The schemas of `metallb.io` accept every object that MetalLB v0.16.2 accepts; `tests/metallb.rs` compares them field by field.
//! This crate never imports a Kubernetes client, kube's runtime or tokio.

#![expect(
    unreachable_pub,
    reason = "derive(KubeSchema) keeps a private copy of each struct, `pub` included"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn(…) has a type; they are not one attribute"
)]

pub mod address_reservation;
pub mod admission;
pub mod bfd_profile;
pub mod bgp_advertisement;
pub mod bgp_peer;
pub mod community;
pub mod configuration_state;
pub mod definitions;
pub mod ip_address_pool;
pub mod l2_advertisement;
pub mod names;
mod rules;
mod schema;
pub mod service_bgp_status;
pub mod service_l2_status;
pub mod translate;

pub use address_reservation::{AddressReservation, AddressReservationSpec, AddressReservationStatus};
pub use bfd_profile::{BFDProfile, BFDProfileSpec};
pub use bgp_advertisement::{BGPAdvertisement, BGPAdvertisementSpec};
pub use bgp_peer::{BGPPeer, BGPPeerSpec};
pub use community::{Community, CommunityAlias, CommunitySpec};
pub use configuration_state::{ConfigurationResult, ConfigurationState, ConfigurationStateStatus};
pub use ip_address_pool::{
    CoolingDown, IPAddressPool, IPAddressPoolSpec, IPAddressPoolStatus, ServiceAllocation,
};
pub use l2_advertisement::{L2Advertisement, L2AdvertisementSpec, PreferredNodeSelector};
pub use service_bgp_status::{MetalLBServiceBGPStatus, ServiceBGPStatus};
pub use service_l2_status::{InterfaceInfo, MetalLBServiceL2Status, ServiceL2Status};
