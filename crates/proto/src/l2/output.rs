//! What comes out of the responder.

use std::net::IpAddr;
use std::time::Duration;

use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::{arp, ndp};

use super::Response;

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
    /// A question of [`Input::Ask`](super::Input::Ask) has an answer: told once for each question and pair of MACs.
    Answered {
        /// Index of the interface.
        interface: u32,
        /// The address asked for.
        address: IpAddr,
        /// Where it is said to be.
        by: MacAddr,
        /// Who says so, by the frame's Ethernet source. Another than `by`: a stand-in, which answers in the name of
        /// `by` and is no proof that `by` lives.
        source: MacAddr,
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
    /// To tell everybody that the address has come here: the first frame about it on this interface.
    First,
    /// To tell everybody again.
    Gratuitous,
    /// To tell everybody that somebody else is wrong.
    Defence,
    /// To ask the gateway, and thereby tell it.
    Probe,
    /// To ask who answers for an address, and tell nobody anything.
    Question,
}

/// Why a frame was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It waited longer than [`OLDEST`](super::OLDEST).
    Stale,
    /// The interface is not one of ours (any more).
    UnknownInterface,
    /// It is not an ARP packet for IPv4 over Ethernet.
    Arp(arp::Error),
    /// It is not a valid solicitation or advertisement.
    Ndp(ndp::Error),
    /// This machine has sent it, or the one in whose name it answers for the address.
    Own,
    /// It is for another station.
    OtherStation,
    /// It neither asks for anything, nor claims a served address for somebody else, nor answers a question.
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
