//! Fields, read and written one after the other.

use std::net::IpAddr;

use super::{
    Attached, Attachment, Backing, Error, Life, MAX_INTERFACES, MAX_PREFIXES, Member, NodeId, Phase, Prefix,
    Record,
};
use crate::mac::MacAddr;

/// What is left to be read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(*chunk)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.chunk::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.chunk().map(u64::from_be_bytes)
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(Error::Value { field, value }),
        }
    }

    pub(super) fn digests<const N: usize>(&mut self) -> Result<Box<[u64; N]>, Error> {
        let mut digests = Box::new([0; N]);
        for digest in digests.iter_mut() {
            *digest = self.u64()?;
        }
        Ok(digests)
    }

    fn some_node(&mut self) -> Result<Option<NodeId>, Error> {
        Ok(Some(NodeId(self.u64()?)).filter(|id| id.0 != 0))
    }

    fn node(&mut self, field: &'static str) -> Result<NodeId, Error> {
        self.some_node()?.ok_or(Error::Nobody(field))
    }

    pub(super) fn member(&mut self, field: &'static str) -> Result<Member, Error> {
        Ok(Member {
            id: self.node(field)?,
            life: Life {
                born: self.u64()?,
                incarnation: self.u32()?,
            },
            phase: match self.u8()? {
                0 => Phase::Joining,
                1 => Phase::Up,
                2 => Phase::Draining,
                3 => Phase::Away,
                4 => Phase::Dead,
                value => {
                    return Err(Error::Value {
                        field: "phase",
                        value,
                    });
                }
            },
        })
    }

    pub(super) fn address(&mut self) -> Result<IpAddr, Error> {
        match self.u8()? {
            4 => Ok(IpAddr::from(self.chunk::<4>()?)),
            6 => Ok(IpAddr::from(self.chunk::<16>()?)),
            value => Err(Error::Value {
                field: "family",
                value,
            }),
        }
    }

    /// The length of a list that has at most so many elements.
    fn count(&mut self, field: &'static str, most: usize) -> Result<u8, Error> {
        match self.u8()? {
            count if usize::from(count) <= most => Ok(count),
            value => Err(Error::Value { field, value }),
        }
    }

    pub(super) fn attachment(&mut self) -> Result<Attachment, Error> {
        Ok(Attachment {
            id: self.node("attachments")?,
            born: self.u64()?,
            revision: self.u32()?,
            interfaces: (0..self.count("interfaces", MAX_INTERFACES)?)
                .map(|_| self.attached())
                .collect::<Result<_, _>>()?,
        })
    }

    fn attached(&mut self) -> Result<Attached, Error> {
        Ok(Attached {
            mac: MacAddr(self.chunk()?),
            carrier: self.flag("carrier")?,
            prefixes: (0..self.count("prefixes", MAX_PREFIXES)?)
                .map(|_| self.prefix())
                .collect::<Result<_, _>>()?,
        })
    }

    fn prefix(&mut self) -> Result<Prefix, Error> {
        let (address, value) = (self.address()?, self.u8()?);
        // One with bits behind its end would not be written as it was read.
        let prefix = Prefix::new(address, value).filter(|prefix| prefix.address() == address);
        prefix.ok_or(Error::Value {
            field: "prefix length",
            value,
        })
    }

    pub(super) fn record(&mut self) -> Result<Record, Error> {
        Ok(Record {
            group: self.address()?,
            backing: if self.flag("backing")? {
                Backing::Majority
            } else {
                Backing::Minority
            },
            epoch: self.u32()?,
            revision: self.u32()?,
            owner: self.node("owner")?,
            from: self.some_node()?,
            standbys: [self.some_node()?, self.some_node()?],
        })
    }

    pub(super) const fn end(&self) -> Result<(), Error> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(Error::TooLong(more)),
        }
    }
}

/// What has been written.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_be_bytes());
    }

    /// The length of a list.
    pub(super) fn count(&mut self, length: usize) {
        self.u8(u8::try_from(length).expect("a datagram has room for less than 256 entries"));
    }

    fn some_node(&mut self, node: Option<NodeId>) {
        self.u64(node.map_or(0, NodeId::get));
    }

    pub(super) fn member(&mut self, member: &Member) {
        self.u64(member.id.get());
        self.u64(member.life.born);
        self.u32(member.life.incarnation);
        self.u8(member.phase as u8);
    }

    pub(super) fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.u8(4);
                self.0.extend(address.octets());
            }
            IpAddr::V6(address) => {
                self.u8(6);
                self.0.extend(address.octets());
            }
        }
    }

    pub(super) fn attachment(&mut self, attachment: &Attachment) {
        self.u64(attachment.id.get());
        self.u64(attachment.born);
        self.u32(attachment.revision);
        let interfaces = first(&attachment.interfaces, MAX_INTERFACES);
        self.count(interfaces.len());
        for interface in interfaces {
            self.0.extend(interface.mac.0);
            self.u8(interface.carrier.into());
            let prefixes = first(&interface.prefixes, MAX_PREFIXES);
            self.count(prefixes.len());
            for prefix in prefixes {
                self.address(prefix.address());
                self.u8(prefix.length());
            }
        }
    }

    pub(super) fn record(&mut self, record: &Record) {
        self.address(record.group);
        self.u8(record.backing as u8);
        self.u32(record.epoch);
        self.u32(record.revision);
        self.u64(record.owner.get());
        self.some_node(record.from);
        record
            .standbys
            .iter()
            .for_each(|standby| self.some_node(*standby));
    }
}

fn first<T>(all: &[T], most: usize) -> &[T] {
    &all[..all.len().min(most)]
}

/// The same attachments, as many at a time as fit into so many bytes: the longest one takes 661.
pub(super) fn fitting(room: usize, attachments: &[Attachment]) -> Vec<&[Attachment]> {
    let (mut parts, mut rest) = (Vec::new(), attachments);
    while !rest.is_empty() {
        let mut used = 0;
        let fits = rest.iter().take_while(|attachment| {
            let mut writer = Writer::default();
            writer.attachment(attachment);
            used += writer.0.len();
            used <= room
        });
        let (part, later) = rest.split_at(fits.count().max(1));
        parts.push(part);
        rest = later;
    }
    parts
}
