//! Names that are part of the API: annotations, labels, condition types.
//!
//! `metallb.io/…` is MetalLB's, with its meaning; `metallb.universe.tf/…` its deprecated spelling; `cortenlb.io/…` ours.

/// The API group of the kinds that MetalLB has as well.
pub const GROUP: &str = "metallb.io";

/// The API group of our own kinds.
pub const OUR_GROUP: &str = "cortenlb.io";

/// The namespace in which MetalLB's manifests, and ours, install; configuration outside it is rejected.
pub const SYSTEM_NAMESPACE: &str = "metallb-system";

/// The Lease of the controllers, in their own namespace.
pub const LEASE: &str = "metallb-controller";

/// On a Service: the pool from which its address must come.
pub const ADDRESS_POOL: &str = "metallb.io/address-pool";
/// The deprecated spelling of [`ADDRESS_POOL`].
pub const ADDRESS_POOL_DEPRECATED: &str = "metallb.universe.tf/address-pool";

/// On a Service: the addresses that it must have, separated by commas.
pub const LOAD_BALANCER_IPS: &str = "metallb.io/loadBalancerIPs";
/// The deprecated spelling of [`LOAD_BALANCER_IPS`].
pub const LOAD_BALANCER_IPS_DEPRECATED: &str = "metallb.universe.tf/loadBalancerIPs";

/// On a Service: Services with the same key may share one address.
pub const ALLOW_SHARED_IP: &str = "metallb.io/allow-shared-ip";
/// The deprecated spelling of [`ALLOW_SHARED_IP`].
pub const ALLOW_SHARED_IP_DEPRECATED: &str = "metallb.universe.tf/allow-shared-ip";

/// On a Service, written by the controller: the pool from which its address came.
pub const IP_ALLOCATED_FROM_POOL: &str = "metallb.io/ip-allocated-from-pool";
/// The deprecated spelling of [`IP_ALLOCATED_FROM_POOL`], which older releases of MetalLB wrote.
pub const IP_ALLOCATED_FROM_POOL_DEPRECATED: &str = "metallb.universe.tf/ip-allocated-from-pool";

/// On a Service: the names of the `AddressReservation`s of its namespace whose addresses it must have, separated by
/// commas.
pub const RESERVATION: &str = "cortenlb.io/reservation";

/// On an `IPAddressPool`: for how long an address that was given back is given to nobody else, as a Go duration (`5m`).
pub const COOL_DOWN: &str = "cortenlb.io/cool-down";

/// On a Service, written by a controller that follows one whose Lease expired: the Lease's `leaseTransitions`, a point,
/// and the Service's version before.
pub const EPOCH: &str = "cortenlb.io/epoch";

/// On a `ServiceL2Status`: addresses of the Service that the node does not answer for, since somebody else on the segment
/// has them, each with where it is said to be: `172.21.5.240=02:00:5e:00:53:01`, separated by commas.
pub const ADDRESS_CONFLICT: &str = "cortenlb.io/address-conflict";

/// On a `ServiceL2Status` or `ServiceBGPStatus`: the node that announces.
pub const ANNOUNCE_NODE: &str = "metallb.io/node";
/// On a `ServiceL2Status` or `ServiceBGPStatus`: the name of the Service.
pub const SERVICE_NAME: &str = "metallb.io/service-name";
/// On a `ServiceL2Status` or `ServiceBGPStatus`: the namespace of the Service.
pub const SERVICE_NAMESPACE: &str = "metallb.io/service-namespace";

/// On a `ConfigurationState`: `controller` or `speaker`.
pub const COMPONENT_TYPE: &str = "metallb.io/component-type";
/// On a speaker's `ConfigurationState`: its node.
pub const NODE_NAME: &str = "metallb.io/node-name";

/// On our pods: `controller` or `speaker`. MetalLB's pods have the same `app` and `component`, but not this.
pub const COMPONENT: &str = "cortenlb.io/component";

/// Condition of a Service: it has its address.
pub const CONDITION_ADDRESS_ASSIGNED: &str = "cortenlb.io/AddressAssigned";
/// Condition of a Service: a node announces its address.
pub const CONDITION_ANNOUNCED: &str = "cortenlb.io/Announced";
/// Condition of a Service: somebody else on the segment has its address.
pub const CONDITION_ADDRESS_CONFLICT: &str = "cortenlb.io/AddressConflict";
/// Condition of an `IPAddressPool`: its addresses can be given out.
pub const CONDITION_VALID: &str = "cortenlb.io/Valid";
/// Condition of an `AddressReservation`: it keeps an address.
pub const CONDITION_RESERVED: &str = "cortenlb.io/Reserved";
