//! Sends frames and datagrams from a host.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cortenlb_netio::packet::PacketSocket;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::{arp, filter};

use super::{Thread, TrafficError, failure, inside, joined};
use crate::error::LabError;
use crate::lab::Lab;
use crate::plan::Segment;

/// The shortest rest of a sender that keeps to a pace: what is due meanwhile goes out together.
const REST: Duration = Duration::from_millis(2);

/// One thing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A whole Ethernet frame.
    Frame(Vec<u8>),
    /// What an UDP datagram holds.
    Datagram {
        /// To whom it goes, over IPv4.
        to: SocketAddr,
        /// Its payload.
        bytes: Vec<u8>,
    },
}

impl Parcel {
    /// The frame in which a host says to all that it has an address (RFC 5227, section 2.3).
    ///
    /// # Errors
    /// There is no such host.
    pub fn claim(lab: &Lab, host: &str, address: Ipv4Addr) -> Result<Self, LabError> {
        let mac = lab.plan.host(host)?.mac(Segment::Vip);
        let [request, _] = arp::Repr::gratuitous(mac, address);
        Ok(Self::Frame(request.emit()))
    }
}

/// What became of the parcels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many the kernel took.
    pub sent: u64,
    /// How often it had no room, so that one was offered again.
    pub full: u64,
}

/// Sends until it is stopped, dropped, or has no more.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<Thread<Sent>>,
}

impl Flood {
    /// Starts to send `parcels` from `host`, so many a second, or as fast as they go.
    ///
    /// # Errors
    /// There is no such host, or no thread.
    pub fn start(
        lab: &Lab,
        host: &str,
        parcels: impl Iterator<Item = Parcel> + Send + 'static,
        per_second: Option<u32>,
    ) -> Result<Self, LabError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (Arc::clone(&stop), host.to_owned());
        let work = move || Sender::open(name, per_second)?.run(parcels, &stopped);
        let thread = Some(inside(lab, host, work)?);
        Ok(Self { stop, thread })
    }

    /// Ends the sending.
    ///
    /// # Errors
    /// The sockets could not be opened, or failed on the way.
    pub async fn stop(self) -> Result<Sent, TrafficError> {
        self.stop.store(true, Ordering::Relaxed);
        self.finish().await
    }

    /// Waits until everything is sent.
    ///
    /// # Errors
    /// As for [`Flood::stop`].
    pub async fn finish(mut self) -> Result<Sent, TrafficError> {
        let thread = self.thread.take();
        joined(thread.expect("the thread is taken here only, with the flood")).await
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the thread owns.
struct Sender {
    host: String,
    frames: PacketSocket,
    datagrams: UdpSocket,
    per_second: Option<u32>,
}

impl Sender {
    fn open(host: String, per_second: Option<u32>) -> Result<Self, TrafficError> {
        let interface = Segment::Vip.interface();
        let index = nix::net::if_::if_nametoindex(interface.as_str())
            .map_err(|error| failure(&host, "find the interface of the host")(error.into()))?;
        // It only sends: of no address, no frame is delivered.
        let frames = PacketSocket::open(index, EtherType::Arp, &filter::arp([]))?;
        let datagrams =
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(failure(&host, "open an UDP socket"))?;
        Ok(Self {
            host,
            frames,
            datagrams,
            per_second,
        })
    }

    fn run(self, parcels: impl Iterator<Item = Parcel>, stop: &AtomicBool) -> Result<Sent, TrafficError> {
        let start = Instant::now();
        let mut sent = Sent::default();
        for (number, parcel) in (0_u32..).zip(parcels) {
            if let Some(per_second) = self.per_second {
                let due = start + Duration::from_secs(1) * number / per_second;
                if due > Instant::now() {
                    std::thread::sleep(REST);
                }
            }
            while let Err(error) = self.send(&parcel) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(sent);
                }
                if !is_full(&error) {
                    return Err(failure(&self.host, "send")(error));
                }
                sent.full += 1;
                std::thread::yield_now();
            }
            sent.sent += 1;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(sent)
    }

    fn send(&self, parcel: &Parcel) -> io::Result<()> {
        match parcel {
            Parcel::Frame(frame) => self.frames.send(frame),
            Parcel::Datagram { to, bytes } => self.datagrams.send_to(bytes, to).map(drop),
        }
    }
}

/// Whether a queue had no room: `EAGAIN`, or `ENOBUFS`, which has no kind of its own.
fn is_full(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(nix::errno::Errno::from_raw);
    error.kind() == io::ErrorKind::WouldBlock || code == Some(nix::errno::Errno::ENOBUFS)
}
