//! The cookie that a speaker must bring back before it is believed, and the messages that carry it.
//!
//! It is a code over what it is for: nothing is kept about a speaker that has not brought one back.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::header::VERSION;
use super::{BootId, Refused};

const COOKIE: usize = 16;

/// Makes cookies, and knows them again.
pub(super) struct Jar {
    secret: hmac::Key,
    me: BootId,
}

impl Jar {
    pub(super) fn new(secret: &[u8; 32], me: BootId) -> Self {
        Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret),
            me,
        }
    }

    /// HMAC-SHA256 over the peer's boot, ours and the round, 40 bytes; the first half of it (RFC 2104 §5).
    ///
    /// A new round makes all cookies of earlier ones void.
    pub(super) fn cookie(&self, peer: &BootId, round: u64) -> [u8; COOKIE] {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(peer.as_bytes());
        context.update(self.me.as_bytes());
        context.update(&round.to_be_bytes());
        let tag = context.sign();
        let (cookie, _) = tag.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
        *cookie
    }

    pub(super) fn accepts(&self, peer: &BootId, round: u64, cookie: &[u8; COOKIE]) -> bool {
        verify_slices_are_equal(&self.cookie(peer, round), cookie).is_ok()
    }
}

/// `newest version 1 | to boot 16 | cookie 16`.
pub(super) struct Challenge {
    pub(super) to: BootId,
    pub(super) cookie: [u8; COOKIE],
}

/// `newest version 1 | cookie 16 | node 8`: shorter than what it answers.
pub(super) struct Echo {
    pub(super) cookie: [u8; COOKIE],
    /// By [`NodeId`](cortenlb_wire::member::NodeId).
    pub(super) node: u64,
}

// Both begin with the newest version that their sender reads. Nothing here depends on it: a speaker of a later
// version learns from it which peers it must still write to in this one.

impl Challenge {
    pub(super) fn emit(&self) -> Vec<u8> {
        [&[VERSION], self.to.as_bytes().as_slice(), &self.cookie].concat()
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let (_newest, rest) = bytes.split_first().ok_or(Refused::Truncated)?;
        let (to, rest) = rest.split_first_chunk().ok_or(Refused::Truncated)?;
        Ok(Self {
            to: BootId::new(*to),
            cookie: rest.try_into().map_err(|_| Refused::Truncated)?,
        })
    }
}

impl Echo {
    pub(super) fn emit(&self) -> Vec<u8> {
        [&[VERSION], self.cookie.as_slice(), &self.node.to_be_bytes()].concat()
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let (_newest, rest) = bytes.split_first().ok_or(Refused::Truncated)?;
        let (cookie, rest) = rest.split_first_chunk().ok_or(Refused::Truncated)?;
        Ok(Self {
            cookie: *cookie,
            node: u64::from_be_bytes(rest.try_into().map_err(|_| Refused::Truncated)?),
        })
    }
}
