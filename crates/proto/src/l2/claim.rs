//! What is done when somebody else says that a served address is theirs.
//!
//! The address is kept and defended, as by RFC 5227 §2.4 (c): one announcement, and none for ten seconds after it,
//! so that two stations which both insist do not shout for ever. Neighbour discovery has no such rule; it is given the
//! same one, with an advertisement that overrides what neighbours have cached (RFC 4861 §7.2.6).
//!
//! Two claims are of another kind. One by another node of the cluster is for those to settle who decide which node has
//! the address: in a hand-over both answer for a moment, and a defence would undo it. Who still has it [a while
//! later](super::REPEAT) tells the segment again. And who stands in for another
//! node answers, and says nothing unasked: the owner defends when it is back.

use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::mac::MacAddr;

use super::pace::Task;
use super::{Key, Output, Responder};

/// `DEFEND_INTERVAL` (RFC 5227 §1.1).
pub const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// How long after the first frame of a take-over claims are let pass: they are mostly late frames of the old owner.
pub const LET_PASS: Duration = Duration::from_secs(1);

/// What was done about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Nothing: it is another node of this cluster.
    Friend,
    /// Nothing: the address is served in another node's name.
    StandingIn,
    /// Nothing yet: the address was taken over within [`LET_PASS`].
    LetPass,
    /// The address is defended, for the first time within [`DEFEND_INTERVAL`].
    Defended,
    /// Nothing: it was defended within [`DEFEND_INTERVAL`].
    DefendedBefore,
}

impl Responder {
    /// Judges what `by` says, if that is a claim of a served address: the one in whose name it is served claims nothing.
    pub(super) fn judge(&mut self, now: Instant, key: Key, by: MacAddr) -> bool {
        let (address, index) = key;
        let Some(served) = self.served.get_mut(&key) else {
            return false;
        };
        if served.name.mac() == by {
            return false;
        }
        let settled = served.told.is_some_and(|told| now - told >= LET_PASS);
        let response = match served.defended {
            _ if self.friends.contains(&by) => Response::Friend,
            _ if !served.name.is_own() => Response::StandingIn,
            _ if !settled => Response::LetPass,
            Some(defended) if now - defended < DEFEND_INTERVAL => Response::DefendedBefore,
            _ => Response::Defended,
        };
        self.outputs.push_back(Output::Claimed {
            interface: index,
            address,
            by,
            response,
        });
        match response {
            Response::Friend => self.repeat(now, key),
            Response::Defended => {
                served.defended = Some(now);
                let lines = self.lines.entry(index).or_default();
                lines.arm(now, address, Task::Defend);
                self.send_due(now);
            }
            Response::StandingIn | Response::LetPass | Response::DefendedBefore => {}
        }
        true
    }
}
