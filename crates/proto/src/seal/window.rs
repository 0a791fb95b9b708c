//! Which counters of a sender have been seen: the sliding window of RFC 4303 §3.4.3, kept as RFC 6479 keeps it.

const WORDS: usize = 16;

/// How far behind the greatest counter seen so far another one can be and still be told from a replay.
///
/// A sender counts the datagrams to all its peers in one sequence: this leaves room for one to each of 500 peers
/// between two to the same one that changed places on their way. One word of the ring is always about to be
/// overwritten (RFC 6479 §2).
pub const WINDOW: u64 = (WORDS as u64 - 1) * 64;

/// 136 bytes: bit `counter % 64` of word `counter / 64 % 16`.
#[derive(Debug)]
pub(super) struct Window {
    top: u64,
    seen: [u64; WORDS],
}

impl Window {
    /// A window in which this counter and all before it count as seen. What a sender sealed before it answered our
    /// challenge may be a recording.
    pub(super) fn after(counter: u64) -> Self {
        let mut seen = [u64::MAX; WORDS];
        seen[word(counter / 64)] = u64::MAX >> (63 - counter % 64);
        Self { top: counter, seen }
    }

    /// Whether the counter has not been seen. One too old to tell has.
    pub(super) const fn is_fresh(&self, counter: u64) -> bool {
        counter > self.top
            || (self.top - counter < WINDOW && self.seen[word(counter / 64)] & (1 << (counter % 64)) == 0)
    }

    /// Remembers a fresh counter: only of a datagram that has been found authentic, or anyone could move the window
    /// past its sender.
    pub(super) fn mark(&mut self, counter: u64) {
        let (from, to) = (self.top / 64, counter / 64);
        for step in 1..=to.saturating_sub(from).min(WORDS as u64) {
            self.seen[word(from + step)] = 0;
        }
        self.top = self.top.max(counter);
        self.seen[word(to)] |= 1 << (counter % 64);
    }
}

const fn word(number: u64) -> usize {
    (number % WORDS as u64) as usize
}
