//! Datagrams to and from the other speakers: one UDP socket, and the seal.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use cortenlb_proto::cluster::NodeId;
use cortenlb_proto::seal::{BootId, Keys, Opened, Refused, Seal};
use cortenlb_wire::member::LONGEST;

/// Longer than any datagram of ours: of a longer one the beginning is enough to refuse it.
const DATAGRAM: usize = LONGEST + 300;

/// Where the speakers listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    /// This node's address.
    pub address: IpAddr,
    /// The port of all speakers.
    pub port: u16,
}

/// The socket. Silent and deaf until it has keys.
pub(super) struct Transport {
    socket: UdpSocket,
    bind: Bind,
    me: NodeId,
    boot: BootId,
    secret: [u8; 32],
    seal: Option<Seal>,
}

/// What has come in.
pub(super) enum Received {
    /// Authentic.
    Datagram(Vec<u8>),
    /// Nothing that concerns the machine.
    Nothing,
    /// It changes nothing.
    Refused(Refused),
}

impl Transport {
    /// Opens the socket. `boot` and `secret` are random, anew for each process.
    ///
    /// # Errors
    /// When the address is not this node's, or the port is taken (by the speaker of a running MetalLB, perhaps).
    pub(super) fn open(bind: Bind, me: NodeId, boot: [u8; 16], secret: [u8; 32]) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(bind.address, bind.port))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            bind,
            me,
            boot: BootId::new(boot),
            secret,
            seal: None,
        })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// From now on these keys hold.
    pub(super) fn set_keys(&mut self, keys: Keys) {
        match &mut self.seal {
            Some(seal) => seal.set_keys(keys),
            None => self.seal = Some(Seal::new(keys, self.me, self.boot, &self.secret)),
        }
    }

    /// Whether anything can be sent and opened.
    pub(super) const fn has_keys(&self) -> bool {
        self.seal.is_some()
    }

    /// Sends to a speaker; returns whether the kernel took it. What it did not take is lost, as on any network.
    pub(super) fn send(&mut self, to: NodeId, addresses: &[IpAddr], bytes: &[u8]) -> bool {
        let same_family = |address: &&IpAddr| address.is_ipv4() == self.bind.address.is_ipv4();
        let Some(address) = addresses.iter().find(same_family) else {
            return false;
        };
        let to_there = SocketAddr::new(*address, self.bind.port);
        let Some(Ok(sealed)) = self.seal.as_mut().map(|seal| seal.seal(to, bytes)) else {
            return false;
        };
        self.socket.send_to(&sealed, to_there).is_ok()
    }

    /// The next datagram that has come in.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub(super) fn receive(&mut self) -> io::Result<Received> {
        let mut buffer = [0; DATAGRAM];
        let (length, from) = self.socket.recv_from(&mut buffer)?;
        let Some(seal) = &mut self.seal else {
            return Ok(Received::Nothing);
        };
        Ok(match seal.open(&buffer[..length]) {
            Opened::Payload { bytes, .. } => Received::Datagram(bytes),
            Opened::Reply { bytes, refused } => {
                // A lost answer is asked for again.
                let _ = self.socket.send_to(&bytes, from);
                refused.map_or(Received::Nothing, Received::Refused)
            }
            Opened::Nothing => Received::Nothing,
            Opened::Refused(refused) => Received::Refused(refused),
        })
    }
}
