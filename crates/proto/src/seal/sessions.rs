//! The boots of other speakers that have brought a cookie back.

use std::collections::BTreeMap;

use super::header::Parts;
use super::keys::{Keys, Subkey};
use super::window::Window;
use super::{BootId, Refused};

/// How many boots are known at a time: two of each of 1,024 nodes, each about 1.5 KB with two keys:
/// 3 MB.
pub const MOST_SESSIONS: usize = 2_048;

/// How many boots of one node are known at a time: the one that ends and the one that begins.
pub const MOST_PER_NODE: usize = 2;

/// A boot that has been silent while another of its node had this many payloads is forgotten. With a heartbeat each
/// 100 ms that is 1.6 s: far longer than two datagrams take to change places on a local network.
pub const OUTLIVED_BY: u32 = 16;

/// A boot that has been silent while this many payloads came from others may have to make room for a new one: each
/// session that could be there has had its turn 16 times.
pub const IDLE: u64 = 16 * MOST_SESSIONS as u64;

/// All of them, by boot and by node.
#[derive(Default)]
pub(super) struct Sessions {
    table: BTreeMap<BootId, Session>,
    /// At most [`MOST_PER_NODE`] each, none empty.
    nodes: BTreeMap<u64, Vec<BootId>>,
    /// Payloads from all of them, ever: what stands in for a clock.
    payloads: u64,
    /// Sessions forgotten, ever.
    forgotten: u64,
}

struct Session {
    node: u64,
    /// In the order of the shared keys.
    keys: Vec<Subkey>,
    /// The key that opened its last datagram.
    used: usize,
    window: Window,
    /// What [`Sessions::payloads`] was at its last one.
    at: u64,
    /// Payloads of another boot of its node since then.
    outlived: u32,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Counts the sessions forgotten. Cookies made before the last one was forgotten must be void: an answer to one
    /// of them would bring that session back without its window, and its recordings with it.
    pub(super) const fn round(&self) -> u64 {
        self.forgotten
    }

    /// Opens what a known boot sent. None: it is not known.
    pub(super) fn open(&mut self, parts: &Parts<'_>) -> Result<Option<Vec<u8>>, Refused> {
        let Some(session) = self.table.get_mut(&parts.header.boot) else {
            return Ok(None);
        };
        // Before opening, as RFC 4303 §3.4.3 has it: replays are cheap to refuse.
        if !session.window.is_fresh(parts.header.counter) {
            return Err(Refused::Replayed);
        }
        // The key that opened the last one first.
        let used = session.used;
        let others = (0..session.keys.len()).filter(|index| *index != used);
        for index in std::iter::once(used).chain(others) {
            if let Some(plain) = session.keys[index].open(parts) {
                session.used = index;
                session.window.mark(parts.header.counter);
                return Ok(Some(plain));
            }
        }
        Err(Refused::ForeignKey)
    }

    /// Takes note of a payload of a known boot.
    pub(super) fn carried(&mut self, boot: &BootId) {
        let Some(session) = self.table.get_mut(boot) else {
            return;
        };
        self.payloads += 1;
        session.at = self.payloads;
        session.outlived = 0;
        let siblings = self.nodes.get(&session.node).map_or(&[][..], Vec::as_slice);
        let mut ended = None;
        for sibling in siblings.iter().filter(|sibling| *sibling != boot) {
            if let Some(session) = self.table.get_mut(sibling) {
                session.outlived += 1;
                if session.outlived >= OUTLIVED_BY {
                    ended = Some(*sibling);
                }
            }
        }
        if let Some(ended) = ended {
            self.forget(&ended);
        }
    }

    /// Begins a session with a boot that is not known, whose echo had this counter and was opened by this key.
    pub(super) fn admit(
        &mut self,
        boot: BootId,
        node: u64,
        keys: Vec<Subkey>,
        used: usize,
        counter: u64,
    ) -> Result<(), Refused> {
        let siblings = self.nodes.get(&node).map_or(&[][..], Vec::as_slice);
        let at = |boot: &BootId| self.table.get(boot).map_or(0, |session| session.at);
        let leaves = if siblings.len() >= MOST_PER_NODE {
            // Of two that have not said anything yet, the one that came first.
            siblings.iter().copied().min_by_key(at)
        } else if self.table.len() >= MOST_SESSIONS {
            let idle = self.table.keys().copied().min_by_key(at);
            Some(
                idle.filter(|boot| self.payloads - at(boot) >= IDLE)
                    .ok_or(Refused::Full)?,
            )
        } else {
            None
        };
        if let Some(leaves) = leaves {
            self.forget(&leaves);
        }
        let session = Session {
            node,
            keys,
            used,
            window: Window::after(counter),
            at: self.payloads,
            outlived: 0,
        };
        self.table.insert(boot, session);
        self.nodes.entry(node).or_default().push(boot);
        Ok(())
    }

    /// Keeps each session whose last datagram was opened by a key that is still there.
    pub(super) fn rekey(&mut self, before: &Keys, keys: &Keys) {
        let mut gone = Vec::new();
        for (boot, session) in &mut self.table {
            match keys.position(before, session.used) {
                Some(used) => {
                    session.keys = keys.opening(boot);
                    session.used = used;
                }
                None => gone.push(*boot),
            }
        }
        for boot in gone {
            self.forget(&boot);
        }
    }

    fn forget(&mut self, boot: &BootId) {
        let Some(session) = self.table.remove(boot) else {
            return;
        };
        self.forgotten += 1;
        if let Some(siblings) = self.nodes.get_mut(&session.node) {
            siblings.retain(|sibling| sibling != boot);
            if siblings.is_empty() {
                self.nodes.remove(&session.node);
            }
        }
    }
}
