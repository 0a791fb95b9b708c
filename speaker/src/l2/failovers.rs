//! The time line as the thread fills it and others read it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cortenlb_core::time::Instant;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::Notify;

use super::metrics::Metrics;
use super::timeline::{Phase, Taken, Takeover, Timeline};

/// What this node took over of late. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Failovers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    timeline: Mutex<Timeline>,
    announced: Notify,
}

impl Failovers {
    /// The newest changes first, as JSON: `{"changes": [{"time", "group", "addresses", "cause", "from", "inNameOf",
    /// "milliseconds": {phase: offset}}]}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.lock().to_json().to_string()
    }

    /// Waits until there may be something to take; for one task. Cancel safe.
    pub async fn announced(&self) {
        self.0.announced.notified().await;
    }

    /// The take-overs of which nobody has been told yet.
    #[must_use]
    pub fn take(&self) -> Vec<Takeover> {
        self.lock().news()
    }

    pub(super) fn taken(&self, now: Instant, taken: Taken, metrics: &Metrics) {
        metrics.came(taken.cause.told().0);
        let measured = self.lock().taken(now, Timestamp::now(), taken);
        for (phase, after) in measured {
            metrics.failed_over(phase, after);
        }
    }

    pub(super) fn reached(&self, now: Instant, address: IpAddr, phase: Phase, metrics: &Metrics) {
        if let Some((phase, after)) = self.lock().reached(now, address, phase) {
            metrics.failed_over(phase, after);
        }
        if phase == Phase::Announced {
            self.0.announced.notify_one();
        }
    }

    /// A holder that panicked has left whole changes behind.
    fn lock(&self) -> MutexGuard<'_, Timeline> {
        self.0.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
