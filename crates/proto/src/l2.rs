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
//! [defended](DEFEND_INTERVAL), unless it is another node's of this cluster ([`Input::Friends`]).
//!
//! An address can also be served in another node's name, without a word that nobody asked for: see [`Announcement`].
//! And the segment can be [asked](Input::Ask) who answers for an address, served or not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_core::time::Instant;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;

mod claim;
mod frame;
mod gateway;
mod gratuitous;
mod output;
mod pace;
mod question;
mod stand_in;

pub use claim::{DEFEND_INTERVAL, LET_PASS, Response};
pub use gateway::{ASK_AGAIN, ASK_AGAIN_AT_MOST, Gateway, Gateways};
use gratuitous::Served;
pub use gratuitous::{REPEAT, ROUNDS};
pub use output::{DropReason, Output, Purpose};
use pace::Lines;
pub use pace::{FIRST_AT_ONCE, LATER_AT_ONCE, PACE, QUESTIONS_AT_ONCE};
use question::Question;
pub use question::{LISTEN, Whose};
pub use stand_in::Announcement;
use stand_in::Name;

/// Frames that waited longer are not answered: by then the asker has asked again (RFC 4861 §10, `RETRANS_TIMER`; for
/// ARP, Linux waits as long). Until then the answer is as true as one to a question of just now.
pub const OLDEST: Duration = Duration::from_secs(1);

/// Addresses to answer for, where, and in whose name: what [`cortenlb_core::announce`] and the
/// [ownership](crate::cluster) decide for one node.
pub type Table = BTreeMap<IpAddr, Announcement>;

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
    /// An IPv4 address of its own, from which hosts are asked for theirs.
    pub ipv4: Option<Ipv4Addr>,
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
    /// All MACs of the cluster's other nodes, in place of the earlier ones: their claims are not defended against.
    Friends(BTreeSet<MacAddr>),
    /// Ask once who answers for this address, on each interface that can carry it; [`Output::Answered`] tells who did
    /// until [`LISTEN`] after the question. Nobody else learns anything from it.
    Ask {
        /// The address; it need not be served.
        address: IpAddr,
        /// On which interfaces.
        scope: Scope,
        /// Whether it may be a host's own.
        whose: Whose,
    },
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
    /// A part of the segment may have been told otherwise, where nobody here could hear it: it is told again of what is
    /// served in this node's own name, [in a while](REPEAT).
    Repeat,
    /// The time of [`Responder::poll_timeout`] has come.
    Timeout,
}

/// An address on an interface.
type Key = (IpAddr, u32);

/// The machine. Its state is a function of the last table, the last interfaces, gateways and friends, the times of
/// take-over, the questions of the last second, and who has answered since.
#[derive(Debug, Default)]
pub struct Responder {
    table: Table,
    interfaces: Interfaces,
    gateways: Gateways,
    friends: BTreeSet<MacAddr>,
    served: BTreeMap<Key, Served>,
    questions: BTreeMap<Key, Question>,
    /// What is due, by interface; only about what is served or asked for there.
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
            Input::Friends(friends) => self.friends = friends,
            Input::Ask {
                address,
                scope,
                whose,
            } => self.ask(now, address, &scope, whose),
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
            Input::Repeat => {
                let served: Vec<Key> = self.served.keys().copied().collect();
                served.into_iter().for_each(|key| self.repeat(now, key));
            }
            Input::Timeout => {
                self.end_questions(now);
                self.send_due(now);
            }
        }
    }

    /// The next thing to do, in the order of its cause.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`]; none: not before another input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = self.lines.values().filter_map(Lines::poll_timeout);
        due.chain(self.questions_end()).min()
    }

    /// The interfaces handed in last.
    pub const fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// The addresses that are served, each with the index of an interface: the solicited-node groups to be in.
    pub fn served(&self) -> impl Iterator<Item = (IpAddr, u32)> + '_ {
        self.served.keys().copied()
    }

    /// The addresses that are served or asked for: what sockets and filters are needed. Changes with a table, with the
    /// interfaces, with a question, and when the time of a question is over; before the first frame about one of them
    /// is handed out it must be let through.
    pub fn heard(&self) -> impl Iterator<Item = (IpAddr, u32)> + '_ {
        let asked = self
            .asked()
            .filter(|(address, index)| !self.serves(*address, *index));
        self.served().chain(asked)
    }

    /// Makes `served` follow the table and the interfaces, and starts telling of what is new.
    fn reconcile(&mut self, now: Instant) {
        let mut before = std::mem::take(&mut self.served);
        let mut new = Vec::new();
        for (&address, announcement) in &self.table {
            for (&index, interface) in &self.interfaces {
                let Some(name) = announcement
                    .name_on(index, interface)
                    .filter(|_| interface.has(address, &announcement.scope))
                else {
                    continue;
                };
                let key = (address, index);
                match before.remove(&key) {
                    Some(served) if served.name == name => drop(self.served.insert(key, served)),
                    _ => new.push((key, name)),
                }
            }
        }
        for (address, index) in before.into_keys() {
            self.lines.entry(index).or_default().disarm(address);
        }
        for (key, name) in new {
            self.begin(now, key, name);
        }
        self.forget_questions();
        self.lines.retain(|index, _| self.interfaces.contains_key(index));
        self.send_due(now);
    }
}

impl Interface {
    /// Whether frames about this address, meant for these interfaces, go out here.
    fn has(&self, address: IpAddr, scope: &Scope) -> bool {
        self.is_in(scope) && self.carries(address)
    }

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
