//! The stamps that keep late writes of another leader out, and the proof that the watch has shown what landed before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cortenlb_core::name::ServiceKey;
use cortenlb_core::time::Instant;

/// The API server did not answer: it is asked again.
const UNANSWERED: Duration = Duration::from_millis(500);

/// A watch that lags catches up within this time. Only one that hangs, or was begun anew after what was listed had been
/// deleted, costs another list.
const BEHIND: Duration = Duration::from_secs(5);

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
    proof: Proof,
}

/// Whether every Service that the leader before can have decided about is known, in the form that it had left.
#[derive(Debug, Default)]
enum Proof {
    #[default]
    None,
    /// The API server was asked, by the question of this number.
    Asked(u64),
    /// It does not answer; it is asked again at this time.
    Unanswered(Instant),
    /// This is the newest version that it has, and the watch has shown none as new. It is asked again at `again`.
    Behind { newest: u64, again: Instant },
    /// The watch has shown a stamp, or what was the newest, and so everything older as well.
    Given,
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

    /// Whether a stamp of it was made in this term.
    pub(super) fn knows(&self, service: &ServiceKey) -> bool {
        self.stamps.contains_key(service)
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
            self.proof = Proof::Given;
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

    /// The stamp is refused: it will not be made again.
    pub(super) fn spare(&mut self, service: &ServiceKey) {
        self.awaited.remove(service);
    }

    /// The API server is asked which Services it has.
    pub(super) fn asked(&mut self, number: u64) {
        self.proof = Proof::Asked(number);
    }

    /// Question `number` was answered: the newest version that the API server has, none if it did not say.
    pub(super) fn listed(&mut self, now: Instant, number: u64, newest: Option<u64>) {
        match self.proof {
            Proof::Asked(asked) if asked == number => {}
            _ => return,
        }
        self.proof = match newest {
            None => Proof::Unanswered(now + UNANSWERED),
            Some(newest) => Proof::Behind {
                newest,
                again: now + BEHIND,
            },
        };
    }

    /// Compares what was listed with what the watch has `shown`, and drops what has become too old.
    pub(super) fn follow(&mut self, now: Instant, shown: u64) {
        if let Proof::Behind { newest, .. } = self.proof
            && newest <= shown
        {
            self.proof = Proof::Given;
        }
        if self.due().is_some_and(|due| due <= now) {
            self.proof = Proof::None;
        }
    }

    /// When [`follow`](Self::follow) has something to do, whatever is seen.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.proof {
            Proof::Unanswered(again) | Proof::Behind { again, .. } => Some(again),
            Proof::None | Proof::Asked(_) | Proof::Given => None,
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        matches!(self.proof, Proof::Given)
    }

    /// Whether nothing is under way: no stamp, and no question.
    pub(super) fn is_at_rest(&self) -> bool {
        self.awaited.is_empty() && matches!(self.proof, Proof::None | Proof::Given)
    }
}
