//! The CustomResourceDefinitions: what the derive macros say, in the shape of MetalLB's.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// Every kind's definition, in the order of their names.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        crate::BFDProfile::crd(),
        crate::BGPAdvertisement::crd(),
        crate::BGPPeer::crd(),
        crate::Community::crd(),
        crate::ConfigurationState::crd(),
        crate::IPAddressPool::crd(),
        crate::L2Advertisement::crd(),
        crate::ServiceBGPStatus::crd(),
        crate::ServiceL2Status::crd(),
    ]
}
