//! `AF_PACKET` sockets: whole Ethernet frames of one interface and one EtherType, filtered in the kernel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::filter::{self, Instruction};
use socket2::{Domain, SockFilter, Socket, Type};

use crate::{clock, sys};

/// A packet socket, bound to one interface and one EtherType. It never blocks. Needs `NET_RAW`.
///
/// It sees the frames that the interface takes in, addressed to this station or not, without those of VLANs on top of
/// it; the filter decides what is delivered. It never sees the frames that this machine sends.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    interface: u32,
}

/// One frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of it in the buffer; the rest of a longer frame is lost.
    pub length: usize,
    /// When the kernel took it in, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at: u64,
}

/// What has become of frames since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames that passed the filter.
    pub accepted: u32,
    /// Those of them that were lost, because the receive queue was full.
    pub dropped: u32,
}

/// Why there is no packet socket; nothing stays open.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {step} a packet socket for {protocol:?} on interface {interface}: the interface may be gone, or the \
     capability NET_RAW be missing"
)]
pub struct OpenError {
    step: &'static str,
    interface: u32,
    protocol: EtherType,
    #[source]
    source: io::Error,
}

impl PacketSocket {
    /// Opens a socket on the interface with this index, for frames that carry `protocol` and pass `filter`.
    ///
    /// The socket is made without a protocol and bound after the filter is attached, so that not one frame slips in
    /// unfiltered.
    ///
    /// # Errors
    /// [`OpenError`] names the step that failed: without `NET_RAW`, without such an interface, with a filter that
    /// the kernel refuses.
    pub fn open(interface: u32, protocol: EtherType, filter: &[Instruction]) -> Result<Self, OpenError> {
        let failed = |step| {
            move |source| OpenError {
                step,
                interface,
                protocol,
                source,
            }
        };
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None).map_err(failed("create"))?;
        let socket = Self { socket, interface };
        socket
            .set_filter(filter)
            .map_err(failed("attach the filter of"))?;
        sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
            .map_err(failed("ask for time stamps of"))?;
        sys::set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)
            .map_err(failed("configure"))?;
        sys::bind_packet(socket.as_fd(), interface, protocol as u16).map_err(failed("bind"))?;
        Ok(socket)
    }

    /// Replaces the filter at once; frames already queued stay.
    ///
    /// # Errors
    /// When the kernel refuses the program or has no room for it: the earlier filter stays.
    pub fn set_filter(&self, filter: &[Instruction]) -> io::Result<()> {
        let program: Vec<_> = filter::of_interface(self.interface)
            .iter()
            .chain(filter)
            .map(|&Instruction { code, jt, jf, k }| SockFilter::new(code, jt, jf, k))
            .collect();
        self.socket.attach_filter(&program)
    }

    /// Takes the next frame from the queue into `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when the queue is empty; `NetworkDown` once after the interface went down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let (length, stamp) = sys::receive_stamped(self.as_fd(), buffer)?;
        // The stamp is of the wall clock: only its age is of use.
        let age = stamp.map_or(0, |stamp| sys::clock(libc::CLOCK_REALTIME).saturating_sub(stamp));
        Ok(Received {
            length,
            at: clock::now().saturating_sub(age),
        })
    }

    /// Sends one whole Ethernet frame.
    ///
    /// # Errors
    /// `WouldBlock` or `ENOBUFS` when the interface's queue is full, `NetworkDown` when it is down, `ENXIO` when it
    /// is gone: the frame is lost.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }

    /// What has become of frames since this was last asked.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`; none is expected of an open socket.
    pub fn statistics(&self) -> io::Result<Statistics> {
        let (accepted, dropped) = sys::packet_statistics(self.as_fd())?;
        Ok(Statistics { accepted, dropped })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
