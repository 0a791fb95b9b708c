//! The sockets, filters and memberships that the responder needs.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use cortenlb_kit::logs::chain;
use cortenlb_netio::multicast::Membership;
use cortenlb_netio::packet::PacketSocket;
use cortenlb_proto::l2::Input;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::filter::{self, Instruction};
use tracing::{debug, warn};

use super::{Driver, Port, Socket, now};

/// The time between attempts to open what could not be opened.
const RETRY: Duration = Duration::from_secs(1);
/// The time until a socket that failed is opened anew. Longer than a notification takes that its interface is down,
/// which makes the attempt needless.
const REOPEN: Duration = Duration::from_millis(50);
/// The least time until the sockets on an interface are opened anew once more because others hear no answer: each time all
/// that is announced there is told anew.
const REOPEN_AGAIN: Duration = Duration::from_secs(60);

impl Driver {
    /// Opens, closes and filters, so that every served address is heard, and nothing else.
    pub(super) fn reconcile(&mut self) {
        let mut wanted: BTreeMap<Port, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut groups: BTreeSet<(u32, Ipv6Addr)> = BTreeSet::new();
        for (address, interface) in self.responder.heard() {
            let protocol = match address {
                IpAddr::V4(_) => EtherType::Arp,
                IpAddr::V6(_) => EtherType::Ipv6,
            };
            wanted.entry((interface, protocol)).or_default().insert(address);
        }
        for (address, interface) in self.responder.served() {
            if let IpAddr::V6(address) = address {
                groups.insert((interface, address));
            }
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
                    debug!(name = self.name(interface), interface, ?protocol, "listening");
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

    /// Opens the sockets on these interfaces anew, each interface once in a while: they do not seem to hear, or to be heard.
    /// The old ones are closed when the new ones are there, so that others miss nothing.
    pub(super) fn reopen(&mut self, interfaces: &[u32]) {
        let at = now();
        self.reopened.retain(|_, before| at - *before < REOPEN_AGAIN);
        let is_due = |index: &u32| interfaces.contains(index) && !self.reopened.contains_key(index);
        let ports = self.ports.keys().copied().filter(|(index, _)| is_due(index));
        for port in ports.collect::<Vec<Port>>() {
            let (interface, protocol) = port;
            self.reopened.insert(interface, at);
            let Some(open) = self.ports.get_mut(&port) else {
                continue;
            };
            match PacketSocket::open(interface, protocol, &program(&open.addresses)) {
                Ok(socket) => open.socket = socket,
                Err(error) => {
                    self.lose(port, &io::Error::other(chain(&error)));
                    continue;
                }
            }
            if protocol == EtherType::Ipv6 {
                self.memberships.retain(|&(index, _), _| index != interface);
            }
            self.is_stale = true;
            self.responder
                .handle_input(at, Input::Reopened { interface, protocol });
        }
    }

    /// Closes a socket that has failed: its interface went down or away. A notification is on its way; but if the
    /// interface is back before anybody looks, with its old index, nothing has changed for the responder, while
    /// socket and memberships belong to the interface that is no more.
    pub(super) fn lose(&mut self, port: Port, error: &io::Error) {
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
