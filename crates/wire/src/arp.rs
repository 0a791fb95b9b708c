//! ARP for IPv4 over Ethernet: RFC 826, with the probes and announcements of RFC 5227.

use std::net::Ipv4Addr;

use pnet_packet::arp::{ArpHardwareTypes, ArpOperation, MutableArpPacket};
use pnet_packet::ethernet::EtherTypes;

use crate::ethernet::{self, EtherType, Frame};
use crate::mac::MacAddr;

/// Bytes of an ARP packet for IPv4 over Ethernet.
const PACKET: usize = 28;
/// The least bytes of an Ethernet frame without its check sequence (IEEE 802.3: 64 with it).
const LEAST_FRAME: usize = 60;

/// `ar$op` (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Operation {
    /// `ares_op$REQUEST`: who has the target address?
    Request = 1,
    /// `ares_op$REPLY`: the sender has the sender address.
    Reply = 2,
}

/// One ARP packet and the Ethernet addresses that it travels between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Ethernet destination.
    pub destination: MacAddr,
    /// Ethernet source; a proxy may make it differ from `sender_mac`.
    pub source: MacAddr,
    /// `ar$op`.
    pub operation: Operation,
    /// `ar$sha`.
    pub sender_mac: MacAddr,
    /// `ar$spa`; unspecified in a probe (RFC 5227 §2.1.1).
    pub sender_ip: Ipv4Addr,
    /// `ar$tha`; meaningless in a request.
    pub target_mac: MacAddr,
    /// `ar$tpa`.
    pub target_ip: Ipv4Addr,
}

/// Why a frame is not an ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The frame around it is at fault.
    #[error(transparent)]
    Ethernet(#[from] ethernet::Error),
    /// The frame ends before the ARP packet does.
    #[error("the ARP packet has {0} of 28 bytes")]
    Truncated(usize),
    /// Some other pair of hardware and protocol.
    #[error("the ARP packet is not about IPv4 over Ethernet")]
    NotIpv4OverEthernet,
    /// Neither request nor reply.
    #[error("the ARP packet has operation {0}")]
    Operation(u16),
    /// The sender's address names a group: nobody can be answered there.
    #[error("the ARP packet's sender has the group address {0}")]
    SenderGroup(MacAddr),
}

impl Repr {
    /// Reads a whole Ethernet frame; padding after the packet is ignored.
    ///
    /// # Errors
    /// [`Error`] says which rule of RFC 826 the frame breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let Frame {
            destination,
            source,
            payload,
        } = Frame::parse(bytes, EtherType::Arp)?;
        let packet = payload
            .first_chunk::<PACKET>()
            .ok_or(Error::Truncated(payload.len()))?;
        // Hardware type Ethernet, protocol IPv4, lengths 6 and 4.
        if !packet.starts_with(&[0, 1, 8, 0, 6, 4]) {
            return Err(Error::NotIpv4OverEthernet);
        }
        let [
            _,
            _,
            _,
            _,
            _,
            _,
            o0,
            o1,
            a,
            b,
            c,
            d,
            e,
            f,
            i,
            j,
            k,
            l,
            m,
            n,
            o,
            p,
            q,
            r,
            s,
            t,
            u,
            v,
        ] = *packet;
        let operation = match u16::from_be_bytes([o0, o1]) {
            1 => Operation::Request,
            2 => Operation::Reply,
            other => return Err(Error::Operation(other)),
        };
        let sender_mac = MacAddr([a, b, c, d, e, f]);
        if sender_mac.is_multicast() {
            return Err(Error::SenderGroup(sender_mac));
        }
        Ok(Self {
            destination,
            source,
            operation,
            sender_mac,
            sender_ip: Ipv4Addr::new(i, j, k, l),
            target_mac: MacAddr([m, n, o, p, q, r]),
            target_ip: Ipv4Addr::new(s, t, u, v),
        })
    }

    /// Writes a whole Ethernet frame, padded to Ethernet's least length with zeros.
    pub fn emit(&self) -> Vec<u8> {
        let mut frame = vec![0; LEAST_FRAME];
        self.emit_into(&mut frame);
        frame
    }

    fn emit_into(&self, frame: &mut [u8]) {
        ethernet::emit(frame, self.destination, self.source, EtherType::Arp);
        let mut packet = MutableArpPacket::new(&mut frame[ethernet::HEADER..])
            .expect("60 bytes have room for an ARP packet");
        packet.set_hardware_type(ArpHardwareTypes::Ethernet);
        packet.set_protocol_type(EtherTypes::Ipv4);
        packet.set_hw_addr_len(6);
        packet.set_proto_addr_len(4);
        packet.set_operation(ArpOperation::new(self.operation as u16));
        packet.set_sender_hw_addr(self.sender_mac.into());
        packet.set_sender_proto_addr(self.sender_ip);
        packet.set_target_hw_addr(self.target_mac.into());
        packet.set_target_proto_addr(self.target_ip);
        frame[ethernet::HEADER + PACKET..].fill(0);
    }

    /// The request "who has `target`?", broadcast from `mac` with the address `sender`. With `sender` unspecified
    /// it is a probe (RFC 5227 §2.1.1): neighbours answer it and learn nothing.
    pub const fn request(mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self {
            destination: MacAddr::BROADCAST,
            source: mac,
            operation: Operation::Request,
            sender_mac: mac,
            sender_ip: sender,
            target_mac: MacAddr::ZERO,
            target_ip: target,
        }
    }

    /// The answer "`target_ip` is at `mac`" to this request, for its sender alone (RFC 826).
    pub const fn answer(&self, mac: MacAddr) -> Self {
        Self {
            destination: self.sender_mac,
            source: mac,
            operation: Operation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }

    /// Both forms of "`address` is at `mac`" for everybody: an announcement (RFC 5227 §2.3: a request with target
    /// MAC zero) and a reply. A neighbour that heeds one form only is common.
    ///
    /// The reply's target MAC equals its sender's: Linux (`arp_is_garp`) takes no other reply as gratuitous.
    pub const fn gratuitous(mac: MacAddr, address: Ipv4Addr) -> [Self; 2] {
        let request = Self::request(mac, address, address);
        [
            request,
            Self {
                operation: Operation::Reply,
                target_mac: mac,
                ..request
            },
        ]
    }
}

#[cfg(test)]
mod tests;
