//! Neighbour solicitations and advertisements (RFC 4861 §4.3, §4.4), valid by §7.1.1 and §7.1.2 or refused.

use std::net::Ipv6Addr;

use pnet_packet::icmpv6::ndp::{
    MutableNeighborAdvertPacket, MutableNeighborSolicitPacket, NdpOption, NdpOptionType, NdpOptionTypes,
    NeighborAdvertFlags,
};
use pnet_packet::icmpv6::{Icmpv6Code, Icmpv6Types};

use crate::ipv6::{self, Envelope, Icmpv6, multicast_mac, solicited_node};
use crate::mac::MacAddr;

/// Bytes of either message before its options.
const FIXED: usize = 24;
/// Bytes of a link-layer address option for Ethernet (RFC 2464 §6), and its length in the option's units of eight.
const LINK_LAYER_OPTION: usize = 8;
const LINK_LAYER_UNITS: u8 = 1;

/// ICMPv6 type of a neighbour solicitation.
pub const SOLICITATION: u8 = 135;
/// ICMPv6 type of a neighbour advertisement.
pub const ADVERTISEMENT: u8 = 136;

const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// A neighbour solicitation or advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repr {
    /// Who has the target?
    Solicitation(Solicitation),
    /// The target is here.
    Advertisement(Advertisement),
}

/// A neighbour solicitation (RFC 4861 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// Its way; an unspecified source means duplicate address detection (RFC 4862 §5.4.2).
    pub envelope: Envelope,
    /// The address asked for.
    pub target: Ipv6Addr,
    /// Source link-layer address option.
    pub source_link_layer: Option<MacAddr>,
}

/// A neighbour advertisement (RFC 4861 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// Its way.
    pub envelope: Envelope,
    /// R: the sender is a router.
    pub router: bool,
    /// S: this answers a solicitation from the destination.
    pub solicited: bool,
    /// O: the option replaces what a neighbour has cached.
    pub override_cached: bool,
    /// The address that it is about.
    pub target: Ipv6Addr,
    /// Target link-layer address option.
    pub target_link_layer: Option<MacAddr>,
}

/// Why a frame is not a valid neighbour solicitation or advertisement; RFC 4861 §7.1 has all of them discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The packet around it is at fault.
    #[error(transparent)]
    Ipv6(#[from] ipv6::Error),
    /// Some other ICMPv6 message.
    #[error("the ICMPv6 message has type {0}")]
    Type(u8),
    /// Only code 0 is defined.
    #[error("the neighbour discovery message has code {0} instead of 0")]
    Code(u8),
    /// Shorter than 24 bytes.
    #[error("the neighbour discovery message has {0} bytes, fewer than 24")]
    Truncated(usize),
    /// A group is nobody's address.
    #[error("the neighbour discovery message is about the group address {0}")]
    TargetGroup(Ipv6Addr),
    /// An option states a length of zero, or one beyond the end.
    #[error("the neighbour discovery message has an option of impossible length")]
    OptionLength,
    /// A link-layer address option that does not hold an Ethernet address of a station.
    #[error("the link-layer address option does not hold the address of an Ethernet station")]
    LinkLayer,
    /// Duplicate address detection goes to the solicited-node group, without a link-layer address.
    #[error("the solicitation from the unspecified address breaks RFC 4861 section 7.1.1")]
    UnspecifiedSource,
    /// An advertisement to a group cannot answer anybody.
    #[error("the advertisement to a group address states that it was solicited")]
    SolicitedGroup,
}

impl Repr {
    /// Reads a whole Ethernet frame.
    ///
    /// # Errors
    /// [`Error`] says which rule of RFC 4861 §7.1 the frame breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let Icmpv6 { envelope, message } = Icmpv6::parse(bytes)?;
        let kind = *message.first().ok_or(Error::Truncated(0))?;
        let link_layer = match kind {
            SOLICITATION => SOURCE_LINK_LAYER,
            ADVERTISEMENT => TARGET_LINK_LAYER,
            other => return Err(Error::Type(other)),
        };
        let (fixed, options) = message
            .split_first_chunk::<FIXED>()
            .ok_or(Error::Truncated(message.len()))?;
        let [_, code, _, _, flags, _, _, _, ref target @ ..] = *fixed;
        if code != 0 {
            return Err(Error::Code(code));
        }
        let target = Ipv6Addr::from(*target);
        if target.is_multicast() {
            return Err(Error::TargetGroup(target));
        }
        let link_layer = link_layer_option(options, link_layer)?;
        if kind == SOLICITATION {
            let message = Solicitation {
                envelope,
                target,
                source_link_layer: link_layer,
            };
            message.check_source()?;
            return Ok(Self::Solicitation(message));
        }
        let has = |flag| flags & flag != 0;
        let solicited = has(NeighborAdvertFlags::Solicited);
        if solicited && envelope.destination.is_multicast() {
            return Err(Error::SolicitedGroup);
        }
        Ok(Self::Advertisement(Advertisement {
            envelope,
            router: has(NeighborAdvertFlags::Router),
            solicited,
            override_cached: has(NeighborAdvertFlags::Override),
            target,
            target_link_layer: link_layer,
        }))
    }

    /// Writes a whole Ethernet frame.
    pub fn emit(&self) -> Vec<u8> {
        match self {
            Self::Solicitation(solicitation) => solicitation.emit(),
            Self::Advertisement(advertisement) => advertisement.emit(),
        }
    }
}

/// Walks all options, as RFC 4861 §7.1 demands even after the one that counts, and returns the first `wanted`.
fn link_layer_option(mut options: &[u8], wanted: u8) -> Result<Option<MacAddr>, Error> {
    let mut found = None;
    while !options.is_empty() {
        let &[kind, units, ..] = options else {
            return Err(Error::OptionLength);
        };
        let (option, rest) = match options.split_at_checked(usize::from(units) * 8) {
            Some(split) if units > 0 => split,
            _ => return Err(Error::OptionLength),
        };
        options = rest;
        if kind != wanted || found.is_some() {
            continue;
        }
        let &[_, _, a, b, c, d, e, f] = option else {
            return Err(Error::LinkLayer);
        };
        found = Some(MacAddr([a, b, c, d, e, f])).filter(|mac| mac.is_station());
        if found.is_none() {
            return Err(Error::LinkLayer);
        }
    }
    Ok(found)
}

impl Solicitation {
    /// "Who has `target`?" from `source` at `mac`, to the target's solicited-node group (RFC 4861 §7.2.2). From the
    /// unspecified address it is duplicate address detection and carries no option.
    pub fn multicast(mac: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Self {
        let destination = solicited_node(target);
        let envelope = Envelope {
            destination_mac: multicast_mac(destination),
            source_mac: mac,
            source,
            destination,
        };
        Self {
            envelope,
            target,
            source_link_layer: Some(mac).filter(|_| !source.is_unspecified()),
        }
    }

    /// The same question for the target alone, at `mac`, as a neighbour is probed that is known (RFC 4861 §7.3.3).
    pub fn unicast(self, mac: MacAddr) -> Self {
        let envelope = Envelope {
            destination_mac: mac,
            destination: self.target,
            ..self.envelope
        };
        Self { envelope, ..self }
    }

    fn check_source(&self) -> Result<(), Error> {
        let Envelope {
            source, destination, ..
        } = self.envelope;
        let lawful = destination == solicited_node(self.target) && self.source_link_layer.is_none();
        if source.is_unspecified() && !lawful {
            return Err(Error::UnspecifiedSource);
        }
        Ok(())
    }

    /// The advertisement that answers this solicitation from the owner of the target, at `mac`, sent from
    /// `source` (RFC 4861 §7.2.4): O = 1 always; S = 1 to the one who asked, or S = 0 to all nodes if nobody can be
    /// answered (duplicate address detection).
    pub fn answer(&self, mac: MacAddr, source: Ipv6Addr) -> Advertisement {
        if self.envelope.source.is_unspecified() {
            return Advertisement::unsolicited(mac, source, self.target);
        }
        let envelope = Envelope {
            destination_mac: self.source_link_layer.unwrap_or(self.envelope.source_mac),
            source_mac: mac,
            source,
            destination: self.envelope.source,
        };
        Advertisement {
            envelope,
            solicited: true,
            ..Advertisement::unsolicited(mac, source, self.target)
        }
    }

    /// Writes a whole Ethernet frame.
    pub fn emit(&self) -> Vec<u8> {
        ipv6::emit(&self.envelope, length(self.source_link_layer), |message| {
            self.fill(message);
        })
    }

    fn fill(&self, message: &mut [u8]) {
        let mut packet = MutableNeighborSolicitPacket::new(message)
            .expect("24 bytes have room for a neighbour solicitation");
        packet.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
        packet.set_icmpv6_code(Icmpv6Code(0));
        packet.set_reserved(0);
        packet.set_target_addr(self.target);
        packet.set_options(&link_layer_options(
            NdpOptionTypes::SourceLLAddr,
            self.source_link_layer,
        ));
    }
}

impl Advertisement {
    /// "`target` is at `mac`" to all nodes (RFC 4861 §7.2.6), sent from `source`: S = 0, O = 1.
    pub const fn unsolicited(mac: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Self {
        let destination = ipv6::ALL_NODES;
        let envelope = Envelope {
            destination_mac: multicast_mac(destination),
            source_mac: mac,
            source,
            destination,
        };
        Self {
            envelope,
            router: false,
            solicited: false,
            override_cached: true,
            target,
            target_link_layer: Some(mac),
        }
    }

    /// Writes a whole Ethernet frame.
    pub fn emit(&self) -> Vec<u8> {
        ipv6::emit(&self.envelope, length(self.target_link_layer), |message| {
            self.fill(message);
        })
    }

    fn fill(&self, message: &mut [u8]) {
        let mut packet = MutableNeighborAdvertPacket::new(message)
            .expect("24 bytes have room for a neighbour advertisement");
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        packet.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
        packet.set_icmpv6_code(Icmpv6Code(0));
        packet.set_flags(
            flag(self.router, NeighborAdvertFlags::Router)
                | flag(self.solicited, NeighborAdvertFlags::Solicited)
                | flag(self.override_cached, NeighborAdvertFlags::Override),
        );
        packet.set_reserved(0);
        packet.set_target_addr(self.target);
        packet.set_options(&link_layer_options(
            NdpOptionTypes::TargetLLAddr,
            self.target_link_layer,
        ));
    }
}

fn length(link_layer: Option<MacAddr>) -> u16 {
    let options = if link_layer.is_some() {
        LINK_LAYER_OPTION
    } else {
        0
    };
    (FIXED + options) as u16
}

fn link_layer_options(option_type: NdpOptionType, link_layer: Option<MacAddr>) -> Vec<NdpOption> {
    link_layer
        .map(|MacAddr(octets)| NdpOption {
            option_type,
            length: LINK_LAYER_UNITS,
            data: octets.to_vec(),
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests;
