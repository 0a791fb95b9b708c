//! The keys that all speakers share, and the one of each boot that is made from them.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use cortenlb_wire::member::NodeId;

use super::BootId;
use super::header::{HEADER, Header, Parts};

/// The shortest key that is taken, in bytes. A key that people type is too easy to guess, whatever its length:
/// it must be random.
pub const SHORTEST_KEY: usize = 16;

/// How many keys there can be at a time: an old one and a new one.
pub const MOST_KEYS: usize = 2;

/// Sets this version's subkeys apart from those of every other (RFC 5869 §3.2).
const INFO: &[u8] = b"cortenlb member v1";

/// The keys that speakers share: the first one seals, all of them open.
///
/// A key is replaced in three steps, each finished on all speakers before the next begins: (old, new), (new, old),
/// (new).
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(Vec<Shared>);

/// Why keys cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// There is none.
    #[error("there is no key: speakers cannot tell each other from strangers")]
    None,
    /// There are more than [`MOST_KEYS`].
    #[error("there are {0} keys; at most {MOST_KEYS} can be in use: an old one and a new one")]
    TooMany(usize),
    /// One is shorter than [`SHORTEST_KEY`].
    #[error("key {index} has {length} bytes; below {SHORTEST_KEY} it can be guessed")]
    TooShort {
        /// Which one, from 0.
        index: usize,
        /// Its length in bytes.
        length: usize,
    },
}

impl Keys {
    /// Takes one or two keys, each of 16 bytes or more.
    ///
    /// # Errors
    /// [`BadKeys`] says which key is at fault.
    pub fn new(keys: &[&[u8]]) -> Result<Self, BadKeys> {
        match keys.len() {
            0 => return Err(BadKeys::None),
            1..=MOST_KEYS => {}
            more => return Err(BadKeys::TooMany(more)),
        }
        for (index, key) in keys.iter().enumerate() {
            if key.len() < SHORTEST_KEY {
                return Err(BadKeys::TooShort {
                    index,
                    length: key.len(),
                });
            }
        }
        Ok(Self(keys.iter().map(|key| Shared((*key).into())).collect()))
    }

    /// The key that a boot seals with.
    pub(super) fn sealing(&self, boot: &BootId) -> Subkey {
        self.0[0].subkey(boot)
    }

    /// The keys that may open what a boot sealed, in the order of the shared ones.
    pub(super) fn opening(&self, boot: &BootId) -> Vec<Subkey> {
        self.0.iter().map(|key| key.subkey(boot)).collect()
    }

    /// Where the key that was `index`th in `before` is here.
    pub(super) fn position(&self, before: &Self, index: usize) -> Option<usize> {
        self.0.iter().position(|key| *key == before.0[index])
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Shared(Box<[u8]>);

impl Shared {
    /// RFC 5869 with the boot's identifier as salt: no two boots seal with the same key, so that each can count its
    /// nonces from one.
    fn subkey(&self, boot: &BootId) -> Subkey {
        let extracted = Salt::new(HKDF_SHA256, boot.as_bytes()).extract(&self.0);
        let expanded = extracted
            .expand(&[INFO], &CHACHA20_POLY1305)
            .expect("32 bytes are less than 255 hashes (RFC 5869 §2.3)");
        Subkey(LessSafeKey::new(UnboundKey::from(expanded)))
    }
}

impl Drop for Shared {
    /// As well as safe code can: aws-lc-rs wipes what is made from this, but needs the key itself for each new boot.
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

/// One boot's key under one shared key.
pub(super) struct Subkey(LessSafeKey);

impl Subkey {
    /// The whole datagram. The counter must be a new one: two texts under one nonce give away both, and the key that
    /// authenticates them (RFC 8439 §4).
    pub(super) fn seal(&self, header: &Header, to: Option<NodeId>, plain: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(plain.len() + super::OVERHEAD);
        bytes.extend_from_slice(&header.emit());
        bytes.extend_from_slice(plain);
        let associated = Aad::from(header.associated(to));
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(header.counter), associated, &mut bytes[HEADER..])
            .expect("a datagram is shorter than 256 GB (RFC 8439 §2.8)");
        bytes.extend_from_slice(tag.as_ref());
        bytes
    }

    /// What was sealed, if it was sealed with this key and nothing has been changed.
    pub(super) fn open(&self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        let mut plain = vec![0; parts.sealed.len()];
        self.0
            .open_separate_gather(
                nonce(parts.header.counter),
                Aad::from(parts.associated),
                parts.sealed,
                parts.tag,
                &mut plain,
            )
            .ok()?;
        Some(plain)
    }
}

/// 96 bits: four bytes of zero, then the counter (RFC 8439 §2.8: it must never come twice under one key).
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
