//! Membership in solicited-node groups, so that solicitations for an address reach this station.

use std::io;
use std::net::Ipv6Addr;

use cortenlb_wire::ipv6::solicited_node;
use socket2::{Domain, Socket, Type};

/// Membership in one group on one interface; dropping it leaves the group.
///
/// The kernel reports it by MLD, which switches that snoop need, and programs the card's filter. Memberships of
/// several sockets are counted by the kernel, so two addresses with the same group do not disturb each other. One
/// socket each, because the memberships of one socket share its `net.core.optmem_max`.
#[derive(Debug)]
pub struct Membership {
    /// Never bound, so that nothing is received through it.
    _socket: Socket,
}

impl Membership {
    /// Joins the solicited-node group of `address` on the interface with this index.
    ///
    /// # Errors
    /// When the interface is gone or has IPv6 disabled, or descriptors have run out.
    pub fn join(interface: u32, address: Ipv6Addr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
        socket.join_multicast_v6(&solicited_node(address), interface)?;
        Ok(Self { _socket: socket })
    }
}
