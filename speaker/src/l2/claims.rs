//! Other stations' claims of addresses that are announced here, for those who tell the user.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::mac::MacAddr;
use tokio::sync::Notify;

/// A station that goes on claiming an address is told of again after this time.
const AGAIN: Duration = Duration::from_secs(600);

/// The queue `claims`: how many pairs of an address and a station are remembered. An address is defended once in 10 s, so
/// that ten quarrels, each with another station every time, fill it within [`AGAIN`]; what comes then is in the log alone.
const REMEMBERED: usize = 1_024;

/// Another station said that it has an address that is announced here, and was contradicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Where it was said to be.
    pub by: MacAddr,
}

/// The claims of which nobody has been told yet. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    told: Mutex<Told>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Told {
    /// When each was told.
    told: BTreeMap<(IpAddr, MacAddr), Instant>,
    news: Vec<Claim>,
}

impl Claims {
    /// Waits until there may be something to take; for one task. Cancel safe.
    pub async fn made(&self) {
        self.0.news.notified().await;
    }

    /// The claims of which nobody has been told yet.
    #[must_use]
    pub fn take(&self) -> Vec<Claim> {
        std::mem::take(&mut self.lock().news)
    }

    /// A claim was defended; returns whether there was room to remember it.
    pub(super) fn defended(&self, now: Instant, claim: Claim) -> bool {
        let is_noted = self.lock().note(now, claim);
        if is_noted == Some(true) {
            self.0.news.notify_one();
        }
        is_noted.is_some()
    }

    /// A holder that panicked has left whole changes behind.
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// Whether that is news; none: there is no room.
    fn note(&mut self, now: Instant, claim: Claim) -> Option<bool> {
        self.told.retain(|_, told| now - *told < AGAIN);
        let key = (claim.address, claim.by);
        if self.told.contains_key(&key) {
            return Some(false);
        }
        if self.told.len() >= REMEMBERED {
            return None;
        }
        self.told.insert(key, now);
        self.news.push(claim);
        Some(true)
    }
}

#[cfg(test)]
mod tests;
