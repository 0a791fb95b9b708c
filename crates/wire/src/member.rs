//! What speakers tell each other: who is there, and which of them answers for which addresses.
//!
//! A [`Datagram`] is what a sealed UDP payload holds. All integers are big-endian. Entries of a later version that
//! are longer than these are refused with the version, never guessed at.
//!
//! ```text
//! version 1 | kind 1 | from 8 | born 8 | incarnation 4 | phase 1 | sequence 8 | body …
//! ```

use std::net::IpAddr;

mod attachment;
mod bytes;

pub use attachment::{Attached, Attachment, MAX_INTERFACES, MAX_PREFIXES, Prefix};
use bytes::{Reader, Writer};

/// The version of the format that is written, and the only one that is read so far.
pub const VERSION: u8 = 1;

/// The longest datagram that is written: with the seal, UDP and IPv6 around it it fits into an Ethernet frame.
pub const LONGEST: usize = 1_200;

/// Into how many parts the records are divided for comparison.
pub const RECORD_BUCKETS: usize = 64;

/// Into how many parts the members are divided for comparison.
pub const MEMBER_BUCKETS: usize = 16;

/// A speaker, by a number made from the name of its node. Zero is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

impl NodeId {
    /// The number of the node with this `metadata.name`: FNV-1a, 64 bit.
    pub fn of(name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash.max(1))
    }

    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How old the knowledge about a member is: the later life tells the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life {
    /// When its process began, in nanoseconds since 1970 by its own wall clock. Wrong clocks are put right by
    /// `incarnation`.
    pub born: u64,
    /// How often it has contradicted what was said of it.
    pub incarnation: u32,
}

/// How a member is. Of the same life the later one in this order is the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It listens, and answers for nothing yet.
    Joining = 0,
    /// It does its part.
    Up = 1,
    /// It gives away what it has, and takes nothing.
    Draining = 2,
    /// Its process is gone for a moment, its node is not.
    Away = 3,
    /// It is gone.
    Dead = 4,
}

/// What is known of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Which one.
    pub id: NodeId,
    /// In which life.
    pub life: Life,
    /// How it is.
    pub phase: Phase,
}

/// How many stood behind a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backing {
    /// At most half of the known speakers.
    Minority = 0,
    /// More than half of them.
    Majority = 1,
}

/// Who answers for a group of addresses. Of two records about one group the greater one holds, in the order of the
/// fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// The lowest address of the group.
    pub group: IpAddr,
    /// How many stood behind it.
    pub backing: Backing,
    /// Counts the changes of the owner.
    pub epoch: u32,
    /// Counts the changes under one owner.
    pub revision: u32,
    /// Who answers.
    pub owner: NodeId,
    /// Who answers until the owner says that it does.
    pub from: Option<NodeId>,
    /// Who takes over, in this order.
    pub standbys: [Option<NodeId>; 2],
}

/// One message, and who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The sender, in the life in which it sent this.
    pub from: Member,
    /// Greater than in each earlier one of this life.
    pub sequence: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// I am here, and this is the digest of all that I know.
    Heartbeat {
        /// Of all members.
        members: u64,
        /// Of all records.
        records: u64,
    },
    /// I have not heard this member. Have you?
    Suspect(Member),
    /// Whether I have heard this member a moment ago.
    Opinion {
        /// Which one, in which life.
        member: Member,
        /// Whether I have.
        heard: bool,
    },
    /// News. What is older than what the receiver knows, it contradicts.
    Entries {
        /// Of members.
        members: Vec<Member>,
        /// Of how members are attached to the network.
        attachments: Vec<Attachment>,
        /// Of groups.
        records: Vec<Record>,
    },
    /// Your answers for an address do not reach me.
    Unanswered(Unanswered),
    /// We know different things: these are the digests of the parts of what I know.
    Digests {
        /// Whether this answers such a message.
        answer: bool,
        /// Of the members.
        members: Box<[u64; MEMBER_BUCKETS]>,
        /// Of the records.
        records: Box<[u64; RECORD_BUCKETS]>,
    },
}

/// What somebody has asked for on the segment in vain, who does not own it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The lowest address of the group.
    pub group: IpAddr,
    /// The address asked for.
    pub address: IpAddr,
    /// [`Record::epoch`] of the group's record.
    pub epoch: u32,
    /// How often in a row.
    pub times: u8,
}

/// Why bytes are no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Of a version that is not read here.
    #[error("the message has version {0}; this speaker reads version {VERSION}")]
    Version(u8),
    /// It ends too early.
    #[error("the message ends in the middle of a field")]
    Truncated,
    /// There is more than its fields.
    #[error("the message has {0} bytes behind its end")]
    TooLong(usize),
    /// A field has a value that it cannot have.
    #[error("field {field} of the message cannot be {value}")]
    Value {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u8,
    },
    /// The node with number zero.
    #[error("field {0} of the message names nobody")]
    Nobody(&'static str),
}

impl Datagram {
    /// Reads a whole datagram.
    ///
    /// # Errors
    /// [`Error`] says which field is at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let kind = reader.u8()?;
        let from = reader.member("from")?;
        let sequence = reader.u64()?;
        let body = match kind {
            0 => Body::Heartbeat {
                members: reader.u64()?,
                records: reader.u64()?,
            },
            1 => Body::Suspect(reader.member("member")?),
            2 => Body::Opinion {
                member: reader.member("member")?,
                heard: reader.flag("heard")?,
            },
            3 => {
                let [members, attachments, records] = [reader.u8()?, reader.u8()?, reader.u8()?];
                Body::Entries {
                    members: (0..members)
                        .map(|_| reader.member("members"))
                        .collect::<Result<_, _>>()?,
                    attachments: (0..attachments)
                        .map(|_| reader.attachment())
                        .collect::<Result<_, _>>()?,
                    records: (0..records).map(|_| reader.record()).collect::<Result<_, _>>()?,
                }
            }
            4 => Body::Digests {
                answer: reader.flag("answer")?,
                members: reader.digests()?,
                records: reader.digests()?,
            },
            5 => Body::Unanswered(Unanswered {
                group: reader.address()?,
                address: reader.address()?,
                epoch: reader.u32()?,
                times: reader.u8()?,
            }),
            value => return Err(Error::Value { field: "kind", value }),
        };
        reader.end()?;
        Ok(Self { from, sequence, body })
    }

    /// The whole datagram.
    ///
    /// # Panics
    /// Never, if lists of entries come from [`Body::entries`]: 256 entries of a kind in one datagram cannot be
    /// written.
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u8(VERSION);
        writer.u8(match &self.body {
            Body::Heartbeat { .. } => 0,
            Body::Suspect(_) => 1,
            Body::Opinion { .. } => 2,
            Body::Entries { .. } => 3,
            Body::Digests { .. } => 4,
            Body::Unanswered(_) => 5,
        });
        writer.member(&self.from);
        writer.u64(self.sequence);
        match &self.body {
            Body::Heartbeat { members, records } => {
                writer.u64(*members);
                writer.u64(*records);
            }
            Body::Suspect(member) => writer.member(member),
            Body::Unanswered(said) => {
                writer.address(said.group);
                writer.address(said.address);
                writer.u32(said.epoch);
                writer.u8(said.times);
            }
            Body::Opinion { member, heard } => {
                writer.member(member);
                writer.u8((*heard).into());
            }
            Body::Entries {
                members,
                attachments,
                records,
            } => {
                writer.count(members.len());
                writer.count(attachments.len());
                writer.count(records.len());
                members.iter().for_each(|member| writer.member(member));
                attachments
                    .iter()
                    .for_each(|attachment| writer.attachment(attachment));
                records.iter().for_each(|record| writer.record(record));
            }
            Body::Digests {
                answer,
                members,
                records,
            } => {
                writer.u8((*answer).into());
                members
                    .iter()
                    .chain(records.iter())
                    .for_each(|digest| writer.u64(*digest));
            }
        }
        writer.into_bytes()
    }
}

impl Body {
    /// As many bodies as it takes to say all this in datagrams of at most [`LONGEST`] bytes.
    pub fn entries(members: &[Member], attachments: &[Attachment], records: &[Record]) -> Vec<Self> {
        // The head takes 34 bytes, a member 21, a record at most 58.
        const ROOM: usize = LONGEST - 34;
        let members = members.chunks(ROOM / 21).map(|members| Self::Entries {
            members: members.to_vec(),
            attachments: Vec::new(),
            records: Vec::new(),
        });
        let attachments = bytes::fitting(ROOM, attachments)
            .into_iter()
            .map(|attachments| Self::Entries {
                members: Vec::new(),
                attachments: attachments.to_vec(),
                records: Vec::new(),
            });
        let records = records.chunks(ROOM / 58).map(|records| Self::Entries {
            members: Vec::new(),
            attachments: Vec::new(),
            records: records.to_vec(),
        });
        members.chain(attachments).chain(records).collect()
    }
}

#[cfg(test)]
mod tests;
