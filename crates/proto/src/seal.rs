//! Sealing what speakers tell each other, so that strangers can neither read, forge nor repeat it.
//!
//! All speakers share a [key](Keys). Each process takes a random [`BootId`] when it begins and seals with a key made
//! from both (HKDF-SHA256, RFC 5869), by ChaCha20-Poly1305 (RFC 8439) with a counter as nonce. What goes over the
//! network is, all integers big-endian:
//!
//! ```text
//! version 1 | kind 1 | boot 16 | counter 8 | sealed … | tag 16
//! ```
//!
//! The first 26 bytes are in clear and authenticated, and so is the node that a payload is for, which is not sent. A
//! counter is taken once ([`WINDOW`]).
//!
//! **Recordings.** A datagram of a boot that is not known may be years old. It is withheld, and a *challenge* goes
//! back with a cookie: a code over that boot, ours and a secret of this process, so that nothing is kept. Whoever
//! lives sends the cookie back (the *echo*), and is known from then on: what it counted after the echo is taken, what
//! it counted before may have been recorded and never is. The cost is one round trip and the withheld datagrams. No
//! timer is needed: the next datagram brings the next challenge.
//!
//! ```text
//! A  ── payload ──▶  B    not known: withheld
//! A  ◀─ challenge ─  B
//! A  ─── echo ────▶  B    known
//! A  ── payload ──▶  B    taken
//! ```
//!
//! Each direction does this on its own. An answer is never longer than 75 bytes: to a challenge it is shorter than
//! that, to a payload of 33 bytes or more not longer, so that a recording cannot be used to flood others.
//!
//! **A node that starts again** has two boots for a while, and what is under way from the old one still counts. The
//! old one is forgotten when the new one has had [`OUTLIVED_BY`] payloads since it spoke last, or when a third one
//! comes. The rule does not ask which one is newer: the one that lives outlasts the other. What is forgotten makes
//! all cookies given until then void, or a recorded echo would bring it back.
//!
//! **What this does not do.** All speakers are trusted alike: whoever has the key can speak for every node. What is held
//! up on its way arrives late, as long as it is in the window: what is inside must say by itself what it is older than.
//!
//! **Versions.** The version stands in clear, and each version has its own subkeys. Handshakes carry the newest version
//! that their sender reads: a later speaker reads this one as well, and writes it to whoever reads nothing else.
//!
//! | module | owns |
//! | --- | --- |
//! | `header` | the bytes in clear |
//! | `keys` | shared keys and subkeys; sealing and opening one datagram |
//! | `cookie` | what handshakes carry |
//! | `refused` | why a datagram is not taken |
//! | `sessions` | which boots are known, and until when |
//! | `window` | which counters have been seen |

use std::fmt;

use cortenlb_wire::member::NodeId;

mod cookie;
mod header;
mod keys;
mod refused;
mod sessions;
mod window;

use cookie::{Challenge, Echo, Jar};
pub use header::VERSION;
use header::{Header, Kind, Parts};
use keys::Subkey;
pub use keys::{BadKeys, Keys, MOST_KEYS, SHORTEST_KEY};
pub use refused::Refused;
use sessions::Sessions;
pub use sessions::{IDLE, MOST_PER_NODE, MOST_SESSIONS, OUTLIVED_BY};
pub use window::WINDOW;

/// By how many bytes a sealed datagram is longer than what it holds.
pub const OVERHEAD: usize = header::HEADER + header::TAG;

/// One run of a speaker's process: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId([u8; 16]);

impl BootId {
    /// Takes random bytes. Two processes with the same ones would seal with the same key and nonces, which gives both
    /// away: they come from the operating system's generator, anew for each process.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What came of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Authentic, from a speaker that is known, and not seen before.
    Payload {
        /// Who sealed it.
        boot: BootId,
        /// What it says.
        bytes: Vec<u8>,
    },
    /// Send this back to where it came from.
    Reply {
        /// A sealed datagram.
        bytes: Vec<u8>,
        /// Why what came in was withheld; none: it was a challenge.
        refused: Option<Refused>,
    },
    /// It has done what it was for.
    Nothing,
    /// It changes nothing.
    Refused(Refused),
}

/// All counters of this boot have been used: the process must begin anew, with another [`BootId`]. At a million
/// datagrams a second that is after half a million years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all counters of this boot have been used, and none may be used twice")]
pub struct Exhausted;

/// Seals what this process sends, and opens what comes in.
pub struct Seal {
    keys: Keys,
    node: NodeId,
    boot: BootId,
    own: Subkey,
    /// The last counter used. It outlives a change of keys: an earlier key may come back.
    counter: u64,
    jar: Jar,
    sessions: Sessions,
}

impl Seal {
    /// A process on a node, which knows no other yet. `boot` and `secret` are random, from the operating system's
    /// generator, and anew for each process.
    pub fn new(keys: Keys, node: NodeId, boot: BootId, secret: &[u8; 32]) -> Self {
        Self {
            own: keys.sealing(&boot),
            keys,
            node,
            boot,
            counter: 0,
            jar: Jar::new(secret, boot),
            sessions: Sessions::default(),
        }
    }

    /// Takes other shared keys in place of the earlier ones. Peers stay known whose last datagram was sealed with a
    /// key that is still there; the others are challenged anew.
    pub fn set_keys(&mut self, keys: Keys) {
        self.own = keys.sealing(&self.boot);
        self.sessions.rekey(&self.keys, &keys);
        self.keys = keys;
    }

    /// How many boots of other speakers are known.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// A datagram that holds these bytes, [`OVERHEAD`] longer, and that nobody but the speaker on this node takes.
    ///
    /// A recording of what was said to one speaker would be news to another one: after the death of a third it would
    /// keep it alive for as long as the window is long.
    ///
    /// # Errors
    /// [`Exhausted`]: nothing can be sealed any more. Opening goes on.
    pub fn seal(&mut self, to: NodeId, plain: &[u8]) -> Result<Vec<u8>, Exhausted> {
        self.seal_as(Kind::Payload, Some(to), plain)
    }

    /// Takes in a datagram, from anybody.
    pub fn open(&mut self, bytes: &[u8]) -> Opened {
        self.try_open(bytes).unwrap_or_else(Opened::Refused)
    }

    fn try_open(&mut self, bytes: &[u8]) -> Result<Opened, Refused> {
        let parts = Parts::parse(bytes, self.node)?;
        let boot = parts.header.boot;
        if boot == self.boot {
            return Err(Refused::Own);
        }
        if let Some(plain) = self.sessions.open(&parts)? {
            return match parts.header.kind {
                Kind::Payload => {
                    self.sessions.carried(&boot);
                    Ok(Opened::Payload { boot, bytes: plain })
                }
                Kind::Challenge => self.answer(&plain),
                // Of an earlier challenge: two were under way.
                Kind::Echo => Ok(Opened::Nothing),
            };
        }
        let keys = self.keys.opening(&boot);
        let (used, plain) = keys
            .iter()
            .enumerate()
            .find_map(|(index, key)| Some((index, key.open(&parts)?)))
            .ok_or(Refused::ForeignKey)?;
        match parts.header.kind {
            Kind::Payload => self.challenge(boot),
            // Both may be new to each other: one must answer first.
            Kind::Challenge => self.answer(&plain),
            Kind::Echo => {
                let echo = Echo::parse(&plain)?;
                if !self.jar.accepts(&boot, self.sessions.round(), &echo.cookie) {
                    return Err(Refused::Unverified);
                }
                self.sessions
                    .admit(boot, echo.node, keys, used, parts.header.counter)?;
                Ok(Opened::Nothing)
            }
        }
    }

    fn challenge(&mut self, to: BootId) -> Result<Opened, Refused> {
        let cookie = self.jar.cookie(&to, self.sessions.round());
        let challenge = Challenge { to, cookie }.emit();
        let sealed = self.seal_as(Kind::Challenge, None, &challenge);
        Ok(Opened::Reply {
            bytes: sealed.map_err(|Exhausted| Refused::Unverified)?,
            refused: Some(Refused::Unverified),
        })
    }

    fn answer(&mut self, plain: &[u8]) -> Result<Opened, Refused> {
        let Challenge { to, cookie } = Challenge::parse(plain)?;
        if to != self.boot {
            return Err(Refused::Replayed);
        }
        let echo = Echo {
            cookie,
            node: self.node.get(),
        };
        let sealed = self.seal_as(Kind::Echo, None, &echo.emit());
        Ok(sealed.map_or(Opened::Nothing, |bytes| Opened::Reply { bytes, refused: None }))
    }

    fn seal_as(&mut self, kind: Kind, to: Option<NodeId>, plain: &[u8]) -> Result<Vec<u8>, Exhausted> {
        self.counter = self.counter.checked_add(1).ok_or(Exhausted)?;
        let header = Header {
            kind,
            boot: self.boot,
            counter: self.counter,
        };
        Ok(self.own.seal(&header, to, plain))
    }
}

impl fmt::Debug for Seal {
    /// Without anything that is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("keys", &self.keys)
            .field("boot", &self.boot)
            .field("counter", &self.counter)
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
