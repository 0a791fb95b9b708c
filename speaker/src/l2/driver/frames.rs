//! Frames in and out: what the responder makes of those that come, and what it wants sent.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_netio::packet::Statistics;
use cortenlb_proto::l2::{Input, Output, Purpose, Response};
use tracing::{debug, error, warn};

use super::{BATCH, Driver, Port, Socket, now};
use crate::l2::claims::Claim;
use crate::l2::timeline::Phase;

/// Longer than any frame that counts: of a longer one the beginning is enough to refuse it.
const FRAME: usize = 1_522;
/// More frames than wait on one socket: the kernel counts each with 768 bytes at least, and 212,992 (`rmem_default`) are
/// the most unless it was told otherwise.
const QUEUE: usize = 512;
/// The least time between looks at the sockets' statistics.
const STATISTICS: Duration = Duration::from_secs(10);

impl Driver {
    /// Takes the frames that are waiting on one socket, up to a batch.
    pub(super) fn receive(&mut self, port: Port) {
        let mut taken = 0;
        while taken < BATCH && self.take_frame(port) {
            taken += 1;
            // The answer before all else that follows.
            self.perform();
            self.work();
        }
    }

    /// Answers the frames that are waiting. In a hand-over of many addresses a question may wait behind what the next
    /// owners tell of each of them.
    pub(super) fn finish(&mut self) {
        let ports: Vec<Port> = self.ports.keys().copied().collect();
        for port in ports {
            let mut taken = 0;
            while taken < QUEUE && self.take_frame(port) {
                taken += 1;
                self.perform();
            }
        }
    }

    /// Hands one frame to the responder, if there is one.
    fn take_frame(&mut self, port: Port) -> bool {
        let (interface, protocol) = port;
        let Some(Socket { socket, .. }) = self.ports.get(&port) else {
            return false;
        };
        if self.was_stopped() {
            // The machine is told first.
            return false;
        }
        let mut buffer = [0; FRAME];
        match socket.receive(&mut buffer) {
            Ok(received) => {
                let frame = Input::Frame {
                    interface,
                    protocol,
                    received: Instant(received.at),
                    bytes: &buffer[..received.length],
                };
                self.responder.handle_input(now(), frame);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.lose(port, &error),
        }
        false
    }

    /// Does what the responder says; returns whether that was anything.
    pub(super) fn perform(&mut self) -> bool {
        let mut performed = false;
        while let Some(output) = self.responder.poll_output() {
            performed = true;
            match output {
                Output::Send {
                    interface,
                    protocol,
                    address,
                    purpose,
                    frame,
                } => {
                    let sent = self.send((interface, protocol), &frame);
                    // Counted when the answer is on its way.
                    if purpose == Purpose::Answer {
                        self.metrics.asked(address);
                    }
                    if sent {
                        match purpose {
                            Purpose::Answer => self.metrics.answered(address),
                            Purpose::First => {
                                self.metrics.told(address);
                                self.reached(address, Phase::Announced);
                            }
                            Purpose::Gratuitous | Purpose::Defence => self.metrics.told(address),
                            Purpose::Probe | Purpose::Question => {}
                        }
                    }
                }
                Output::GatewayLearned {
                    interface,
                    address,
                    gateway,
                    after,
                } => {
                    let name = self.name(interface);
                    debug!(name, interface, %address, %gateway, ?after, "the gateway knows where the address is");
                    self.metrics.gateway_learned.observe(after.as_secs_f64());
                    self.reached(address, Phase::Gateway);
                }
                Output::Answered {
                    interface,
                    address,
                    by,
                    source,
                } => {
                    let name = self.name(interface);
                    debug!(name, interface, %address, %by, %source, "somebody answers for the address");
                    self.ownership.answered(now(), interface, address, by, source);
                }
                Output::Claimed {
                    interface,
                    address,
                    by,
                    response: Response::Friend,
                } => {
                    let name = self.name(interface);
                    self.metrics.claimed_by_friend(address, name);
                    debug!(name, interface, %address, %by, "another node claims an address that is announced here");
                    self.ownership.claimed(now(), interface, address, by);
                }
                Output::Claimed {
                    interface,
                    address,
                    by,
                    response,
                } => {
                    let name = self.name(interface);
                    self.metrics.claimed(address, name);
                    // Once in ten seconds for each address, so that a quarrel does not fill the log.
                    if response == Response::Defended {
                        if !self.told.claims.defended(now(), Claim { address, by }) {
                            self.metrics.untold.inc();
                        }
                        warn!(name, interface, %address, %by, "another station claims an address that is announced here; defended");
                    } else {
                        debug!(name, interface, %address, %by, ?response, "another station claims an address that is announced here");
                    }
                }
                Output::Ignored { interface, reason } => {
                    debug!(name = self.name(interface), interface, ?reason, "not answered");
                    self.metrics.ignored(reason);
                }
            }
        }
        performed
    }

    /// Whether the interface took the frame. What it did not take is not sent later: by then it may be wrong.
    fn send(&self, port: Port, frame: &[u8]) -> bool {
        let result = match self.ports.get(&port) {
            Some(Socket { socket, .. }) => socket.send(frame),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if let Err(error) = &result {
            let (interface, protocol) = port;
            debug!(name = self.name(interface), interface, ?protocol, %error, "cannot send");
            self.metrics.unsent.inc();
        }
        result.is_ok()
    }

    fn reached(&self, address: IpAddr, phase: Phase) {
        self.told.failovers.reached(now(), address, phase, &self.metrics);
    }

    pub(super) fn look_at_statistics(&mut self) {
        if now() - self.statistics < STATISTICS {
            return;
        }
        self.statistics = now();
        for ((interface, protocol), Socket { socket, .. }) in &self.ports {
            match socket.statistics() {
                Ok(Statistics { accepted, dropped }) => {
                    self.metrics.accepted.inc_by(accepted.into());
                    self.metrics.overflowed.inc_by(dropped.into());
                }
                Err(error) => {
                    error!(name = self.name(*interface), interface, ?protocol, %error, "cannot read the socket's statistics");
                }
            }
        }
    }
}
