//! What users are told while the API server is away: one line when it begins, one when it is over.
//!
//! Every request of the process passes [`Noticing`], which therefore knows first, and alone knows when somebody answers
//! again: a watch that goes on where it was has nothing to tell. Whoever repeats a request says so at debug.
//!
//! Pure but for [`Noticing`]: the time is passed in.

use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::http::Request;
use tokio::time::Instant;
use tower::Service;

use crate::logs::chain;

/// The shortest time between two lines of one kind. One of three servers behind a balancer may be dead: every third
/// request begins an outage then, and the next one ends it.
const QUIET: Duration = Duration::from_secs(60);

/// From when on a request that its sender gives up counts as not answered. A shutdown gives up what was just sent.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets one in a while through.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Option<Instant>);

impl Seldom {
    /// Whether it is time to say it (again).
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now.duration_since(last) >= QUIET);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// Whether anybody answers.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// Since when nobody has answered.
    since: Option<Instant>,
    /// Whether users know.
    told: bool,
    seldom: Seldom,
}

impl Outage {
    /// A request was not answered. Returns whether users are to be told.
    pub(crate) fn unanswered(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        let tell = !self.told && self.seldom.is_due(now);
        self.told |= tell;
        tell
    }

    /// A request was answered. Returns how long none was, if users were told of it.
    pub(crate) fn answered(&mut self, now: Instant) -> Option<Duration> {
        let since = self.since.take()?;
        std::mem::take(&mut self.told).then(|| now.duration_since(since))
    }
}

/// Who repeats a request that the API server refuses: told when it seems to last, and when it is over.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// The code of the last refusals, how often, since when, and when last.
    streak: Option<Streak>,
}

#[derive(Clone, Copy, Debug)]
struct Streak {
    code: u16,
    times: u32,
    since: Instant,
    last: Instant,
}

/// A server that starts refuses this and that for a moment; what it says so often in a row it means.
const TIMES: u32 = 3;

/// How long there must be no refusal before the earlier ones are over: of a list and a watch one may succeed each time.
const CALM: Duration = Duration::from_secs(20);

impl Refused {
    /// It was refused with this status code. Returns whether users are to be told.
    pub(crate) fn refused(&mut self, now: Instant, code: u16) -> bool {
        let streak = self
            .streak
            .filter(|streak| streak.code == code && now.duration_since(streak.last) <= CALM);
        let streak = Streak {
            code,
            times: streak.map_or(0, |streak| streak.times).saturating_add(1),
            since: streak.map_or(now, |streak| streak.since),
            last: now,
        };
        self.streak = Some(streak);
        streak.times == TIMES
    }

    /// It succeeds. Returns how long it was refused, if users were told and it is over.
    pub(crate) fn succeeded(&mut self, now: Instant) -> Option<Duration> {
        let over = |streak: &mut Streak| now.duration_since(streak.last) > CALM;
        let streak = self.streak.take_if(over)?;
        (streak.times >= TIMES).then(|| streak.last.duration_since(streak.since))
    }
}

/// A connection that notices when nobody answers.
#[derive(Clone, Debug)]
pub(crate) struct Noticing<S> {
    inner: S,
    /// Whose connection it is, for the log.
    server: Arc<str>,
    outage: Arc<Mutex<Outage>>,
}

impl<S> Noticing<S> {
    pub(crate) fn new(server: &str, inner: S) -> Self {
        Self {
            inner,
            server: server.into(),
            outage: Arc::default(),
        }
    }
}

impl<S, B> Service<Request<B>> for Noticing<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Error: Error + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.inner.call(request);
        let mut waiting = Waiting {
            server: Arc::clone(&self.server),
            outage: Arc::clone(&self.outage),
            sent: Some(Instant::now()),
        };
        Box::pin(async move {
            let answer = answer.await;
            waiting.sent = None;
            match &answer {
                Ok(_) => waiting.answered(),
                Err(error) => waiting.unanswered(&chain(error)),
            }
            answer
        })
    }
}

/// One request under way.
struct Waiting {
    server: Arc<str>,
    outage: Arc<Mutex<Outage>>,
    /// None once it is over.
    sent: Option<Instant>,
}

impl Waiting {
    fn answered(&self) {
        let away = self.lock(|outage| outage.answered(Instant::now()));
        if let Some(away) = away {
            tracing::info!(server = %self.server, ?away, "the API server answers again");
        }
    }

    fn unanswered(&self, error: &str) {
        if self.lock(|outage| outage.unanswered(Instant::now())) {
            tracing::warn!(
                server = %self.server,
                error,
                "the API server does not answer: it is asked until it does, and every object stays as it is"
            );
        } else {
            tracing::debug!(server = %self.server, error, "no answer");
        }
    }

    fn lock<T>(&self, ask: impl FnOnce(&mut Outage) -> T) -> T {
        ask(&mut self.outage.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(waited) = self.sent.map(|sent| sent.elapsed())
            && waited >= PATIENCE
        {
            self.unanswered(&format!("nothing within {waited:?}"));
        }
    }
}

#[cfg(test)]
mod tests;
