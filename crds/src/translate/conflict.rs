//! Addresses that somebody else on the segment has: as a speaker records them on its `ServiceL2Status`, and as the
//! Service says so.

use crate::{ServiceL2Status, names};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where each contested address is said to be: a MAC address, `02:00:5e:00:53:01`.
pub type Contested = BTreeMap<IpAddr, String>;

/// The annotation's value; none: there is nothing to say.
pub fn write(contested: &Contested) -> Option<String> {
    let entries: Vec<String> = contested
        .iter()
        .map(|(address, mac)| format!("{address}={mac}"))
        .collect();
    (!entries.is_empty()).then(|| entries.join(","))
}

/// What the annotation of `object` says. What is no address with a MAC address is left out.
pub fn read(object: &ServiceL2Status) -> Contested {
    let value = object.annotations().get(names::ADDRESS_CONFLICT);
    let entries = value.into_iter().flat_map(|value| value.split(','));
    let entry = |entry: &str| {
        let (address, mac) = entry.split_once('=')?;
        let mac = Some(mac).filter(|mac| is_mac(mac))?;
        Some((address.parse().ok()?, mac.to_owned()))
    };
    entries.filter_map(entry).collect()
}

fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.bytes().all(|byte| byte.is_ascii_hexdigit());
    octets.len() == 6 && octets.iter().all(is_octet)
}

/// Whether the condition of `service` says that somebody else has its address.
pub fn is_contested(service: &Service) -> bool {
    let status = service.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == names::CONDITION_ADDRESS_CONFLICT && condition.status == "True")
}

#[cfg(test)]
mod tests;
