//! What goes wrong with one request.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::{Answer, Fake};

/// A request as the server sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Whose it is, as the client [called itself](Fake::client_of).
    pub client: String,
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: String,
    /// The path, with the subresource.
    pub path: String,
    /// What follows `?`, as it was sent.
    pub query: String,
    /// Which form of answer it asks for.
    pub accept: String,
    /// Which kind of patch it is.
    pub content_type: String,
    /// The body; `Null` for none.
    pub body: Value,
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this code; nothing is done.
    Code(u16),
    /// Answered with 429 and `Retry-After`, in seconds; nothing is done.
    Busy(u32),
    /// Done, but the connection breaks before the answer.
    AnswerLost,
    /// The connection breaks; nothing is done.
    Reset,
    /// Never answered; nothing is done.
    Silence,
    /// Done and answered after this time. It is done also when its sender has gone away before.
    Slow(Duration),
    /// Kept until the test [`delivers`](Held::deliver) it: the write of a leader that was deposed long ago.
    Held,
}

/// A request that has left its client and is not done yet. Dropped, it never is, and its client sees a reset.
pub struct Held {
    fake: Fake,
    call: Call,
    answer: oneshot::Sender<Answer>,
}

impl Held {
    pub(super) fn new(fake: &Fake, call: Call) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        let fake = fake.clone();
        (Self { fake, call, answer }, receiver)
    }

    /// The request.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Whether its client still waits for the answer.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    /// Does it now, whether or not its client still waits. Returns the answer's code, or `None` for a request that the
    /// server could not read.
    pub fn deliver(self) -> Option<u16> {
        let answer = self.fake.lock().answer(&self.call);
        let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        // Nobody waits any more: that is the point.
        let _ = self.answer.send(answer);
        code
    }
}
