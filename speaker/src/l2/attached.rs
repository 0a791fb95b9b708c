//! How this node is attached to the network, and with which link-layer address another one is found on which interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_proto::cluster::Attached;
use cortenlb_wire::mac::MacAddr;

/// The interfaces that announce, or would if they had carrier, by index.
pub(super) type Ports = BTreeMap<u32, Attached>;

/// The ports as others are to know them: those on whose link one of these addresses is, in the order of their indexes. A
/// node may have hundreds of others, which carry nothing that concerns anybody.
pub(super) fn attached(ports: &Ports, addresses: &BTreeSet<IpAddr>) -> Vec<Attached> {
    let concerned = ports.values().map(|port| {
        let prefixes = port.prefixes.iter();
        let prefixes = prefixes.filter(|prefix| addresses.range(prefix.range()).next().is_some());
        Attached {
            prefixes: prefixes.copied().collect(),
            ..*port
        }
    });
    concerned.filter(|port| !port.prefixes.is_empty()).collect()
}

/// A port without carrier keeps the prefixes that it had before: network managers take the addresses away with it, as the
/// kernel does with IPv6 ones on an interface that is set down.
pub(super) fn keep_prefixes(before: &Ports, ports: &mut Ports) {
    for (index, port) in ports.iter_mut().filter(|(_, port)| !port.carrier) {
        let before = before.get(index).filter(|before| before.mac == port.mac);
        port.prefixes
            .extend(before.into_iter().flat_map(|before| &before.prefixes));
        port.prefixes.sort_unstable();
        port.prefixes.dedup();
    }
}

/// Of another node's interfaces the one on the link of this port, with carrier if there is one that has it.
pub(super) fn towards(port: &Attached, others: &[Attached]) -> Option<MacAddr> {
    let shares = |other: &&Attached| other.prefixes.iter().any(|prefix| port.prefixes.contains(prefix));
    let on_link = others.iter().filter(shares);
    on_link.min_by_key(|other| !other.carrier).map(|other| other.mac)
}

#[cfg(test)]
pub(super) mod tests;
