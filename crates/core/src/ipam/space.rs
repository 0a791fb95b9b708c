//! The free addresses of one pool.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::addr::{Family, FreeSet, Numbering};
use crate::pool::Pool;

/// A pool with what is free in it. The entries keep the order of `spec.addresses`, which is the order of use.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) pool: Pool,
    entries: Vec<Entry>,
    /// The entries of each family that have a free address, so that full ones cost nothing.
    open: PerFamily<BTreeSet<usize>>,
    usage: PerFamily<Usage>,
}

#[derive(Debug)]
struct Entry {
    numbering: Numbering,
    /// None if `avoidBuggyIPs` leaves no address.
    free: Option<FreeSet>,
}

/// How full a pool is in one family. A shared address counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Usable addresses; saturates at 2^128 - 1.
    pub total: u128,
    /// Those that are held.
    pub assigned: u128,
    /// Those that nobody holds and not everybody may have: reserved, cooling down, or somebody else's on the segment.
    pub withheld: u128,
}

impl Usage {
    /// Those that anybody may have.
    pub fn available(self) -> u128 {
        self.total - self.assigned - self.withheld
    }

    fn count(&mut self, of: Occupancy) -> Option<&mut u128> {
        match of {
            Occupancy::Free => None,
            Occupancy::Held => Some(&mut self.assigned),
            Occupancy::Withheld => Some(&mut self.withheld),
        }
    }
}

/// What an address of a pool is to those who look for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupancy {
    /// Anybody may have it.
    Free,
    /// Somebody has it.
    Held,
    /// It is kept for somebody.
    Withheld,
}

/// Where an address stands in the order of use of its pool: entry, then number.
pub(super) type Position = (usize, u128);

/// A value for each family.
#[derive(Clone, Copy, Debug, Default)]
struct PerFamily<T>([T; 2]);

impl<T> PerFamily<T> {
    fn get(&self, family: Family) -> &T {
        &self.0[family as usize]
    }

    fn get_mut(&mut self, family: Family) -> &mut T {
        &mut self.0[family as usize]
    }
}

impl Space {
    /// All of `pool` is free.
    pub(super) fn new(pool: Pool) -> Self {
        let mut open: PerFamily<BTreeSet<usize>> = PerFamily::default();
        let mut usage: PerFamily<Usage> = PerFamily::default();
        let mut entries = Vec::with_capacity(pool.ranges().len());
        for (place, range) in pool.ranges().iter().enumerate() {
            let numbering = Numbering::new(range.family(), pool.avoid_buggy_ips());
            let free = numbering
                .span(range)
                .map(|(first, last)| FreeSet::new(first, last));
            if let Some(free) = &free {
                open.get_mut(range.family()).insert(place);
                let total = &mut usage.get_mut(range.family()).total;
                *total = total.saturating_add(free.size());
            }
            entries.push(Entry { numbering, free });
        }
        Self {
            pool,
            entries,
            open,
            usage,
        }
    }

    pub(super) fn usage(&self, family: Family) -> Usage {
        *self.usage.get(family)
    }

    /// The first free address of `family` in the order of use.
    pub(super) fn first(&self, family: Family) -> Option<(Position, IpAddr)> {
        let place = *self.open.get(family).first()?;
        let entry = &self.entries[place];
        let number = entry
            .free
            .as_ref()?
            .first()
            .expect("an open entry has a free number");
        Some(((place, number), entry.numbering.address(number)))
    }

    /// Where `address`, which lies in entry `place`, stands; none if it is not usable.
    pub(super) fn position(&self, place: usize, address: IpAddr) -> Option<Position> {
        Some((place, self.entries[place].numbering.number(address)?))
    }

    /// An address that was `before` is now `after`.
    pub(super) fn change(&mut self, (place, number): Position, before: Occupancy, after: Occupancy) {
        let Some(free) = &mut self.entries[place].free else {
            return;
        };
        let family = self.pool.ranges()[place].family();
        let usage = self.usage.get_mut(family);
        if let Some(count) = usage.count(before) {
            *count -= 1;
        }
        if let Some(count) = usage.count(after) {
            *count += 1;
        }
        let open = self.open.get_mut(family);
        match (before, after) {
            (Occupancy::Free, Occupancy::Free) => {}
            (Occupancy::Free, _) => {
                free.take(number);
                if free.is_empty() {
                    open.remove(&place);
                }
            }
            (_, Occupancy::Free) => {
                free.give_back(number);
                open.insert(place);
            }
            _ => {}
        }
    }
}
