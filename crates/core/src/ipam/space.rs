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

    /// Takes a free address.
    pub(super) fn take(&mut self, (place, number): Position) {
        let Some(free) = &mut self.entries[place].free else {
            return;
        };
        let family = self.pool.ranges()[place].family();
        if free.take(number) {
            self.usage.get_mut(family).assigned += 1;
            if free.is_empty() {
                self.open.get_mut(family).remove(&place);
            }
        }
    }

    /// Makes an address free again.
    pub(super) fn give_back(&mut self, (place, number): Position) {
        let Some(free) = &mut self.entries[place].free else {
            return;
        };
        let family = self.pool.ranges()[place].family();
        if free.give_back(number) {
            self.usage.get_mut(family).assigned -= 1;
            self.open.get_mut(family).insert(place);
        }
    }
}
