//! An AddressReservation as the allocator reads it.

use std::net::IpAddr;

use cortenlb_core::addr::{Family, parse_address};
use cortenlb_core::ipam::{Recorded, Reservation, Right};
use cortenlb_core::name::ReservationKey;
use kube::ResourceExt;

use crate::AddressReservation;
use crate::address_reservation::{AddressFamily, ReclaimPolicy, ReservationPhase};

/// The reservation's name.
pub fn reservation_key(object: &AddressReservation) -> ReservationKey {
    ReservationKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// What it asks for. An address that cannot be read counts as none: the API server accepts no such object.
pub fn reservation(object: &AddressReservation) -> Reservation {
    let spec = &object.spec;
    let read = |text: &Option<String>| -> Option<IpAddr> { parse_address(text.as_deref()?) };
    let recorded = object.status.as_ref().and_then(|status| {
        Some(Recorded {
            address: read(&status.address)?,
            right: match status.phase? {
                ReservationPhase::Available | ReservationPhase::Bound => Right::Has,
                ReservationPhase::Pending => Right::Waits,
                ReservationPhase::Released => Right::Released,
            },
        })
    });
    Reservation {
        created: super::created(object),
        pool: spec.pool.clone(),
        family: match spec.family {
            AddressFamily::IPv4 => Family::V4,
            AddressFamily::IPv6 => Family::V6,
        },
        address: read(&spec.address),
        services: spec.services.iter().cloned().collect(),
        retain: spec.reclaim_policy == ReclaimPolicy::Retain,
        recorded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_read_with_what_it_had() {
        let object: AddressReservation = serde_json::from_value(serde_json::json!({
            "apiVersion": "cortenlb.io/v1alpha1",
            "kind": "AddressReservation",
            "metadata": { "name": "web", "namespace": "shop", "creationTimestamp": "1970-01-01T00:00:07Z" },
            "spec": { "pool": "p", "family": "IPv6", "services": ["a"], "reclaimPolicy": "Release" },
            "status": { "phase": "Released", "address": "fd00::1" },
        }))
        .unwrap();
        assert_eq!(reservation_key(&object), ReservationKey::new("shop", "web"));
        let expected = Reservation {
            created: 7,
            pool: "p".into(),
            family: Family::V6,
            address: None,
            services: ["a".to_owned()].into(),
            retain: false,
            recorded: Some(Recorded {
                address: "fd00::1".parse().unwrap(),
                right: Right::Released,
            }),
        };
        assert_eq!(reservation(&object), expected);
    }
}
