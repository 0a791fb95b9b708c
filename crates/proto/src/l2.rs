//! Layer 2: which frame answers which, and which frames tell the segment that an address has moved here.
//!
//! An address is *served* on an interface if the table has it for that interface and the interface can carry its
//! family. While it is served, every request and solicitation for it is answered with the interface's MAC. From the
//! moment that it is served, gratuitous frames go out: at once, three rounds within 300 ms, then one a second until 5 s
//! have passed, and from then on once in each [interval](Responder::new). With many addresses each interface keeps to a [pace](PACE), and the first frame for one goes before
//! the second for another. A changed MAC begins anew, and so does a socket that could not send. The moment that it is
//! served no more, nothing is sent, not even a goodbye: the next owner's frames say it all.
//!
//! The [default gateway](Gateway) is asked besides, until it answers. Somebody else's claim is
//! [defended](DEFEND_INTERVAL).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_core::time::Instant;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::{arp, ndp};

mod claim;
mod frame;
mod gateway;
mod gratuitous;
mod pace;

pub use claim::{DEFEND_INTERVAL, LET_PASS, Response};
pub use gateway::{ASK_AGAIN, ASK_AGAIN_AT_MOST, Gateway, Gateways};
pub use gratuitous::ROUNDS;
use gratuitous::Served;
use pace::Lines;
pub use pace::{FIRST_AT_ONCE, LATER_AT_ONCE, PACE};

/// Frames that waited longer are not answered: by then the address may have been given to another node, and the
/// asker has asked again or given up.
pub const OLDEST: Duration = Duration::from_millis(100);

/// Addresses to answer for, and where: what [`cortenlb_core::announce`] decides for one node.
pub type Table = BTreeMap<IpAddr, Scope>;

/// Interfaces that can announce, by index.
pub type Interfaces = BTreeMap<u32, Interface>;

/// An interface that can announce addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name, as in [`Scope::Listed`].
    pub name: String,
    /// The address that answers carry.
    pub mac: MacAddr,
    /// Whether it can announce IPv4 addresses.
    pub arp: bool,
    /// The link-local address that advertisements come from; none: it cannot announce IPv6 addresses.
    pub ndp: Option<Ipv6Addr>,
}

/// What happens to the responder.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The whole table, in place of the earlier one.
    Table(Table),
    /// All interfaces, in place of the earlier ones.
    Interfaces(Interfaces),
    /// All default gateways, in place of the earlier ones.
    Gateways(Gateways),
    /// A frame has come in.
    Frame {
        /// Index of the interface.
        interface: u32,
        /// The EtherType that the socket is bound to.
        protocol: EtherType,
        /// When the kernel took it in.
        received: Instant,
        /// The whole frame.
        bytes: &'a [u8],
    },
    /// What carries these frames can send only now, and gratuitous ones may have been lost: the segment is told anew.
    Reopened {
        /// Index of the interface.
        interface: u32,
        /// The frames' protocol.
        protocol: EtherType,
    },
    /// The time of [`Responder::poll_timeout`] has come.
    Timeout,
}

/// What the responder wants done or known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this frame.
    Send {
        /// Index of the interface.
        interface: u32,
        /// What the frame carries.
        protocol: EtherType,
        /// The address that it is about.
        address: IpAddr,
        /// Why it is sent.
        purpose: Purpose,
        /// The whole frame.
        frame: Vec<u8>,
    },
    /// Somebody has asked for a served address; the answer follows.
    Asked {
        /// The address asked for.
        address: IpAddr,
    },
    /// The default gateway has answered a served address for the first time: it knows where that is.
    GatewayLearned {
        /// Index of the interface.
        interface: u32,
        /// The served address.
        address: IpAddr,
        /// The gateway's address.
        gateway: IpAddr,
        /// The time from the take-over to the answer.
        after: Duration,
    },
    /// Somebody else says that a served address is theirs.
    Claimed {
        /// Index of the interface.
        interface: u32,
        /// The address that both have.
        address: IpAddr,
        /// Where they say that it is.
        by: MacAddr,
        /// What is done about it.
        response: Response,
    },
    /// A frame was not answered.
    Ignored {
        /// Index of the interface.
        interface: u32,
        /// Why not.
        reason: DropReason,
    },
}

/// Why a frame is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody has asked.
    Answer,
    /// To tell everybody.
    Gratuitous,
    /// To tell everybody that somebody else is wrong.
    Defence,
    /// To ask the gateway, and thereby tell it.
    Probe,
}

/// Why a frame was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It waited longer than [`OLDEST`].
    Stale,
    /// The interface is not one of ours (any more).
    UnknownInterface,
    /// It is not an ARP packet for IPv4 over Ethernet.
    Arp(arp::Error),
    /// It is not a valid solicitation or advertisement.
    Ndp(ndp::Error),
    /// This machine has sent it.
    Own,
    /// It is for another station.
    OtherStation,
    /// It neither asks for anything nor claims a served address.
    NotARequest,
    /// The address is not served on the interface.
    NotServed,
}

impl DropReason {
    /// The value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::UnknownInterface => "unknown_interface",
            Self::Arp(_) | Self::Ndp(_) => "malformed",
            Self::Own => "own",
            Self::OtherStation => "other_station",
            Self::NotARequest => "not_a_request",
            Self::NotServed => "not_served",
        }
    }
}

/// An address on an interface.
type Key = (IpAddr, u32);

/// The machine. Its state is a function of the last table, the last interfaces and gateways, the times of take-over,
/// and who has answered since.
#[derive(Debug, Default)]
pub struct Responder {
    table: Table,
    interfaces: Interfaces,
    gateways: Gateways,
    served: BTreeMap<Key, Served>,
    /// What is due, by interface; only about what is served there.
    lines: BTreeMap<u32, Lines>,
    refresh: Option<Duration>,
    outputs: VecDeque<Output>,
}

impl Responder {
    /// A responder without addresses or interfaces, which tells the segment again of each address once in `refresh`,
    /// or never.
    pub fn new(refresh: Option<Duration>) -> Self {
        Self {
            refresh,
            ..Self::default()
        }
    }

    /// Takes in what happened at `now`, which never goes back.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Table(table) => {
                self.table = table;
                self.reconcile(now);
            }
            Input::Interfaces(interfaces) => {
                self.interfaces = interfaces;
                self.reconcile(now);
            }
            Input::Gateways(gateways) => self.replace_gateways(now, gateways),
            Input::Frame {
                interface,
                protocol,
                received,
                bytes,
            } => {
                if now - received > OLDEST {
                    self.outputs.push_back(Output::Ignored {
                        interface,
                        reason: DropReason::Stale,
                    });
                } else {
                    self.handle_frame(now, interface, protocol, bytes);
                }
            }
            Input::Reopened { interface, protocol } => self.tell_anew(now, interface, protocol),
            Input::Timeout => self.send_due(now),
        }
    }

    /// The next thing to do, in the order of its cause.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`]; none: not before another input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lines.values().filter_map(Lines::poll_timeout).min()
    }

    /// The interfaces handed in last.
    pub const fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// The addresses that are served, each with the index of an interface: what sockets and filters are needed.
    pub fn served(&self) -> impl Iterator<Item = (IpAddr, u32)> + '_ {
        self.served.keys().copied()
    }

    /// Makes `served` follow the table and the interfaces, and starts telling of what is new.
    fn reconcile(&mut self, now: Instant) {
        let mut before = std::mem::take(&mut self.served);
        let mut new = Vec::new();
        for (&address, scope) in &self.table {
            for (&index, interface) in &self.interfaces {
                if !(interface.is_in(scope) && interface.carries(address)) {
                    continue;
                }
                let key = (address, index);
                match before.remove(&key) {
                    Some(served) if served.mac == interface.mac => drop(self.served.insert(key, served)),
                    _ => new.push((key, interface.mac)),
                }
            }
        }
        for (address, index) in before.into_keys() {
            self.lines.entry(index).or_default().disarm(address);
        }
        for (key, mac) in new {
            self.begin(now, key, mac);
        }
        self.lines.retain(|index, _| self.interfaces.contains_key(index));
        self.send_due(now);
    }
}

impl Interface {
    fn is_in(&self, scope: &Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::Listed(names) => names.contains(&self.name),
        }
    }

    fn carries(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.arp,
            IpAddr::V6(_) => self.ndp.is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
