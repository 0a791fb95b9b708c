//! How many writes of Services are under way at once.
//!
//! The writer takes any number, and there each waits whole: of ten thousand Services that are served at once the writes
//! need as much room as all else that is known of them. So those beyond the window are only named here, and decided
//! about when their turn comes. Those whose addresses change come first: users wait for them.

use std::collections::{BTreeSet, VecDeque};

use cortenlb_core::name::ServiceKey;
use cortenlb_kit::write::{CONCURRENCY, Priority};

/// Enough for the writer to have the next one at hand whenever one is answered.
pub(super) const WINDOW: usize = 4 * CONCURRENCY;

/// What is under way, and who waits.
#[derive(Debug, Default)]
pub(super) struct Window {
    under_way: usize,
    urgent: Queue,
    others: Queue,
}

/// First come, first served; each once.
#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<ServiceKey>,
    members: BTreeSet<ServiceKey>,
}

impl Window {
    /// Whether the write of `key` may go; if not, `key` will be [`next`](Self::next) some time.
    pub(super) fn admits(&mut self, key: &ServiceKey, priority: Priority) -> bool {
        if self.under_way < WINDOW {
            self.under_way += 1;
            return true;
        }
        match priority {
            Priority::High => self.urgent.push(key),
            Priority::Normal | Priority::Low => self.others.push(key),
        }
        false
    }

    /// A write was answered.
    pub(super) fn answered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Who is to be decided about now.
    pub(super) fn next(&mut self) -> Option<ServiceKey> {
        if self.under_way < WINDOW {
            self.urgent.pop().or_else(|| self.others.pop())
        } else {
            None
        }
    }
}

impl Queue {
    fn push(&mut self, key: &ServiceKey) {
        if self.members.insert(key.clone()) {
            self.order.push_back(key.clone());
        }
    }

    fn pop(&mut self) -> Option<ServiceKey> {
        let key = self.order.pop_front()?;
        self.members.remove(&key);
        if self.order.is_empty() {
            self.order = VecDeque::new();
        }
        Some(key)
    }
}
