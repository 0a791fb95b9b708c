//! Which interfaces announce addresses, and of which family: MetalLB's rules, as functions of the links.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use cortenlb_netio::gateway;
use cortenlb_netio::link::{Link, Links};
use cortenlb_proto::cluster::{Attached, Prefix};
use cortenlb_proto::l2::{Gateway, Gateways, Interface, Interfaces};
use regex::Regex;
use serde::Deserialize;

use super::attached::Ports;

/// The interfaces that never announce anything: MetalLB's ConfigMap `metallb-excludel2`.
#[derive(Clone, Debug, Default)]
pub struct Exclusions {
    /// All patterns in one, matched anywhere in the name as MetalLB does.
    pattern: Option<Regex>,
}

/// Why the excluded interfaces are not known; announcing on all of them instead would be wrong.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is there and cannot be read.
    #[error("cannot read {path}, which lists the interfaces that announce nothing")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what MetalLB's chart writes.
    #[error("{path} is not YAML with a list of regular expressions under announcedInterfacesToExclude")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A pattern is not a regular expression.
    #[error("{path} has an expression under announcedInterfacesToExclude that is not a regular expression")]
    Pattern {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        #[source]
        source: regex::Error,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    announced_interfaces_to_exclude: Vec<String>,
}

impl Exclusions {
    /// Reads MetalLB's file, `/etc/metallb/excludel2.yaml`, once. Without one nothing is excluded.
    ///
    /// # Errors
    /// [`LoadError`] when the file is there and makes no sense, which ends the speaker as it ends MetalLB's.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(LoadError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, LoadError> {
        let file: File = serde_saphyr::from_str(text).map_err(|source| LoadError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let patterns = file.announced_interfaces_to_exclude;
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let joined = format!("({})", patterns.join(")|("));
        let pattern = Regex::new(&joined).map_err(|source| LoadError::Pattern {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            pattern: Some(pattern),
        })
    }

    fn exclude(&self, name: &str) -> bool {
        self.pattern
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(name))
    }

    /// The names of all interfaces that are not excluded, those that are down too.
    pub(super) fn names(&self, links: &Links) -> BTreeSet<String> {
        links
            .values()
            .map(|link| &link.name)
            .filter(|name| !self.exclude(name))
            .cloned()
            .collect()
    }
}

/// The interfaces that announce.
///
/// As MetalLB: up, not the port of a bridge or bond, not `NOARP`; ARP needs `BROADCAST`, NDP a link-local address.
/// Beyond it: with carrier, so that addresses are told of again when a cable is put back.
pub(super) fn interfaces(links: &Links, exclusions: &Exclusions) -> Interfaces {
    links
        .values()
        .filter(|link| !exclusions.exclude(&link.name))
        .filter_map(|link| Some((link.index, interface(link)?)))
        .collect()
}

/// The interfaces that announce, or would if they were up and had carrier.
pub(super) fn ports(links: &Links, exclusions: &Exclusions) -> Ports {
    links
        .values()
        .filter(|link| !exclusions.exclude(&link.name))
        .filter_map(|link| Some((link.index, port(link)?)))
        .collect()
}

fn port(link: &Link) -> Option<Attached> {
    let subnets = link.subnets.iter();
    let prefixes = subnets.filter_map(|(address, length)| Prefix::new(*address, *length));
    let mut prefixes: Vec<Prefix> = prefixes.filter(|prefix| !prefix.is_host()).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    Some(Attached {
        mac: plugged(link)?.mac,
        carrier: link.up && link.carrier,
        prefixes,
    })
}

fn interface(link: &Link) -> Option<Interface> {
    plugged(link).filter(|_| link.up && link.carrier)
}

/// What it announces while it is up and has carrier.
fn plugged(link: &Link) -> Option<Interface> {
    let fit = !link.noarp && link.master.is_none();
    let mac = link.mac.filter(|mac| fit && mac.is_station())?;
    let ndp = link.addresses.iter().copied().find_map(link_local);
    let ipv4 = link.addresses.iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    });
    let interface = Interface {
        name: link.name.clone(),
        mac,
        arp: link.broadcast,
        ndp,
        ipv4,
    };
    (interface.arp || interface.ndp.is_some()).then_some(interface)
}

/// The gateways that are asked on taking over.
pub(super) fn gateways(found: &gateway::Gateways) -> Gateways {
    let gateway = |gateway: &gateway::Gateway| Gateway {
        address: gateway.address,
        mac: gateway.mac,
        subnets: gateway
            .subnets
            .iter()
            .filter_map(|(network, length)| format!("{network}/{length}").parse().ok())
            .collect(),
    };
    found
        .iter()
        .map(|(port, found)| (*port, gateway(found)))
        .collect()
}

fn link_local(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
