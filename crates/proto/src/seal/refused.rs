//! Why a datagram is not taken: counted by whoever hands datagrams in.

use super::{MOST_SESSIONS, VERSION};

/// Why a datagram is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refused {
    /// Of a version, or a kind of message, that is not read here.
    #[error("the datagram is of another version than {VERSION}")]
    Version,
    /// Not as long as what it should be.
    #[error("the datagram does not have the length of what it should be")]
    Truncated,
    /// This process has sealed it: somebody sends back what it sends.
    #[error("the datagram is this speaker's own")]
    Own,
    /// No key opens it: it was sealed with another one, or for another node, or changed.
    #[error("no key opens the datagram at this node")]
    ForeignKey,
    /// Seen before, or so old that this cannot be told, or meant for an earlier process on this node.
    #[error("the datagram has been seen before")]
    Replayed,
    /// Its sender has not shown that it lives: it may be a recording.
    #[error("the sender of the datagram has not brought a cookie back")]
    Unverified,
    /// There are [`MOST_SESSIONS`] boots, and none is [idle](super::IDLE).
    #[error("{MOST_SESSIONS} speakers are known, and no more fit")]
    Full,
}

impl Refused {
    /// The value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Truncated => "truncated",
            Self::Own => "own",
            Self::ForeignKey => "foreign_key",
            Self::Replayed => "replayed",
            Self::Unverified => "unverified",
            Self::Full => "full",
        }
    }
}
