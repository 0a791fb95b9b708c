//! The stamps that keep late writes of another leader out.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::name::ServiceKey;

/// The fence of one term.
///
/// A stamp names the term and the version of the Service from which it was decided. No Service can have it already:
/// then nothing would change, and its version would be the same after it. The number of the term alone comes again after
/// the Lease was deleted, and in a Service that was restored from a backup.
#[derive(Debug, Default)]
pub(super) struct Fence {
    stamps: BTreeMap<ServiceKey, String>,
    /// Those that the watch has not shown yet.
    awaited: BTreeSet<ServiceKey>,
}

impl Fence {
    /// Makes the stamp of a Service that has none in this term.
    pub(super) fn add(&mut self, service: &ServiceKey, epoch: i32, version: &str) -> bool {
        if self.stamps.contains_key(service) {
            return false;
        }
        self.stamps.insert(service.clone(), format!("{epoch}.{version}"));
        self.awaited.insert(service.clone())
    }

    /// The stamp that the watch has not shown yet.
    pub(super) fn awaited(&self, service: &ServiceKey) -> Option<&str> {
        let awaited = self.awaited.contains(service);
        self.stamps.get(service).filter(|_| awaited).map(String::as_str)
    }

    /// The watch has shown it.
    pub(super) fn shown(&mut self, service: &ServiceKey) {
        self.awaited.remove(service);
    }

    /// The Service is gone: another one of its name needs a stamp of its own.
    pub(super) fn forget(&mut self, service: &ServiceKey) {
        self.stamps.remove(service);
        self.awaited.remove(service);
    }

    pub(super) fn is_up(&self) -> bool {
        self.awaited.is_empty()
    }
}
