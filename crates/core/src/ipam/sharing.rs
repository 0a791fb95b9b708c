//! Which held addresses could be shared, by the terms of those who hold them.
//!
//! A key can have as many addresses as there are Services, and an address as many ports. So neither is looked at one
//! by one: whether a port is taken on an address is a bit, 64 neighbours make a word, and a port that is taken on every
//! address is known by its count.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::waiting::Wait;
use super::{Port, Terms};
use crate::name::ServiceKey;

/// Those who may share, as far as their ports allow it: one key and one backend.
#[derive(Clone, Debug)]
pub(super) struct Club(Arc<Terms>);

impl Club {
    /// None for those who do not share.
    pub(super) fn of(terms: &Arc<Terms>) -> Option<Self> {
        terms.key.is_some().then(|| Self(terms.clone()))
    }
}

/// By key and backend: of the terms that it was made from, the ports do not matter.
impl Ord for Club {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = self.0.key.cmp(&other.0.key);
        by_key.then_with(|| self.0.backend.cmp(&other.0.backend))
    }
}

impl PartialOrd for Club {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Club {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Club {}

/// The first of 64 addresses.
type Block = IpAddr;

/// A bit for each address of a block.
type Bits = u64;

/// The held addresses whose holders have a sharing key. Flat maps, since a map of maps would spend a node of eleven on
/// each of the many keys that one Service has alone.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    clubs: BTreeMap<Club, Members>,
    /// The number of the next club.
    next: u64,
    addresses: BTreeMap<(u64, Block), Bits>,
    /// The addresses on which a port is taken.
    taken: BTreeMap<(u64, Port, Block), Bits>,
    /// How many they are.
    counts: BTreeMap<(u64, Port), usize>,
    owners: BTreeMap<(IpAddr, Port), ServiceKey>,
}

#[derive(Clone, Copy, Debug)]
struct Members {
    number: u64,
    addresses: usize,
}

impl Sharing {
    /// `service` holds `address` under these terms. Whether nobody of its club has held the address before.
    pub(super) fn add(&mut self, address: IpAddr, service: &ServiceKey, terms: &Arc<Terms>) -> bool {
        let Some(club) = Club::of(terms) else { return false };
        let members = self.clubs.entry(club).or_insert_with(|| {
            self.next += 1;
            Members {
                number: self.next,
                addresses: 0,
            }
        });
        let (block, bit) = split(address);
        let word = self.addresses.entry((members.number, block)).or_default();
        let is_new = *word & bit == 0;
        *word |= bit;
        members.addresses += usize::from(is_new);
        for port in &terms.ports {
            *self.taken.entry((members.number, *port, block)).or_default() |= bit;
            *self.counts.entry((members.number, *port)).or_default() += 1;
            self.owners.insert((address, *port), service.clone());
        }
        is_new
    }

    /// A holder under these terms has left `address`; nobody else holds it if it was the `last`.
    pub(super) fn remove(&mut self, address: IpAddr, terms: &Arc<Terms>, last: bool) {
        let Some(club) = Club::of(terms) else { return };
        let Some(members) = self.clubs.get_mut(&club) else {
            return;
        };
        let number = members.number;
        let (block, bit) = split(address);
        for port in &terms.ports {
            clear(&mut self.taken, &(number, *port, block), bit);
            if let Some(count) = self.counts.get_mut(&(number, *port)) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&(number, *port));
                }
            }
            self.owners.remove(&(address, *port));
        }
        if last {
            clear(&mut self.addresses, &(number, block), bit);
            members.addresses -= 1;
            if members.addresses == 0 {
                self.clubs.remove(&club);
            }
        }
    }

    /// Who has `port` on `address`, of those who have a key.
    pub(super) fn owner(&self, address: IpAddr, port: Port) -> Option<&ServiceKey> {
        self.owners.get(&(address, port))
    }

    /// The addresses between `first` and `last`, in their order, that none of the terms' ports is taken on.
    pub(super) fn open(
        &self,
        terms: &Arc<Terms>,
        first: IpAddr,
        last: IpAddr,
    ) -> impl Iterator<Item = IpAddr> {
        let club = Club::of(terms).and_then(|club| self.clubs.get(&club).copied());
        let club = club.filter(|club| terms.ports.iter().all(|port| self.is_open(*club, *port)));
        let blocks = club.into_iter().flat_map(move |club| {
            let from = (club.number, split(first).0);
            self.addresses.range(from..=(club.number, split(last).0))
        });
        let open = blocks.flat_map(move |((number, block), bits)| {
            #[cfg(test)]
            super::tests::count_step();
            let taken = |port: &Port| self.taken.get(&(*number, *port, *block));
            let taken = terms
                .ports
                .iter()
                .filter_map(taken)
                .fold(0, |all, bits| all | bits);
            each(*block, bits & !taken)
        });
        open.filter(move |address| (first..=last).contains(address))
    }

    /// Whether there is an address of the club on which `port` is still to be had.
    pub(super) fn has_open(&self, club: &Club, port: Option<Port>) -> bool {
        let members = self.clubs.get(club);
        members.is_some_and(|club| port.is_none_or(|port| self.is_open(*club, port)))
    }

    fn is_open(&self, club: Members, port: Port) -> bool {
        self.counts.get(&(club.number, port)).copied().unwrap_or(0) < club.addresses
    }

    /// What could let others share with those who wait under these terms. As long as one of their ports is taken on
    /// every address, the others do not matter; else any of them may be what is missing.
    pub(super) fn waits(&self, terms: &Arc<Terms>) -> Vec<Wait> {
        let Some(club) = Club::of(terms) else {
            return Vec::new();
        };
        let ports = &terms.ports;
        if ports.is_empty() {
            return vec![Wait::Sharing(club, None)];
        }
        let full = ports.iter().find(|port| !self.has_open(&club, Some(**port)));
        let ports = full.map_or_else(|| ports.iter().copied().collect(), |full| vec![*full]);
        let wait = |port| Wait::Sharing(club.clone(), Some(port));
        ports.into_iter().map(wait).collect()
    }
}

fn split(address: IpAddr) -> (Block, Bits) {
    match address {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            (Ipv4Addr::from_bits(bits & !63).into(), 1 << (bits & 63))
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (Ipv6Addr::from_bits(bits & !63).into(), 1 << (bits & 63))
        }
    }
}

/// The addresses of a block whose bits are set, in their order.
fn each(block: Block, mut bits: Bits) -> impl Iterator<Item = IpAddr> {
    std::iter::from_fn(move || {
        if bits == 0 {
            return None;
        }
        let place = bits.trailing_zeros();
        bits &= bits - 1;
        Some(match block {
            IpAddr::V4(block) => Ipv4Addr::from_bits(block.to_bits() | place).into(),
            IpAddr::V6(block) => Ipv6Addr::from_bits(block.to_bits() | u128::from(place)).into(),
        })
    })
}

/// Clears a bit; words without any are not kept.
fn clear<K: Ord>(words: &mut BTreeMap<K, Bits>, key: &K, bit: Bits) {
    if let Some(word) = words.get_mut(key) {
        *word &= !bit;
        if *word == 0 {
            words.remove(key);
        }
    }
}
