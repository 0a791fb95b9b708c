//! Reads datagrams off the segment, as whoever can listen there does.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use cortenlb_netio::poll::Poller;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::{TrafficError, failure, inside, joined};
use crate::error::LabError;
use crate::lab::Lab;

/// The number of UDP in an IPv4 header (RFC 768).
const UDP: u8 = 17;

/// Bytes of an UDP header (RFC 768).
const HEADER: usize = 8;

/// What an UDP datagram held that came in.
pub type Recorded = Vec<u8>;

impl Lab {
    /// Waits until `host` has received this many UDP datagrams over IPv4 to `port`, whoever listens there, and returns
    /// what they held.
    ///
    /// # Errors
    /// There is no such host, it cannot be listened on, or not as many came `within`.
    pub async fn record(
        &self,
        host: &str,
        port: u16,
        wanted: usize,
        within: Duration,
    ) -> Result<Vec<Recorded>, LabError> {
        let name = host.to_owned();
        let work = move || {
            let recorded = listen(port, wanted, within).map_err(failure(&name, "listen on the segment"))?;
            if recorded.len() == wanted {
                return Ok(recorded);
            }
            Err(TrafficError::Silence {
                host: name,
                received: recorded.len(),
                wanted,
                seconds: within.as_secs(),
            })
        };
        Ok(joined(inside(self, host, work)?).await?)
    }
}

fn listen(port: u16, wanted: usize, within: Duration) -> io::Result<Vec<Recorded>> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    // Without a link-layer header, and what comes in only: what this host sends goes to sockets of all protocols.
    let socket = socket(
        AddressFamily::Packet,
        SockType::Datagram,
        flags,
        SockProtocol::EthIp,
    )?;
    let mut socket = File::from(socket);
    let mut poller = Poller::new()?;
    let end = Instant::now() + within;
    let (mut recorded, mut packet) = (Vec::new(), [0; 2048]);
    while recorded.len() < wanted {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        poller.wait([socket.as_fd()], Some(left))?;
        match socket.read(&mut packet) {
            Ok(length) => recorded.extend(payload(&packet[..length], port).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(recorded)
}

/// What the UDP datagram to `port` in an IPv4 packet holds.
pub(super) fn payload(packet: &[u8], port: u16) -> Option<&[u8]> {
    // RFC 791: the header's length in words; the protocol; and no fragment but the first of one.
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if *packet.get(9)? != UDP || packet.get(6)? & 0x3f != 0 || *packet.get(7)? != 0 {
        return None;
    }
    let datagram = packet.get(header..)?;
    let [_, _, p0, p1, l0, l1, ..] = *datagram else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let here = u16::from_be_bytes([p0, p1]) == port;
    datagram.get(HEADER..length).filter(|_| here)
}

#[cfg(test)]
mod tests;
