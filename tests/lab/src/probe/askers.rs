//! Who asks, for ARP: an answer names its question by that, and is no other prober's. Nobody has these addresses
//! (198.18.0.0/15, RFC 2544, appendix C.2.2).

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};

use cortenlb_wire::arp;

/// The senders of one prober's questions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Askers(u16);

impl Askers {
    /// How many of a prober's questions have different senders.
    const COUNT: usize = 254;

    /// Those of one more prober.
    pub(super) fn of_next() -> Self {
        static PROBERS: AtomicU16 = AtomicU16::new(0);
        Self(PROBERS.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn of(self, question: usize) -> Ipv4Addr {
        let [high, low] = self.0.to_be_bytes();
        let last = u8::try_from(1 + question % Self::COUNT).expect("254 at most");
        Ipv4Addr::new(198, 18 + high % 2, low, last)
    }

    /// Which of the questions up to `last` an ARP answer is to; none if it is to nobody's here.
    pub(super) fn question_of(self, frame: &[u8], last: usize) -> Option<usize> {
        let arp = arp::Repr::parse(frame).ok()?;
        let latest = last.saturating_sub(Self::COUNT - 1).max(1)..=last;
        latest.rev().find(|question| self.of(*question) == arp.target_ip)
    }
}
