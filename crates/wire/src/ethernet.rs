//! The Ethernet II header.

use std::net::IpAddr;

use pnet_packet::ethernet::{EtherType as PnetEtherType, MutableEthernetPacket};

use crate::mac::MacAddr;

/// Bytes of an Ethernet II header without a VLAN tag.
pub const HEADER: usize = 14;

/// What an Ethernet frame carries (IEEE 802 numbers, in host byte order).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum EtherType {
    /// ARP, 0x0806.
    Arp = 0x0806,
    /// IPv6, 0x86dd.
    Ipv6 = 0x86dd,
}

impl EtherType {
    /// What carries the questions and answers about an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Arp,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// An Ethernet header and what follows it, padding included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The station or group that the frame is for.
    pub destination: MacAddr,
    /// The station that sent the frame.
    pub source: MacAddr,
    /// Everything after the header.
    pub payload: &'a [u8],
}

/// Why bytes are not an Ethernet frame of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than a header has.
    #[error("the Ethernet frame ends inside its header")]
    Truncated,
    /// Some other protocol, or a VLAN tag.
    #[error("the Ethernet frame carries EtherType {0:#06x}")]
    EtherType(u16),
}

impl<'a> Frame<'a> {
    /// Reads the header of an untagged frame that carries `expected`.
    ///
    /// A packet socket sees no VLAN tag: the kernel has taken it off, or given the frame to the VLAN's interface.
    ///
    /// # Errors
    /// [`Error`] when the bytes end early or carry something else.
    pub fn parse(bytes: &'a [u8], expected: EtherType) -> Result<Self, Error> {
        let (header, payload) = bytes.split_first_chunk::<HEADER>().ok_or(Error::Truncated)?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        let ethertype = u16::from_be_bytes([t0, t1]);
        if ethertype != expected as u16 {
            return Err(Error::EtherType(ethertype));
        }
        Ok(Self {
            destination: MacAddr([d0, d1, d2, d3, d4, d5]),
            source: MacAddr([s0, s1, s2, s3, s4, s5]),
            payload,
        })
    }
}

/// Writes the header into the first bytes of `frame`, which is at least [`HEADER`] long.
pub(crate) fn emit(frame: &mut [u8], destination: MacAddr, source: MacAddr, ethertype: EtherType) {
    let mut header = MutableEthernetPacket::new(frame).expect("the frame has room for an Ethernet header");
    header.set_destination(destination.into());
    header.set_source(source.into());
    header.set_ethertype(PnetEtherType::new(ethertype as u16));
}
