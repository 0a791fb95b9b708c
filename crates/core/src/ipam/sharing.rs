//! Which held addresses could be shared, by the terms of those who hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Port, Terms};

/// The held addresses whose holders have a sharing key, by key and backend.
#[derive(Debug, Default)]
pub(super) struct Sharing(BTreeMap<String, BTreeMap<String, Club>>);

/// The addresses of those who may share, as far as their ports allow it.
#[derive(Debug, Default)]
struct Club {
    addresses: BTreeSet<IpAddr>,
    taken: BTreeMap<Port, BTreeSet<IpAddr>>,
}

impl Sharing {
    /// `address` has a holder under these terms.
    pub(super) fn add(&mut self, address: IpAddr, terms: &Terms) {
        let Some(key) = &terms.key else { return };
        let clubs = self.0.entry(key.clone()).or_default();
        let club = clubs.entry(terms.backend.clone()).or_default();
        club.addresses.insert(address);
        for port in &terms.ports {
            club.taken.entry(*port).or_default().insert(address);
        }
    }

    /// A holder under these terms has left `address`; nobody else holds it if it was the `last`.
    pub(super) fn remove(&mut self, address: IpAddr, terms: &Terms, last: bool) {
        let Some(clubs) = terms.key.as_ref().and_then(|key| self.0.get_mut(key)) else {
            return;
        };
        let Some(club) = clubs.get_mut(&terms.backend) else {
            return;
        };
        for port in &terms.ports {
            if let Some(taken) = club.taken.get_mut(port) {
                taken.remove(&address);
                if taken.is_empty() {
                    club.taken.remove(port);
                }
            }
        }
        if last {
            club.addresses.remove(&address);
        }
        if club.addresses.is_empty() {
            clubs.remove(&terms.backend);
        }
        if clubs.is_empty()
            && let Some(key) = &terms.key
        {
            self.0.remove(key);
        }
    }

    fn club(&self, key: &str, backend: &str) -> Option<&Club> {
        self.0.get(key)?.get(backend)
    }

    /// The addresses that have none of these ports. Where many have a port in common, that there are none is known
    /// without looking at them.
    pub(super) fn open(&self, terms: &Terms) -> impl Iterator<Item = IpAddr> {
        let club = terms.key.as_ref().and_then(|key| self.club(key, &terms.backend));
        let club = club.filter(|club| terms.ports.iter().all(|port| club.has_open(*port)));
        let addresses = club.into_iter().flat_map(|club| {
            let is_open = |address: &&IpAddr| !terms.ports.iter().any(|port| club.is_taken(*port, **address));
            club.addresses.iter().filter(is_open)
        });
        addresses.copied()
    }

    /// Whether there is an address on which `port` is still to be had.
    pub(super) fn has_open(&self, key: &str, backend: &str, port: Option<Port>) -> bool {
        self.club(key, backend)
            .is_some_and(|club| port.is_none_or(|port| club.has_open(port)))
    }
}

impl Club {
    fn has_open(&self, port: Port) -> bool {
        self.taken.get(&port).map_or(0, BTreeSet::len) < self.addresses.len()
    }

    fn is_taken(&self, port: Port, address: IpAddr) -> bool {
        self.taken
            .get(&port)
            .is_some_and(|taken| taken.contains(&address))
    }
}
