//! The thread: hands frames, datagrams, plans and time to the machines, and does what they say.
//!
//! It alone touches sockets, filters and memberships, and makes them follow what the responder serves after each
//! change. What cannot be opened now (an interface that is just going, no descriptor left) is tried again every
//! second.
//!
//! One thread for both machines: if it is stuck, it sends no heartbeats, and others take what it does not answer for;
//! and it looks at the time before it answers anything, so that after a pause it is silent before it can be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_netio::clock;
use cortenlb_netio::multicast::Membership;
use cortenlb_netio::packet::PacketSocket;
use cortenlb_netio::poll::{Poller, Ready};
use cortenlb_proto::cluster;
use cortenlb_proto::l2::{Input, Responder};
use cortenlb_wire::ethernet::EtherType;
use tracing::debug;

use super::metrics::Metrics;
use super::ownership::{Action, Ownership, Plan};
use super::transport::{Received, Transport};
use super::{Desired, Mailbox, Told};

mod frames;
mod ports;

/// Frames taken from one socket before the others, the mailbox and the clock have their turn.
const BATCH: usize = 64;
/// So long an ending speaker still answers, until others stand in for it.
const LEAVE: Duration = Duration::from_millis(200);

/// What a socket is for: the index of an interface, and a protocol.
type Port = (u32, EtherType);

/// The thread's state.
pub(super) struct Driver {
    poller: Poller,
    mailbox: Arc<Mailbox>,
    metrics: Metrics,
    responder: Responder,
    ownership: Ownership,
    /// None: this speaker hears no others.
    transport: Option<Transport>,
    /// What waits for the keys: without them nobody could be heard, and everybody would take everything.
    waiting: Option<Arc<Plan>>,
    told: Told,
    /// The responder has come to need other sockets or filters.
    is_stale: bool,
    /// How many questions are open.
    asked: usize,
    /// When this thread ends.
    end: Option<Instant>,
    ports: BTreeMap<Port, Socket>,
    memberships: BTreeMap<(u32, Ipv6Addr), Membership>,
    /// Ports that are wanted and were not open for a while: frames were lost.
    late: BTreeSet<Port>,
    /// When sockets were opened anew that did not seem to be heard, by interface.
    reopened: BTreeMap<u32, Instant>,
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
        machines: (Responder, Ownership, Option<Transport>),
        told: Told,
    ) -> Self {
        let (responder, ownership, transport) = machines;
        Self {
            poller,
            mailbox,
            metrics,
            responder,
            ownership,
            transport,
            waiting: None,
            told,
            is_stale: false,
            asked: 0,
            end: None,
            ports: BTreeMap::new(),
            memberships: BTreeMap::new(),
            late: BTreeSet::new(),
            reopened: BTreeMap::new(),
            retry: None,
            statistics: now(),
        }
    }

    /// Runs until the mailbox says stop, or waiting fails.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            let tick = self.ownership.poll_timeout();
            let due = [Some(tick), self.responder.poll_timeout(), self.retry, self.end];
            let timeout = due.into_iter().flatten().min().map(|due| due - now());
            let sockets = self.ports.values().map(|port| port.socket.as_fd());
            let sources = sockets.chain(self.transport.iter().map(Transport::as_fd));
            let Ready { woken, sources } = self.poller.wait(sources, timeout)?;
            // The positions are those of the ports before the mailbox changes them.
            let datagrams = sources.contains(&self.ports.len());
            let ready: Vec<Port> = sources
                .into_iter()
                .filter_map(|at| self.ports.keys().nth(at).copied())
                .collect();

            // What others have said comes before verdicts about them, and both before any answer: after a pause nothing
            // is answered that others have meanwhile. Else nothing that is not due stands between a question and its answer.
            if datagrams {
                self.receive_datagrams();
            }
            if tick <= now() {
                self.tick();
            }
            if self.end.is_some_and(|end| end <= now()) {
                return Ok(());
            }
            if woken {
                self.take_mail();
            }
            ready.into_iter().for_each(|port| self.receive(port));
            self.notice_pause();
            self.responder.handle_input(now(), Input::Timeout);
            self.is_stale |= self.retry.is_some_and(|at| at <= now());
            self.work();
            self.look_at_statistics();
        }
    }

    /// If this process was stopped a moment ago, nothing is said by what was known before.
    fn notice_pause(&mut self) {
        if self.was_stopped() {
            self.tick();
        }
    }

    /// Whether this process was stopped a moment ago, and the machine does not know yet.
    fn was_stopped(&self) -> bool {
        now() > self.ownership.serves_until()
    }

    fn tick(&mut self) {
        self.ownership.tick(now());
        let view = self.ownership.view();
        self.metrics.hears_nobody.set(view.unheard.into());
        self.told.view.send_replace(view);
        self.work();
    }

    fn take_mail(&mut self) {
        let Desired {
            plan,
            keys,
            forwards,
            links,
            gateways,
            stop,
        } = self.mailbox.take();
        // Interfaces first: a table that comes with them is then told of once, on the right ones.
        if let Some((interfaces, ports)) = links {
            let names = interfaces.iter();
            let names = names.map(|(index, interface)| (*index, interface.name.clone()));
            self.ownership.set_names(names.collect());
            self.ownership.set_ports(now(), ports);
            // Without an interface nobody is answered: who has one answers from now on.
            let drain = cluster::Input::Drain(interfaces.is_empty());
            self.ownership.handle(now(), drain);
            self.notice_pause();
            self.responder.handle_input(now(), Input::Interfaces(interfaces));
            self.is_stale = true;
        }
        if let Some(gateways) = gateways {
            let addresses = gateways.values().map(|gateway| gateway.address).collect();
            self.ownership.set_gateways(addresses);
            self.responder.handle_input(now(), Input::Gateways(gateways));
        }
        if forwards {
            self.ownership.handle(now(), cluster::Input::Forwards(true));
        }
        if let (Some(transport), Some(keys)) = (&mut self.transport, keys) {
            transport.set_keys(keys);
        }
        if plan.is_some() {
            self.waiting = plan;
        }
        let hears = self.transport.as_ref().is_none_or(Transport::has_keys);
        if let Some(plan) = self.waiting.take_if(|plan| hears || plan.speakers.len() == 1) {
            self.ownership.set_plan(now(), plan);
        }
        if stop && self.end.is_none() {
            self.ownership.handle(now(), cluster::Input::Restarting);
            let has_others = self.transport.is_some() && !self.ownership.is_only();
            self.end = Some(now() + if has_others { LEAVE } else { Duration::ZERO });
        }
        self.work();
    }

    /// Does what the machines say, until they say nothing more.
    fn work(&mut self) {
        loop {
            let acted = self.act();
            let asked = self.responder.asked().count();
            if std::mem::take(&mut self.is_stale) || asked != self.asked {
                self.asked = asked;
                // A question leaves when its answer is let through.
                self.reconcile();
            }
            if !(self.perform() || acted) {
                break;
            }
        }
    }

    /// Does what the ownership machine says; returns whether that was anything.
    fn act(&mut self) -> bool {
        let mut acted = false;
        while let Some(action) = self.ownership.poll_action() {
            acted = true;
            match action {
                Action::Send { to, bytes } => {
                    let addresses = self.ownership.addresses_of(to);
                    let sent = self
                        .transport
                        .as_mut()
                        .is_some_and(|transport| transport.send(to, addresses, &bytes));
                    if !sent {
                        self.metrics.unsent.inc();
                    }
                }
                Action::Finish => self.finish(),
                Action::Table(table) => {
                    self.responder.handle_input(now(), Input::Table(table));
                    self.reconcile();
                    self.perform();
                }
                Action::Owned(owned) => drop(self.told.owned.send_if_modified(|known| {
                    let changed = *known != owned;
                    *known = owned;
                    changed
                })),
                Action::Contested(contested) => drop(self.told.contested.send_replace(contested)),
                Action::Reopen(interfaces) => self.reopen(&interfaces),
                Action::Ask {
                    address,
                    scope,
                    whose,
                } => {
                    let ask = Input::Ask {
                        address,
                        scope,
                        whose,
                    };
                    self.responder.handle_input(now(), ask);
                }
                Action::Save(records) => drop(self.told.records.send_replace(records)),
                Action::Unreadable(error) => {
                    debug!(%error, "a datagram of another speaker cannot be read");
                    self.metrics.unreadable(error);
                }
                Action::Phase(phase) => self.metrics.phase(phase),
                Action::Suspected => {
                    self.metrics.suspected.inc();
                }
                Action::Taken(at, taken) => self.told.failovers.taken(at, taken, &self.metrics),
                Action::Repeat => self.responder.handle_input(now(), Input::Repeat),
                Action::Friends(friends) => self.responder.handle_input(now(), Input::Friends(friends)),
            }
        }
        acted
    }

    /// Takes the datagrams that are waiting, up to a batch, and does what follows from all of them.
    fn receive_datagrams(&mut self) {
        for _ in 0..BATCH {
            let Some(transport) = &mut self.transport else {
                break;
            };
            match transport.receive() {
                Ok(Received::Datagram(bytes)) => {
                    self.ownership.handle(now(), cluster::Input::Datagram(&bytes));
                }
                Ok(Received::Nothing) => {}
                Ok(Received::Refused(refused)) => self.metrics.refused(refused),
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        debug!(%error, "cannot receive from the other speakers");
                    }
                    break;
                }
            }
        }
        self.work();
    }

    /// An interface's name, for the log: `?` once it is no longer announced on.
    fn name(&self, interface: u32) -> &str {
        self.responder
            .interfaces()
            .get(&interface)
            .map_or("?", |interface| &interface.name)
    }
}

fn now() -> Instant {
    Instant(clock::now())
}

#[cfg(test)]
mod tests;
