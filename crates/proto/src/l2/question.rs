//! Asking the segment who answers for an address, without claiming or teaching anything.
//!
//! The question for a VIP is a probe (RFC 5227 §2.1.1: broadcast, without a sender's address) or a solicitation as in
//! duplicate address detection (RFC 4862 §5.4.2: from the unspecified address to the solicited-node group): a neighbour
//! that answered a question with a sender would learn it first. The delays of both RFCs are for many hosts that are
//! switched on at once; here somebody waits for the answer, and says how often to ask.
//!
//! A host that is about to take its own address would take such a question for a sign that somebody else is about to take
//! it as well, and give it up (RFC 5227 §2.1.1, RFC 4862 §5.4.3). So for hosts the question has a sender: the asking
//! interface's own address.
//!
//! Everything counts as an answer that says where the address is: a reply, but also a request or announcement with
//! this sender (RFC 5227 §2.1.1), and any advertisement for it (RFC 4862 §5.4.4). To a solicitation from the
//! unspecified address it goes to all nodes (RFC 4861 §7.2.4), a group that the kernel is in.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_core::time::Instant;
use cortenlb_wire::arp;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::ndp::Solicitation;

use super::frame::Statement;
use super::pace::Task;
use super::{Interface, Key, Output, Purpose, Responder};

/// How long after a question answers are listened for.
pub const LISTEN: Duration = Duration::from_secs(1);

/// So many different answers to one question are told: more than there are stations that have an address by mistake, and no
/// more than who floods the segment is worth.
const ANSWERS: usize = 16;

/// Whose address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One that no interface has.
    Vip,
    /// A host's own.
    Host,
}

/// A question about one address on one interface.
#[derive(Debug)]
pub(super) struct Question {
    whose: Whose,
    /// The end of listening; none while the question waits for its turn.
    pub(super) until: Option<Instant>,
    /// Where the address was said to be since, and by which station.
    answers: BTreeSet<(MacAddr, MacAddr)>,
}

impl Responder {
    pub(super) fn ask(&mut self, now: Instant, address: IpAddr, scope: &Scope, whose: Whose) {
        let interfaces = self.interfaces.iter();
        for (&index, _) in interfaces.filter(|(_, interface)| interface.has(address, scope)) {
            let question = self.questions.entry((address, index));
            // One that still waits keeps its place: asked ever again it would never be sent.
            let waits = matches!(&question, Entry::Occupied(asked) if asked.get().until.is_none());
            question.insert_entry(Question::new(whose));
            if !waits {
                let lines = self.lines.entry(index).or_default();
                lines.arm(now, address, Task::Question);
            }
        }
        self.send_due(now);
    }

    pub(super) fn send_question(&mut self, now: Instant, key: Key) {
        let (address, index) = key;
        let question = self.questions.get_mut(&key).expect("it is kept while it waits");
        question.until = Some(now + LISTEN);
        let whose = question.whose;
        self.outputs.push_back(Output::Send {
            interface: index,
            protocol: EtherType::of(address),
            address,
            purpose: Purpose::Question,
            frame: frame(&self.interfaces[&index], address, whose),
        });
    }

    /// Whether this was asked for; says so, if it is new.
    pub(super) fn answer_question(&mut self, now: Instant, key: Key, statement: &Statement) -> bool {
        let &Statement { address, by, source } = statement;
        let open = |question: &&mut Question| question.until.is_none_or(|until| now < until);
        let Some(question) = self.questions.get_mut(&key).filter(open) else {
            return false;
        };
        if question.answers.len() < ANSWERS && question.answers.insert((by, source)) {
            self.outputs.push_back(Output::Answered {
                interface: key.1,
                address,
                by,
                source,
            });
        }
        true
    }

    /// Listens no more for what was asked long enough ago.
    pub(super) fn end_questions(&mut self, now: Instant) {
        self.questions
            .retain(|_, question| question.until.is_none_or(|until| now < until));
    }

    /// When that has something to do.
    pub(super) fn questions_end(&self) -> Option<Instant> {
        self.questions
            .values()
            .filter_map(|question| question.until)
            .min()
    }

    /// Drops the questions on interfaces that cannot carry them any more.
    pub(super) fn forget_questions(&mut self) {
        let carried = |(address, index): &Key| {
            let interface = self.interfaces.get(index);
            interface.is_some_and(|interface| interface.carries(*address))
        };
        for ((address, index), _) in self.questions.extract_if(.., |key, _| !carried(key)) {
            if let Some(lines) = self.lines.get_mut(&index) {
                lines.forget(address, Task::Question);
            }
        }
    }

    /// The addresses that are asked for, each with the index of an interface.
    pub fn asked(&self) -> impl Iterator<Item = (IpAddr, u32)> + '_ {
        self.questions.keys().copied()
    }
}

impl Question {
    const fn new(whose: Whose) -> Self {
        Self {
            whose,
            until: None,
            answers: BTreeSet::new(),
        }
    }
}

fn frame(interface: &Interface, address: IpAddr, whose: Whose) -> Vec<u8> {
    let asks_host = whose == Whose::Host;
    match address {
        IpAddr::V4(address) => {
            let sender = interface.ipv4.filter(|_| asks_host);
            arp::Repr::request(interface.mac, sender.unwrap_or(Ipv4Addr::UNSPECIFIED), address).emit()
        }
        IpAddr::V6(address) => {
            let sender = interface.ndp.filter(|_| asks_host);
            Solicitation::multicast(interface.mac, sender.unwrap_or(Ipv6Addr::UNSPECIFIED), address).emit()
        }
    }
}
