//! Digests of entries, in parts: what two know differently is found without sending all of it.

use super::mix;

/// The digests of the parts.
#[derive(Debug)]
pub(super) struct Digests<const PARTS: usize>([u64; PARTS]);

impl<const PARTS: usize> Default for Digests<PARTS> {
    fn default() -> Self {
        Self([0; PARTS])
    }
}

impl<const PARTS: usize> Digests<PARTS> {
    /// Adds an entry, or takes it out. `key` is a hash of what it is about.
    pub(super) fn toggle(&mut self, key: u64, fields: impl IntoIterator<Item = u64>) {
        let hash = fields.into_iter().fold(key, |hash, field| mix(hash ^ field));
        self.0[part::<PARTS>(key)] ^= hash;
    }

    pub(super) const fn parts(&self) -> &[u64; PARTS] {
        &self.0
    }

    /// Of everything.
    pub(super) fn all(&self) -> u64 {
        self.0.iter().fold(0, |all, one| mix(all ^ one))
    }

    /// Whether `theirs` differ in the part of this key.
    pub(super) fn differ(&self, theirs: &[u64; PARTS], key: u64) -> bool {
        let part = part::<PARTS>(key);
        theirs[part] != self.0[part]
    }
}

fn part<const PARTS: usize>(key: u64) -> usize {
    usize::try_from(key % PARTS as u64).unwrap_or_default()
}
