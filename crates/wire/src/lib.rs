//! Pure bytes: Ethernet, ARP, NDP, the packet filters for them, and what speakers tell each other.
//!
//! | module | owns |
//! | --- | --- |
//! | [`mac`] | the 48-bit link-layer address |
//! | [`ethernet`] | the Ethernet II header and the EtherTypes in use |
//! | [`arp`] | ARP for IPv4 over Ethernet (RFC 826, RFC 5227) |
//! | [`ipv6`] | the IPv6 header around ICMPv6, and multicast addresses |
//! | [`ndp`] | neighbour solicitations and advertisements (RFC 4861) |
//! | [`filter`] | classic BPF programs that let only frames about our addresses through |
//! | [`member`] | who is there, and who answers for which addresses: the messages between speakers |
//!
//! Never imports state, time or tokio.
//!
//! **The shape.** A `Repr` is a small owned value: `parse` makes it from a whole frame, `emit` makes a whole
//! frame from it. Nothing else crosses from bytes into the machines.
//!
//! **Panic contract.** No `parse` panics, whatever bytes it is given: it reads through checked slices alone, and
//! bytes after the end that the headers state (Ethernet padding) are ignored. No `emit` panics: it allocates the
//! frame itself. Frames are built with `pnet_packet`; they are never parsed with it, because its walk over NDP
//! options overflows on hostile lengths and accepts options of length zero.

pub mod arp;
pub mod ethernet;
pub mod filter;
pub mod ipv6;
pub mod mac;
pub mod member;
pub mod ndp;
