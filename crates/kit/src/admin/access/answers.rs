//! What the API server said of a token, for a while. Pure: the time is passed in.

use std::{collections::HashMap, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

use super::{Asked, Verdict};

/// For how long an answer is not asked for again. A right that is taken away is noticed within a minute, one that is
/// given within seconds.
const YES: Duration = Duration::from_secs(60);
const NO: Duration = Duration::from_secs(5);

/// For how long after the API server's answer a yes holds while it cannot be asked again: numbers are needed most while it
/// is away. A token of a ServiceAccount lives for an hour too.
const LONGEST: Duration = Duration::from_secs(3600);

/// After a question that was not answered, until the next.
const AGAIN: Duration = Duration::from_secs(10);

/// Each takes about 200 bytes. Whoever guesses tokens fills it with refusals, which make room for each other.
const MOST: usize = 256;

/// Who asks for what. The token itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    token: [u8; 32],
    verb: &'static str,
    path: String,
}

impl Key {
    pub(super) fn new(token: &str, asked: Asked<'_>) -> Self {
        let digest = digest(&SHA256, token.as_bytes());
        let token = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Self {
            token,
            verb: asked.verb,
            path: asked.path.to_owned(),
        }
    }
}

#[derive(Debug)]
struct Answer {
    verdict: Verdict,
    /// When the API server gave it.
    given: Instant,
    /// Until when it is not asked for again.
    until: Instant,
}

/// The newest [`MOST`] answers, those that grant before those that refuse.
#[derive(Debug, Default)]
pub(super) struct Answers(HashMap<Key, Answer>);

impl Answers {
    /// The answer that need not be asked for.
    pub(super) fn fresh(&self, key: &Key, now: Instant) -> Option<Verdict> {
        let answer = self.0.get(key).filter(|answer| now < answer.until)?;
        Some(answer.verdict.clone())
    }

    pub(super) fn keep(&mut self, key: Key, verdict: Verdict, now: Instant) {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.make_room();
        }
        let fresh = if verdict == Verdict::Granted { YES } else { NO };
        let answer = Answer {
            verdict,
            given: now,
            until: now + fresh,
        };
        self.0.insert(key, answer);
    }

    /// The API server could not be asked: whether a yes of its holds a little longer.
    pub(super) fn prolong(&mut self, key: &Key, now: Instant) -> bool {
        let Some(answer) = self.0.get_mut(key) else {
            return false;
        };
        let holds = answer.verdict == Verdict::Granted && now < answer.given + LONGEST;
        if holds {
            answer.until = now + AGAIN;
        }
        holds
    }

    fn make_room(&mut self) {
        let oldest = self
            .0
            .iter()
            .min_by_key(|(_, answer)| (answer.verdict == Verdict::Granted, answer.given));
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.0.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
