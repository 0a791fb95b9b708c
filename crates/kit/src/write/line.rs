//! Whether anybody answers: pure, the time is passed in.
//!
//! After a request without an answer the API server may be away, and a few thousand writes may wait. One of them at a
//! time goes out to see; the first answer, whatever it says, lets all others go. So nobody who waits has to guess when
//! to come back, and a dead server is asked at most twice a second.
//!
//! A server that was stopped and continues answers the probe that it finds, at once. One that died and starts again is
//! found by the next probe, after at most 800 ms.

use std::time::Duration;

use tokio::time::Instant;

use crate::{backoff, watch::LONGEST_OF_FEW};

/// The line to the API server: open until a request is not answered.
#[derive(Debug, Default)]
pub(super) struct Line {
    silence: Option<Silence>,
    /// Probes so far, so that none is taken for another.
    probes: u64,
}

#[derive(Debug)]
struct Silence {
    /// Probes of this silence that had no answer.
    failures: u32,
    probe: Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// None is under way; the next may go at this time.
    Due(Instant),
    /// This one is under way since then.
    Sent(u64, Instant),
}

impl Line {
    /// Whether a request may be sent now.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        match &self.silence {
            None => true,
            Some(silence) => matches!(silence.probe, Probe::Due(at) if at <= now),
        }
    }

    /// When a request may be sent, if that is a matter of time.
    pub(super) fn opens(&self) -> Option<Instant> {
        match self.silence.as_ref()?.probe {
            Probe::Due(at) => Some(at),
            Probe::Sent(..) => None,
        }
    }

    /// A request is sent. Returns the probe that it is, if it is one.
    pub(super) fn sent(&mut self, now: Instant) -> Option<u64> {
        let silence = self.silence.as_mut()?;
        self.probes += 1;
        silence.probe = Probe::Sent(self.probes, now);
        Some(self.probes)
    }

    /// A request was answered, be it by a refusal.
    pub(super) fn answered(&mut self) {
        self.silence = None;
    }

    /// A request was not answered; `probe` as [`sent`](Self::sent) returned it.
    pub(super) fn unanswered(&mut self, now: Instant, probe: Option<u64>) {
        let Some(silence) = &mut self.silence else {
            self.silence = Some(Silence {
                failures: 0,
                probe: Probe::Due(now + gap(0)),
            });
            return;
        };
        if let Probe::Sent(number, sent) = silence.probe
            && probe == Some(number)
        {
            silence.failures = silence.failures.saturating_add(1);
            silence.probe = Probe::Due(now.max(sent + gap(silence.failures)));
        }
    }
}

/// From the sending of one probe to the next: 63 to 100 ms at first, for a connection that broke, 500 to 800 ms in the
/// end.
fn gap(failures: u32) -> Duration {
    backoff::delay(failures, LONGEST_OF_FEW)
}

#[cfg(test)]
mod tests;
