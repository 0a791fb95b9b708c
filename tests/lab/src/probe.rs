//! The prober: asks on the segment who has an address, again and again, and remembers who answered when.
//!
//! A thread of its own enters the network namespace of a host, and only that thread: its packet socket stays there,
//! the rest of the process where it was. It ends when the [`Prober`] is stopped or dropped; nothing is lost by that,
//! since what it saw is handed over at the end and each answer as it comes.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cortenlb_netio::packet::{OpenError, PacketSocket};
use cortenlb_netio::poll::{Poller, Waker};
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::{arp, filter, ndp};
use nix::sched::{CloneFlags, setns};
use tokio::sync::mpsc;

use crate::error::LabError;
use crate::lab::Lab;
use crate::plan::{Host, Segment};

mod askers;
mod report;

use askers::Askers;
pub use report::{Announcement, Answer, Kind, Report};

/// Why a prober saw nothing. The lab is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The thread could not be set up or lost its socket.
    #[error("probing for {address} from {host}: cannot {step}")]
    System {
        /// What was asked for.
        address: IpAddr,
        /// From which host.
        host: String,
        /// What failed.
        step: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No packet socket.
    #[error(transparent)]
    Socket(#[from] OpenError),
    /// Nobody, or somebody else, answered.
    #[error("{address} was not answered by {mac} within {seconds} s; the last answer came from {last:?}")]
    NoAnswer {
        /// What was asked for.
        address: IpAddr,
        /// Who should have answered.
        mac: MacAddr,
        /// How long was waited.
        seconds: u64,
        /// Who did, if anybody.
        last: Option<MacAddr>,
    },
}

/// Asks who has an address until it is stopped.
#[derive(Debug)]
pub struct Prober {
    address: IpAddr,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<Result<Report, ProbeError>>>,
    /// Answers as they come. Unbounded: one entry an answer, and the thread keeps all of them anyway.
    answers: mpsc::UnboundedReceiver<Answer>,
}

impl Prober {
    /// Starts to ask from `host` (on its interface on the VIP segment) for `address`, every `period`.
    ///
    /// # Errors
    /// There is no such host, or its namespace or socket cannot be opened.
    pub async fn start(lab: &Lab, host: &str, address: IpAddr, period: Duration) -> Result<Self, LabError> {
        let from = lab.plan.host(host)?;
        let namespace = format!("/run/netns/{}", lab.plan.namespace(from));
        let (host, failed) = (host.to_owned(), |step| failure(address, from, step));
        let namespace = File::open(&namespace).map_err(failed("open the namespace of the host"))?;
        let poller = Poller::new().map_err(failed("make a poller"))?;
        let waker = poller.waker();
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, answers) = mpsc::unbounded_channel();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("probe-{host}"));
        let stopped = Arc::clone(&stop);
        let work = move || {
            let socket = match open(&namespace, from, address) {
                Ok(socket) => socket,
                Err(error) => {
                    let _the_starter_waits = ready.send(Err(error));
                    return Ok(Report::new(period));
                }
            };
            let _the_starter_waits = ready.send(Ok(()));
            Task {
                socket,
                poller,
                host: from,
                address,
                stop: stopped,
                answers: sender,
                askers: Askers::of_next(),
                report: Report::new(period),
            }
            .run()
        };
        let thread = thread.spawn(work).map_err(failed("start a thread"))?;
        is_ready.await.expect("the thread says how its start went")?;
        Ok(Self {
            address,
            stop,
            waker,
            thread: Some(thread),
            answers,
        })
    }

    /// Waits for an answer from `mac`; earlier answers that nobody has waited for count too.
    ///
    /// # Errors
    /// None came in time.
    pub async fn answer_from(&mut self, mac: MacAddr, within: Duration) -> Result<Answer, ProbeError> {
        let mut last = None;
        let wanted = async {
            while let Some(answer) = self.answers.recv().await {
                last = Some(answer.mac);
                if answer.mac == mac {
                    return Some(answer);
                }
            }
            None
        };
        let found = tokio::time::timeout(within, wanted).await.ok().flatten();
        let address = self.address;
        found.ok_or(ProbeError::NoAnswer {
            address,
            mac,
            seconds: within.as_secs(),
            last,
        })
    }

    /// Ends the questions and says what was seen.
    ///
    /// # Errors
    /// The socket failed meanwhile.
    pub fn stop(mut self) -> Result<Report, ProbeError> {
        self.end()
            .expect("the thread is joined here and when dropped only")
    }

    fn end(&mut self) -> Option<Result<Report, ProbeError>> {
        let thread = self.thread.take()?;
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        Some(thread.join().expect("the prober's thread does not panic"))
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.end();
    }
}

/// Enters the namespace and opens a socket there that sees nothing but frames about `address`.
fn open(namespace: &File, host: Host, address: IpAddr) -> Result<PacketSocket, ProbeError> {
    let failed = |step| failure(address, host, step);
    setns(namespace, CloneFlags::CLONE_NEWNET)
        .map_err(|e| failed("enter the namespace of the host")(e.into()))?;
    let interface = Segment::Vip.interface();
    let index = nix::net::if_::if_nametoindex(interface.as_str());
    let index = index.map_err(|e| failed("find the interface of the host")(e.into()))?;
    let (protocol, filter) = match address {
        IpAddr::V4(address) => (EtherType::Arp, filter::arp([address])),
        IpAddr::V6(address) => (EtherType::Ipv6, filter::ndp([address])),
    };
    Ok(PacketSocket::open(index, protocol, &filter)?)
}

fn failure(address: IpAddr, host: Host, step: &'static str) -> impl FnOnce(io::Error) -> ProbeError {
    move |source| ProbeError::System {
        address,
        host: host.to_string(),
        step,
        source,
    }
}

/// What the thread owns.
struct Task {
    socket: PacketSocket,
    poller: Poller,
    host: Host,
    address: IpAddr,
    stop: Arc<AtomicBool>,
    answers: mpsc::UnboundedSender<Answer>,
    askers: Askers,
    report: Report,
}

impl Task {
    fn run(mut self) -> Result<Report, ProbeError> {
        let start = Instant::now();
        let mut due = start;
        while !self.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= due {
                self.report.asked.push(now - start);
                due += self.report.period;
                // A question lost to a full queue or a missing carrier is one that nobody answers.
                let _lost = self.socket.send(&self.question());
            }
            let wait = due.saturating_duration_since(Instant::now());
            let step = failure(self.address, self.host, "wait for frames");
            self.poller
                .wait([std::os::fd::AsFd::as_fd(&self.socket)], Some(wait))
                .map_err(step)?;
            self.drain(start);
        }
        self.report.length = start.elapsed();
        Ok(self.report)
    }

    /// The one that was written down last.
    fn question(&self) -> Vec<u8> {
        let mac = self.host.mac(Segment::Vip);
        match self.address {
            IpAddr::V4(address) => {
                arp::Repr::request(mac, self.askers.of(self.report.asked.len()), address).emit()
            }
            IpAddr::V6(address) => {
                ndp::Solicitation::multicast(mac, self.host.ipv6(Segment::Vip), address).emit()
            }
        }
    }

    fn drain(&mut self, start: Instant) {
        let mut buffer = [0; 2048];
        while let Ok(received) = self.socket.receive(&mut buffer) {
            let at = start.elapsed();
            let frame = &buffer[..received.length];
            match read(frame, self.address) {
                Some((Kind::Answer, mac)) => {
                    let last = self.report.asked.len();
                    let question = match self.address {
                        IpAddr::V4(_) => self.askers.question_of(frame, last),
                        IpAddr::V6(_) => Some(last),
                    };
                    // An answer to another prober, or to none.
                    let Some(question) = question else { continue };
                    let answer = Answer {
                        at,
                        question,
                        mac,
                        marked: self.address.is_ipv4() && is_marked(frame),
                    };
                    self.report.answers.push(answer);
                    let _nobody_waits = self.answers.send(answer);
                }
                Some((kind, mac)) => self.report.announcements.push(Announcement { at, kind, mac }),
                None => {}
            }
        }
    }
}

/// What a frame says about `address`, and which MAC address it names.
fn read(frame: &[u8], address: IpAddr) -> Option<(Kind, MacAddr)> {
    match address {
        IpAddr::V4(address) => {
            let arp = arp::Repr::parse(frame)
                .ok()
                .filter(|arp| arp.sender_ip == address)?;
            let kind = match (arp.operation, arp.target_ip == address) {
                (arp::Operation::Reply, false) => Kind::Answer,
                (arp::Operation::Reply, true) => Kind::GratuitousReply,
                (arp::Operation::Request, true) => Kind::GratuitousRequest,
                (arp::Operation::Request, false) => return None,
            };
            Some((kind, arp.sender_mac))
        }
        IpAddr::V6(address) => {
            let ndp::Repr::Advertisement(advertisement) = ndp::Repr::parse(frame).ok()? else {
                return None;
            };
            let about = advertisement.target == address;
            let kind = if advertisement.solicited {
                Kind::Answer
            } else {
                Kind::Unsolicited
            };
            let mac = advertisement
                .target_link_layer
                .unwrap_or(advertisement.envelope.source_mac);
            about.then_some((kind, mac))
        }
    }
}

/// Whether a frame with an ARP packet has more than zeros behind it.
fn is_marked(frame: &[u8]) -> bool {
    const HEADER_AND_PACKET: usize = 14 + 28;
    frame.iter().skip(HEADER_AND_PACKET).any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests;
