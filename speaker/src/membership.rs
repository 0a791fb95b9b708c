//! What the flags say about how the speakers know one another.

use std::net::IpAddr;
use std::path::PathBuf;

/// The port of MetalLB's speakers.
pub const DEFAULT_PORT: u16 = 7946;

/// The entry of the Secret whose key seals and opens.
pub const KEY: &str = "secretkey";

/// The entry whose key opens too, if it is there: the next key or the last one, while the key is being changed.
pub const ACCEPTED_KEY: &str = "secretkey-accepted";

/// How this speaker finds out which other nodes are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where the speakers' datagrams are received and sent from; `None`: there are none, and a node is there while its
    /// speaker's pod is Ready.
    pub bind: Option<IpAddr>,
    /// The UDP port, the same on all nodes.
    pub port: u16,
    /// The directory that the Secret is mounted at, with a file for each entry ([`KEY`], [`ACCEPTED_KEY`]).
    pub secret_key_path: Option<PathBuf>,
    /// The Secret's name, by which it is read from the API server while its mount is empty: one that is made after the
    /// pod has started is mounted about a minute later.
    pub secret_name: Option<String>,
}
