//! What would change a no: a command where there is one.

use cortenlb_core::announce::{self, DRAIN, EXCLUDE_LABEL, Reason};
use cortenlb_core::ipam::{InUse, Refusal, Unsuitable};
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::names::COMPONENT;
use kube::ResourceExt as _;

use crate::facts::{Facts, node_of};
use crate::page::joined;

/// What would give a Service the address that it is refused; none: what it asks for makes no sense.
pub(super) fn of_refusal(refusal: Option<&Refusal>, key: &ServiceKey, system: &str) -> String {
    let edit_pool = |pool: &str| format!("kubectl edit ipaddresspool -n {system} {pool}");
    let edit_service = format!("kubectl edit service -n {} {}", key.namespace(), key.name());
    match refusal {
        None | Some(Refusal::Families { .. } | Refusal::OtherPool { .. }) => {
            format!("ask for something else: {edit_service}")
        }
        Some(Refusal::NotInPools { .. }) => {
            format!("ask for an address of a pool ({edit_service}), or add this one to a pool")
        }
        Some(Refusal::NotSelected { pool }) => {
            format!(
                "let the pool serve it (spec.serviceAllocation): {}",
                edit_pool(pool)
            )
        }
        Some(Refusal::InUse(InUse::Reserved { reservation, .. })) => format!(
            "name the Service in AddressReservation {reservation}, or the reservation on the Service (annotation \
             cortenlb.io/reservation)"
        ),
        Some(Refusal::InUse(_)) => {
            format!(
                "share the address (annotation metallb.io/allow-shared-ip on all), or ask for another: {edit_service}"
            )
        }
        Some(Refusal::UnknownPool { pool }) => {
            format!("create pool {pool:?} in namespace {system}, or ask for another: {edit_service}")
        }
        Some(Refusal::UnknownReservation { reservation }) => {
            format!("create AddressReservation {reservation}, or do without: {edit_service}")
        }
        Some(Refusal::ReservationPending { reservation, .. }) => format!(
            "kubectl describe addressreservation -n {} {}",
            reservation.namespace(),
            reservation.name()
        ),
        Some(Refusal::Exhausted { pool, .. }) => {
            format!(
                "add addresses ({}), or delete a Service that has one",
                edit_pool(pool)
            )
        }
        Some(Refusal::NoneAvailable { pools, others }) => {
            let full = pools.iter().find(|(_, why)| matches!(why, Unsuitable::Full(_)));
            let unasked = pools.iter().find(|(_, why)| *why == Unsuitable::AutoAssignOff);
            match (full, unasked) {
                (Some((pool, _)), _) => {
                    format!(
                        "add addresses ({}), or delete a Service that has one",
                        edit_pool(pool)
                    )
                }
                (None, Some((pool, _))) => format!(
                    "ask for pool {pool}: kubectl annotate service -n {} {} metallb.io/address-pool={pool}",
                    key.namespace(),
                    key.name()
                ),
                (None, None) if *others => format!(
                    "let a pool serve it (spec.serviceAllocation of those in namespace {system}), or create one that does"
                ),
                (None, None) => format!("create an IPAddressPool in namespace {system} that serves it"),
            }
        }
    }
}

/// What would let anybody announce a Service.
pub(super) fn of_obstacle(refusal: &announce::Refusal, key: &ServiceKey, system: &str) -> String {
    use announce::Refusal;
    match refusal {
        Refusal::NoAddress => "it needs an address first".to_owned(),
        Refusal::MetalLbSpeaker { pod } => {
            format!(
                "kubectl get pod -n {system} {pod} -o yaml shows whose it is: replace or delete that DaemonSet"
            )
        }
        Refusal::ForeignAddress { address } => {
            format!("find out who writes {address} into the status, or put it into a pool")
        }
        Refusal::NoAdvertisement { passed_over, .. } if passed_over.is_empty() => {
            format!(
                "create an L2Advertisement in namespace {system}; one with an empty spec announces every pool"
            )
        }
        Refusal::NoAdvertisement { passed_over, .. } => format!(
            "kubectl edit l2advertisement -n {system} {} (spec.serviceSelectors)",
            passed_over.iter().next().map(String::as_str).unwrap_or_default()
        ),
        Refusal::SharedAddressWithServiceSelectors { advertisement } => {
            format!("kubectl edit l2advertisement -n {system} {advertisement} (spec.serviceSelectors)")
        }
        Refusal::NoEndpoints => format!(
            "kubectl get endpointslices -n {ns} -l kubernetes.io/service-name={name}",
            ns = key.namespace(),
            name = key.name()
        ),
    }
}

/// What would let this node announce a Service; none if nothing has to.
pub(super) fn of_reason(reason: &Reason, node: &str, facts: &Facts) -> Option<String> {
    let system = &facts.system;
    Some(match reason {
        Reason::NotSelected { advertisements } => format!(
            "kubectl edit l2advertisement -n {system} {} (spec.nodeSelectors)",
            joined(advertisements)
        ),
        Reason::Excluded => format!("kubectl label node {node} {EXCLUDE_LABEL}-"),
        Reason::Drained => format!("kubectl annotate node {node} {DRAIN}-"),
        Reason::Cordoned => format!("kubectl uncordon {node}"),
        Reason::NetworkUnavailable => {
            format!("kubectl describe node {node}; the network plug-in has to say that it works")
        }
        // In a release of Helm's it has another name, and other labels: all of the namespace are shown.
        Reason::NoSpeaker => format!("kubectl describe daemonset -n {system}"),
        Reason::SpeakerNotReady => {
            let mut speakers = facts.our_pods("speaker");
            match speakers.find(|pod| node_of(pod) == Some(node)) {
                Some(pod) => format!("kubectl describe pod -n {system} {}", pod.name_any()),
                None => format!("kubectl get pods -n {system} -l {COMPONENT}=speaker -o wide"),
            }
        }
        Reason::NoLocalEndpoint => {
            format!("a ready pod of the Service on {node}, or externalTrafficPolicy: Cluster")
        }
        Reason::ShuttingDown | Reason::SharedAddressElsewhere { .. } => return None,
    })
}
