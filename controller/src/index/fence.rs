//! The stamps that keep late writes of another leader out.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::name::ServiceKey;

/// The fence of one term.
///
/// A stamp names the term and the version of the Service from which it was decided, so that it changes something: the
/// number of the term alone comes again after the Lease was deleted, and in a Service that was restored from a backup.
/// Whoever writes the annotation by hand can still have it there before; then the answer shows the old version, and
/// another stamp is made.
#[derive(Debug, Default)]
pub(super) struct Fence {
    stamps: BTreeMap<ServiceKey, Stamps>,
    /// Those that the watch has not shown yet.
    awaited: BTreeSet<ServiceKey>,
}

/// The stamps of one Service. Any of them will do.
#[derive(Debug)]
struct Stamps {
    made: Vec<String>,
    /// The version from which the last one was decided.
    from: String,
}

impl Fence {
    /// Makes the stamp of a Service that has none in this term.
    pub(super) fn add(&mut self, service: &ServiceKey, epoch: i32, version: &str) -> bool {
        if self.stamps.contains_key(service) {
            return false;
        }
        let stamps = Stamps {
            made: vec![format!("{epoch}.{version}")],
            from: version.to_owned(),
        };
        self.stamps.insert(service.clone(), stamps);
        self.awaited.insert(service.clone())
    }

    /// The stamp that is to be written, if the watch has not shown one yet.
    pub(super) fn awaited(&self, service: &ServiceKey) -> Option<&str> {
        let awaited = self.awaited.contains(service);
        let stamps = self.stamps.get(service).filter(|_| awaited)?;
        stamps.made.last().map(String::as_str)
    }

    /// The watch shows a form of a Service. Makes another stamp if this one has lost ours: somebody has replaced the
    /// object, and the watch may never show the form between.
    pub(super) fn told(
        &mut self,
        service: &ServiceKey,
        epoch: i32,
        version: &str,
        stamp: Option<&str>,
    ) -> bool {
        let awaited = self.awaited.contains(service);
        let Some(stamps) = self.stamps.get_mut(service).filter(|_| awaited) else {
            return false;
        };
        if stamps.from == version {
            return false;
        }
        if stamp.is_some_and(|stamp| stamps.made.iter().any(|made| made == stamp)) {
            self.awaited.remove(service);
            return false;
        }
        stamps.made.push(format!("{epoch}.{version}"));
        version.clone_into(&mut stamps.from);
        true
    }

    /// A stamp was answered with this version. Makes another one if it has changed nothing.
    pub(super) fn answered(&mut self, service: &ServiceKey, epoch: i32, version: &str) -> bool {
        let awaited = self.awaited.contains(service);
        let Some(stamps) = self.stamps.get_mut(service).filter(|_| awaited) else {
            return false;
        };
        if stamps.from != version {
            return false;
        }
        let number = stamps.made.len();
        stamps.made.push(format!("{epoch}.{version}.{number}"));
        true
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
