//! What stands in clear before the sealed bytes, and is authenticated with them.

use cortenlb_wire::member::NodeId;

use super::{BootId, Refused};

/// The version of the format that is written, and the only one that is read so far.
pub const VERSION: u8 = 1;

/// Bytes of the header.
pub(super) const HEADER: usize = 26;

/// Bytes of the associated data: the header, and the number of the node that it is for.
const ASSOCIATED: usize = HEADER + 8;

/// Bytes of the tag behind the sealed bytes (RFC 8439 §2.8).
pub(super) const TAG: usize = 16;

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the speaker has to say.
    Payload = 0,
    /// A cookie for a speaker that is not known.
    Challenge = 1,
    /// The cookie, back.
    Echo = 2,
}

/// Version 1, kind 1, boot 16, counter 8, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) boot: BootId,
    pub(super) counter: u64,
}

/// A datagram, divided.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    /// What is authenticated with the sealed bytes.
    pub(super) associated: [u8; ASSOCIATED],
    pub(super) sealed: &'a [u8],
    pub(super) tag: &'a [u8; TAG],
}

impl Header {
    pub(super) fn emit(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = VERSION;
        bytes[1] = self.kind as u8;
        bytes[2..18].copy_from_slice(self.boot.as_bytes());
        bytes[18..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// What is authenticated with the sealed bytes. The receiver is not written down: it knows who it is.
    ///
    /// Handshakes are for one boot, which stands in them or in the cookie; of its node nothing is known yet.
    pub(super) fn associated(&self, to: Option<NodeId>) -> [u8; ASSOCIATED] {
        let mut bytes = [0; ASSOCIATED];
        bytes[..HEADER].copy_from_slice(&self.emit());
        bytes[HEADER..].copy_from_slice(&to.map_or(0, NodeId::get).to_be_bytes());
        bytes
    }
}

impl<'a> Parts<'a> {
    /// Divides what has come in at a node.
    pub(super) fn parse(bytes: &'a [u8], me: NodeId) -> Result<Self, Refused> {
        // First of all: a later version may be shorter than this one.
        if *bytes.first().ok_or(Refused::Truncated)? != VERSION {
            return Err(Refused::Version);
        }
        let (clear, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Refused::Truncated)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>().ok_or(Refused::Truncated)?;
        let kind = match clear[1] {
            0 => Kind::Payload,
            1 => Kind::Challenge,
            2 => Kind::Echo,
            _ => return Err(Refused::Version),
        };
        let (mut boot, mut counter) = ([0; 16], [0; 8]);
        boot.copy_from_slice(&clear[2..18]);
        counter.copy_from_slice(&clear[18..]);
        let header = Header {
            kind,
            boot: BootId::new(boot),
            counter: u64::from_be_bytes(counter),
        };
        Ok(Self {
            header,
            associated: header.associated((kind == Kind::Payload).then_some(me)),
            sealed,
            tag,
        })
    }
}
