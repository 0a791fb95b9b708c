//! The IPv6 header (RFC 8200) around ICMPv6 (RFC 4443), and the multicast addresses of neighbour discovery.

use std::net::Ipv6Addr;

use pnet_packet::Packet as _;
use pnet_packet::icmpv6::{MutableIcmpv6Packet, checksum};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::MutableIpv6Packet;

use crate::ethernet::{self, EtherType, Frame};
use crate::mac::MacAddr;

/// Bytes of an IPv6 header.
pub const HEADER: usize = 40;
/// Next header: ICMPv6.
const ICMPV6: u8 = 58;
/// Where the checksum lies in an ICMPv6 message.
const CHECKSUM: usize = 2;

/// All nodes of the link, `ff02::1`.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The group that a solicitation for `address` is sent to: `ff02::1:ffXX:XXXX` (RFC 4291 §2.7.1).
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (high & 0xff), low)
}

/// The Ethernet group that carries an IPv6 multicast address: `33:33:` and its last four bytes (RFC 2464 §7).
pub const fn multicast_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

/// The hop limit that only a neighbour's packet can still have (RFC 4861 §7.1).
pub const HOP_LIMIT: u8 = 255;

/// Why a frame does not carry an intact ICMPv6 message from a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The frame around it is at fault.
    #[error(transparent)]
    Ethernet(#[from] ethernet::Error),
    /// The frame ends before the packet does.
    #[error("the IPv6 packet ends early")]
    Truncated,
    /// Another version of IP than the EtherType promises.
    #[error("the IPv6 packet states version {0}")]
    Version(u8),
    /// Something else than ICMPv6, or an extension header, which no neighbour discovery needs.
    #[error("the IPv6 packet's next header is {0}")]
    NextHeader(u8),
    /// A router has forwarded it (RFC 4861 §7.1: 255 or discard).
    #[error("the IPv6 packet's hop limit is {0} instead of 255")]
    HopLimit(u8),
    /// A group cannot send.
    #[error("the IPv6 packet comes from the group address {0}")]
    SourceGroup(Ipv6Addr),
    /// The checksum of ICMPv6 is wrong.
    #[error("the ICMPv6 message's checksum is wrong")]
    Checksum,
}

/// An ICMPv6 message from a neighbour, with the addresses around it; its checksum and hop limit are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmpv6<'a> {
    /// Ethernet and IPv6 addresses.
    pub envelope: Envelope,
    /// The message from its type on, without padding.
    pub message: &'a [u8],
}

/// The addresses around an ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Ethernet destination.
    pub destination_mac: MacAddr,
    /// Ethernet source.
    pub source_mac: MacAddr,
    /// IPv6 source.
    pub source: Ipv6Addr,
    /// IPv6 destination.
    pub destination: Ipv6Addr,
}

impl<'a> Icmpv6<'a> {
    /// Reads a whole Ethernet frame; bytes after the payload length are ignored.
    ///
    /// # Errors
    /// [`Error`] says which rule the frame breaks.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let frame = Frame::parse(bytes, EtherType::Ipv6)?;
        let (header, rest) = frame
            .payload
            .split_first_chunk::<HEADER>()
            .ok_or(Error::Truncated)?;
        let [
            version,
            _,
            _,
            _,
            l0,
            l1,
            next_header,
            hop_limit,
            ref addresses @ ..,
        ] = *header;
        if version >> 4 != 6 {
            return Err(Error::Version(version >> 4));
        }
        if next_header != ICMPV6 {
            return Err(Error::NextHeader(next_header));
        }
        if hop_limit != HOP_LIMIT {
            return Err(Error::HopLimit(hop_limit));
        }
        let message = rest
            .get(..usize::from(u16::from_be_bytes([l0, l1])))
            .ok_or(Error::Truncated)?;
        let [source, destination] = [&addresses[..16], &addresses[16..]]
            .map(|octets| Ipv6Addr::from(<[u8; 16]>::try_from(octets).expect("32 bytes are two addresses")));
        if source.is_multicast() {
            return Err(Error::SourceGroup(source));
        }
        if !checksum_holds(message, source, destination) {
            return Err(Error::Checksum);
        }
        let envelope = Envelope {
            destination_mac: frame.destination,
            source_mac: frame.source,
            source,
            destination,
        };
        Ok(Self { envelope, message })
    }
}

/// Sums the message with its pseudo-header (RFC 4443 §2.3): the one's complement sum of an intact one is all ones.
fn checksum_holds(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> bool {
    let words = |bytes: &[u8]| -> u64 {
        bytes
            .chunks(2)
            .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
            .sum()
    };
    let length = message.len() as u64;
    let mut sum =
        words(&source.octets()) + words(&destination.octets()) + length + u64::from(ICMPV6) + words(message);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

/// Writes Ethernet and IPv6 headers and the checksum around an ICMPv6 message that `fill` writes, of `length` bytes.
pub(crate) fn emit(envelope: &Envelope, length: u16, fill: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut frame = vec![0; ethernet::HEADER + HEADER + usize::from(length)];
    emit_into(&mut frame, envelope, length, fill);
    frame
}

pub(crate) fn emit_into(frame: &mut [u8], envelope: &Envelope, length: u16, fill: impl FnOnce(&mut [u8])) {
    ethernet::emit(
        frame,
        envelope.destination_mac,
        envelope.source_mac,
        EtherType::Ipv6,
    );
    let (header, message) = frame[ethernet::HEADER..].split_at_mut(HEADER);
    let mut packet = MutableIpv6Packet::new(header).expect("the frame has room for an IPv6 header");
    packet.set_version(6);
    packet.set_traffic_class(0);
    packet.set_flow_label(0);
    packet.set_payload_length(length);
    packet.set_next_header(IpNextHeaderProtocols::Icmpv6);
    packet.set_hop_limit(HOP_LIMIT);
    packet.set_source(envelope.source);
    packet.set_destination(envelope.destination);

    fill(message);
    message[CHECKSUM..CHECKSUM + 2].fill(0);
    let mut icmp = MutableIcmpv6Packet::new(message).expect("the frame has room for an ICMPv6 message");
    let sum = checksum(&icmp.to_immutable(), &envelope.source, &envelope.destination);
    icmp.set_checksum(sum);
    debug_assert!(checksum_holds(
        icmp.packet(),
        envelope.source,
        envelope.destination
    ));
}

#[cfg(test)]
mod tests;
