//! The thread: hands frames, tables and time to the responder, and does what it says.
//!
//! It alone touches sockets, filters and memberships, and makes them follow what the responder serves after each
//! change. What cannot be opened now (an interface that is just going, no descriptor left) is tried again every
//! second.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_kit::logs::chain;
use cortenlb_netio::clock;
use cortenlb_netio::multicast::Membership;
use cortenlb_netio::packet::PacketSocket;
use cortenlb_netio::poll::Poller;
use cortenlb_proto::l2::{Input, Output, Purpose, Responder, Response};
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::filter::{self, Instruction};
use tracing::{debug, error, info, warn};

use super::metrics::Metrics;
use super::{Desired, Mailbox};

/// Longer than any frame that counts: of a longer one the beginning is enough to refuse it.
const FRAME: usize = 1_522;
/// Frames taken from one socket before the others, the mailbox and the clock have their turn.
const BATCH: usize = 64;
/// The time between attempts to open what could not be opened.
const RETRY: Duration = Duration::from_secs(1);
/// The time until a socket that failed is opened anew. Longer than a notification takes that its interface is down,
/// which makes the attempt needless.
const REOPEN: Duration = Duration::from_millis(50);
/// The least time between looks at the sockets' statistics.
const STATISTICS: Duration = Duration::from_secs(10);

/// What a socket is for: the index of an interface, and a protocol.
type Port = (u32, EtherType);

/// The thread's state.
pub(super) struct Driver {
    poller: Poller,
    mailbox: Arc<Mailbox>,
    metrics: Metrics,
    responder: Responder,
    ports: BTreeMap<Port, Socket>,
    memberships: BTreeMap<(u32, Ipv6Addr), Membership>,
    /// Ports that are wanted and were not open for a while: frames were lost.
    late: BTreeSet<Port>,
    /// When to try again what could not be opened.
    retry: Option<Instant>,
    statistics: Instant,
}

/// A socket, and the addresses that its filter lets through.
struct Socket {
    socket: PacketSocket,
    addresses: BTreeSet<IpAddr>,
}

impl Driver {
    pub(super) fn new(
        poller: Poller,
        mailbox: Arc<Mailbox>,
        metrics: Metrics,
        refresh: Option<Duration>,
    ) -> Self {
        Self {
            poller,
            mailbox,
            metrics,
            responder: Responder::new(refresh),
            ports: BTreeMap::new(),
            memberships: BTreeMap::new(),
            late: BTreeSet::new(),
            retry: None,
            statistics: now(),
        }
    }

    /// Runs until the mailbox says stop, or waiting fails.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            let due = self.responder.poll_timeout().into_iter().chain(self.retry).min();
            let timeout = due.map(|due| due - now());
            let ready = self
                .poller
                .wait(self.ports.values().map(|port| port.socket.as_fd()), timeout)?;
            // The positions are those of the ports before the mailbox changes them.
            let ready: Vec<Port> = ready
                .into_iter()
                .filter_map(|at| self.ports.keys().nth(at).copied())
                .collect();

            let Desired {
                table,
                interfaces,
                gateways,
                stop,
            } = self.mailbox.take();
            if stop {
                return Ok(());
            }
            let retry = self.retry.is_some_and(|at| at <= now());
            let changed = table.is_some() || interfaces.is_some();
            // Interfaces first: a table that comes with them is then told of once, on the right ones.
            let inputs = interfaces
                .map(Input::Interfaces)
                .into_iter()
                .chain(gateways.map(Input::Gateways))
                .chain(table.map(Input::Table));
            inputs.for_each(|input| self.responder.handle_input(now(), input));
            if changed || retry {
                self.reconcile();
            }
            self.perform();

            ready.into_iter().for_each(|port| self.receive(port));
            self.responder.handle_input(now(), Input::Timeout);
            self.perform();
            self.look_at_statistics();
        }
    }

    /// Opens, closes and filters, so that every served address is heard, and nothing else.
    fn reconcile(&mut self) {
        let mut wanted: BTreeMap<Port, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut groups: BTreeSet<(u32, Ipv6Addr)> = BTreeSet::new();
        for (address, interface) in self.responder.served() {
            let protocol = match address {
                IpAddr::V4(_) => EtherType::Arp,
                IpAddr::V6(address) => {
                    groups.insert((interface, address));
                    EtherType::Ipv6
                }
            };
            wanted.entry((interface, protocol)).or_default().insert(address);
        }
        self.retry = None;
        self.ports.retain(|port, _| wanted.contains_key(port));
        self.late.retain(|port| wanted.contains_key(port));
        for (port, addresses) in wanted {
            self.open(port, addresses);
        }
        self.memberships
            .retain(|membership, _| groups.contains(membership));
        for (interface, address) in groups {
            let Entry::Vacant(vacant) = self.memberships.entry((interface, address)) else {
                continue;
            };
            match Membership::join(interface, address) {
                Ok(membership) => drop(vacant.insert(membership)),
                Err(error) => {
                    let name = self.name(interface);
                    warn!(name, interface, %address, %error, "cannot join the solicited-node group; trying again");
                    self.retry = Some(now() + RETRY);
                }
            }
        }
    }

    /// Makes the port's filter let these addresses through, on a new socket if there is none.
    fn open(&mut self, port: Port, addresses: BTreeSet<IpAddr>) {
        let (interface, protocol) = port;
        let result = match self.ports.entry(port) {
            Entry::Occupied(open) if open.get().addresses == addresses => Ok(()),
            Entry::Occupied(mut open) => open
                .get()
                .socket
                .set_filter(&program(&addresses))
                .map(|()| open.get_mut().addresses = addresses)
                .map_err(|error| (error.to_string(), "cannot replace the filter")),
            Entry::Vacant(vacant) => match PacketSocket::open(interface, protocol, &program(&addresses)) {
                Ok(socket) => {
                    vacant.insert(Socket { socket, addresses });
                    info!(name = self.name(interface), interface, ?protocol, "answering");
                    if self.late.remove(&port) {
                        let reopened = Input::Reopened { interface, protocol };
                        self.responder.handle_input(now(), reopened);
                    }
                    Ok(())
                }
                Err(error) => {
                    self.late.insert(port);
                    Err((chain(&error), "cannot answer"))
                }
            },
        };
        if let Err((error, what)) = result {
            warn!(
                name = self.name(interface),
                interface,
                ?protocol,
                error,
                "{what}; trying again"
            );
            self.retry = Some(now() + RETRY);
        }
    }

    /// Takes the frames that are waiting on one socket, up to a batch.
    fn receive(&mut self, port: Port) {
        let (interface, protocol) = port;
        let mut buffer = [0; FRAME];
        for _ in 0..BATCH {
            let Some(Socket { socket, .. }) = self.ports.get(&port) else {
                return;
            };
            let received = match socket.receive(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.lose(port, &error),
            };
            let bytes = &buffer[..received.length];
            let frame = Input::Frame {
                interface,
                protocol,
                received: Instant(received.at),
                bytes,
            };
            self.responder.handle_input(now(), frame);
            self.perform();
        }
    }

    /// Closes a socket that has failed: its interface went down or away. A notification is on its way; but if the
    /// interface is back before anybody looks, with its old index, nothing has changed for the responder, while
    /// socket and memberships belong to the interface that is no more.
    fn lose(&mut self, port: Port, error: &io::Error) {
        let (interface, protocol) = port;
        debug!(name = self.name(interface), interface, ?protocol, %error, "cannot receive; opening the socket anew");
        self.ports.remove(&port);
        self.late.insert(port);
        if protocol == EtherType::Ipv6 {
            self.memberships.retain(|&(index, _), _| index != interface);
        }
        let at = now() + REOPEN;
        self.retry = Some(self.retry.map_or(at, |retry| retry.min(at)));
    }

    /// Does what the responder says.
    fn perform(&mut self) {
        while let Some(output) = self.responder.poll_output() {
            match output {
                Output::Send {
                    interface,
                    protocol,
                    address,
                    purpose,
                    frame,
                } => {
                    if self.send((interface, protocol), &frame) {
                        match purpose {
                            Purpose::Answer => self.metrics.answered(address),
                            Purpose::Gratuitous | Purpose::Defence => self.metrics.told(address),
                            Purpose::Probe | Purpose::Question => {}
                        }
                    }
                }
                Output::Asked { address } => self.metrics.asked(address),
                Output::GatewayLearned {
                    interface,
                    address,
                    gateway,
                    after,
                } => {
                    let name = self.name(interface);
                    debug!(name, interface, %address, %gateway, ?after, "the gateway knows where the address is");
                    self.metrics.gateway_learned.observe(after.as_secs_f64());
                }
                Output::Answered {
                    interface,
                    address,
                    by,
                    source,
                } => {
                    let name = self.name(interface);
                    debug!(name, interface, %address, %by, %source, "somebody answers for the address");
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

    /// An interface's name, for the log: `?` once it is no longer announced on.
    fn name(&self, interface: u32) -> &str {
        self.responder
            .interfaces()
            .get(&interface)
            .map_or("?", |interface| &interface.name)
    }

    fn look_at_statistics(&mut self) {
        if now() - self.statistics < STATISTICS {
            return;
        }
        self.statistics = now();
        for ((interface, protocol), Socket { socket, .. }) in &self.ports {
            match socket.statistics() {
                Ok(statistics) => drop(self.metrics.overflowed.inc_by(statistics.dropped.into())),
                Err(error) => {
                    error!(name = self.name(*interface), interface, ?protocol, %error, "cannot read the socket's statistics");
                }
            }
        }
    }
}

/// The filter of a port; all its addresses are of one family.
fn program(addresses: &BTreeSet<IpAddr>) -> Vec<Instruction> {
    let v4 = addresses.iter().filter_map(|address| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    });
    let v6 = addresses.iter().filter_map(|address| match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    });
    if addresses.first().is_some_and(IpAddr::is_ipv4) {
        filter::arp(v4)
    } else {
        filter::ndp(v6)
    }
}

fn now() -> Instant {
    Instant(clock::now())
}
