//! Three lines of waiting for each interface, each with its pace: who is told of when more is due than may go out.
//!
//! The frame that tells the segment first does not wait for any that tells it again. Nor does a question: who waits
//! for its answer would take a question that was not asked yet for one that nobody answers. Within a line the longest due
//! goes first, so that nobody starves: what comes later is due later.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;

/// The time of one turn.
pub const PACE: Duration = Duration::from_millis(10);
/// The most first frames in one turn on one interface: 5,000 a second.
///
/// A socket has room for 277 small frames (`net.core.wmem_default` of 212,992 bytes, 768 for each) and loses the rest,
/// of a thousand addresses the same ones each time. All lines together are 110, or 220 if one turn follows on the
/// other at once.
pub const FIRST_AT_ONCE: usize = 50;
/// The most of all other frames in one turn on one interface: 1,000 a second.
pub const LATER_AT_ONCE: usize = 10;
/// The most questions in one turn on one interface: 5,000 a second.
pub const QUESTIONS_AT_ONCE: usize = 50;

/// What is to be sent about an address. What is due at the same time goes in this order, address by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// The first frame of a take-over.
    First,
    /// A question who answers for the address.
    Question,
    /// The answer to somebody else's claim.
    Defend,
    /// A question to the gateway.
    Probe,
    /// The second form of the first round.
    Reply,
    /// All forms, as after a take-over: the segment may have been told otherwise.
    Again,
    /// All forms.
    Round,
}

impl Task {
    fn frames(self, address: IpAddr) -> usize {
        match self {
            Self::First | Self::Question | Self::Defend | Self::Probe | Self::Reply => 1,
            Self::Again | Self::Round => 1 + usize::from(address.is_ipv4()),
        }
    }
}

/// The lines of one interface.
#[derive(Debug)]
pub(super) struct Lines {
    first: Line,
    questions: Line,
    later: Line,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            first: Line::new(FIRST_AT_ONCE),
            questions: Line::new(QUESTIONS_AT_ONCE),
            later: Line::new(LATER_AT_ONCE),
        }
    }
}

impl Lines {
    /// Has this done at `at`, in place of an earlier time.
    pub(super) fn arm(&mut self, at: Instant, address: IpAddr, task: Task) {
        match task {
            Task::First => self.first.arm(at, address, task),
            Task::Question => self.questions.arm(at, address, task),
            _ => self.later.arm(at, address, task),
        }
    }

    /// Has nothing said about this address; questions for it are asked all the same.
    pub(super) fn disarm(&mut self, address: IpAddr) {
        self.first.disarm(address);
        self.later.disarm(address);
    }

    /// Has this not done.
    pub(super) fn forget(&mut self, address: IpAddr, task: Task) {
        self.first.forget(address, task);
        self.questions.forget(address, task);
        self.later.forget(address, task);
    }

    /// What is due and may go out.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(IpAddr, Task)> {
        let mut lines = [&mut self.first, &mut self.questions, &mut self.later].into_iter();
        lines.find_map(|line| line.pop(now))
    }

    /// When [`pop`](Self::pop) has something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let lines = [&self.first, &self.questions, &self.later];
        lines.into_iter().filter_map(Line::poll_timeout).min()
    }

    /// The addresses for which a question waits.
    #[cfg(test)]
    pub(super) fn questions(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.questions.times.keys().map(|(address, _)| *address)
    }

    /// The addresses about which something will be said, once for each task.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let lines = [&self.first, &self.later].into_iter();
        lines.flat_map(|line| line.times.keys().map(|(address, _)| *address))
    }
}

#[derive(Debug)]
struct Line {
    at_once: usize,
    due: BTreeSet<(Instant, IpAddr, Task)>,
    /// The same by address.
    times: BTreeMap<(IpAddr, Task), Instant>,
    /// The beginning of the turn that runs, and the frames sent in it.
    since: Instant,
    sent: usize,
}

impl Line {
    fn new(at_once: usize) -> Self {
        Self {
            at_once,
            due: BTreeSet::new(),
            times: BTreeMap::new(),
            since: Instant::default(),
            sent: 0,
        }
    }

    fn arm(&mut self, at: Instant, address: IpAddr, task: Task) {
        self.forget(address, task);
        self.times.insert((address, task), at);
        self.due.insert((at, address, task));
    }

    fn disarm(&mut self, address: IpAddr) {
        let range = (address, Task::First)..=(address, Task::Round);
        for ((address, task), at) in self.times.extract_if(range, |_, _| true) {
            self.due.remove(&(at, address, task));
        }
    }

    fn forget(&mut self, address: IpAddr, task: Task) {
        if let Some(at) = self.times.remove(&(address, task)) {
            self.due.remove(&(at, address, task));
        }
    }

    fn pop(&mut self, now: Instant) -> Option<(IpAddr, Task)> {
        self.poll_timeout().filter(|at| *at <= now)?;
        let (_, address, task) = self.due.pop_first()?;
        self.times.remove(&(address, task));
        if now - self.since >= PACE {
            self.since = now;
            self.sent = 0;
        }
        self.sent += task.frames(address);
        Some((address, task))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let &(at, address, task) = self.due.first()?;
        let turn_is_over = self.sent + task.frames(address) > self.at_once;
        let ready = if turn_is_over {
            self.since + PACE
        } else {
            self.since
        };
        Some(at.max(ready))
    }
}
