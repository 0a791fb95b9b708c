//! Random numbers from a seed (splitmix64): the same on every machine and with every version of every crate.

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLISECOND;

#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low + 1)
    }

    /// The same, for indices.
    pub(crate) fn index(&mut self, low: usize, high: usize) -> usize {
        usize::try_from(self.between(low as u64, high as u64)).unwrap()
    }

    pub(crate) const fn one_in(&mut self, many: u64) -> bool {
        self.number().is_multiple_of(many)
    }

    pub(crate) const fn permille(&mut self, share: u64) -> bool {
        self.number() % 1_000 < share
    }

    /// `count` different ones of `all`, in a random order.
    pub(crate) fn some(&mut self, all: &[usize], count: usize) -> Vec<usize> {
        let mut all = all.to_vec();
        for at in 0..count.min(all.len()) {
            let other = self.index(at, all.len() - 1);
            all.swap(at, other);
        }
        all.truncate(count);
        all
    }
}
