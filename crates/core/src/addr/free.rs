//! A set of numbers, held as its maximal intervals.

use std::collections::BTreeMap;

/// The free numbers of an interval: every operation costs O(log n) in the number of holes, whatever the size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeSet {
    /// First → last of each free interval; disjoint, and never adjacent, so that the form is unique.
    free: BTreeMap<u128, u128>,
    first: u128,
    last: u128,
    taken: u128,
}

impl FreeSet {
    /// The interval from `first` to `last` (inclusive, `first <= last`), all of it free.
    pub fn new(first: u128, last: u128) -> Self {
        debug_assert!(first <= last, "an interval has at least one number");
        Self {
            free: BTreeMap::from([(first, last)]),
            first,
            last,
            taken: 0,
        }
    }

    /// How many numbers the interval has; 2^128 saturates.
    pub fn size(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// How many numbers are free.
    pub fn len(&self) -> u128 {
        self.size() - self.taken
    }

    /// Whether none is free.
    pub fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// The lowest free number.
    pub fn first(&self) -> Option<u128> {
        self.free.first_key_value().map(|(first, _)| *first)
    }

    /// Whether `number` is free.
    pub fn contains(&self, number: u128) -> bool {
        self.hole(number).is_some()
    }

    /// Takes the lowest free number.
    pub fn take_first(&mut self) -> Option<u128> {
        let (first, last) = self.free.pop_first()?;
        if first < last {
            self.free.insert(first + 1, last);
        }
        self.taken += 1;
        Some(first)
    }

    /// Takes `number`; false, and no change, if it is not free.
    pub fn take(&mut self, number: u128) -> bool {
        let Some((first, last)) = self.hole(number) else {
            return false;
        };
        if first < number {
            self.free.insert(first, number - 1);
        } else {
            self.free.remove(&first);
        }
        if number < last {
            self.free.insert(number + 1, last);
        }
        self.taken += 1;
        true
    }

    /// Makes `number` free again; false, and no change, if it is free or lies outside.
    pub fn give_back(&mut self, number: u128) -> bool {
        if !(self.first..=self.last).contains(&number) || self.contains(number) {
            return false;
        }
        let above = number.checked_add(1).and_then(|next| self.free.remove(&next));
        let last = above.unwrap_or(number);
        match self.free.range_mut(..number).next_back() {
            Some((_, below)) if *below + 1 == number => *below = last,
            _ => {
                self.free.insert(number, last);
            }
        }
        self.taken -= 1;
        true
    }

    /// The free interval around `number`.
    fn hole(&self, number: u128) -> Option<(u128, u128)> {
        let (first, last) = self.free.range(..=number).next_back()?;
        (number <= *last).then_some((*first, *last))
    }
}
