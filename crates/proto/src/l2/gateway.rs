//! Asking the default gateway in the name of an address that was taken over: its answer to our MAC proves that it has
//! learned where the address is.
//!
//! Most clients come through the gateway, and a gratuitous frame that it missed leaves them in the dark until its
//! entry ages. A request teaches as well as asks (RFC 826; RFC 4861 §7.2.3): the gateway learns from it, and answers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::addr::AddrRange;
use cortenlb_core::time::Instant;
use cortenlb_wire::arp;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::ndp::{Advertisement, Solicitation};

use super::pace::Task;
use super::{Interface, Key, Output, Purpose, Responder};

/// The time from the first question to the second; each wait after it is twice as long.
pub const ASK_AGAIN: Duration = Duration::from_millis(100);
/// The longest wait between questions to a gateway that does not answer.
pub const ASK_AGAIN_AT_MOST: Duration = Duration::from_secs(5);

/// The default gateway of an interface, by the index of the interface and the protocol that asks.
pub type Gateways = BTreeMap<(u32, EtherType), Gateway>;

/// A default gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address; for IPv6 mostly a link-local one.
    pub address: IpAddr,
    /// Its MAC, as far as it is known: without it, it is asked by broadcast or multicast.
    pub mac: Option<MacAddr>,
    /// The subnets in which it expects neighbours. An address outside of them reaches it by a route, and is no
    /// neighbour that it would answer.
    pub subnets: Vec<AddrRange>,
}

/// How far a gateway is with one served address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Nothing was asked: there is no gateway for this address.
    NotAsked,
    /// It was asked, and is asked again after this time.
    Asked(Duration),
    /// It has answered.
    Learned,
}

impl Gateway {
    fn expects(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(address))
    }
}

impl Responder {
    /// Takes other gateways for the true ones, and asks those that are new.
    pub(super) fn replace_gateways(&mut self, now: Instant, gateways: Gateways) {
        self.gateways = gateways;
        let not_asked = self
            .served
            .iter()
            .filter(|(_, served)| served.told.is_some() && served.lesson == Lesson::NotAsked);
        let keys: Vec<Key> = not_asked.map(|(key, _)| *key).collect();
        for key in keys {
            self.begin_lesson(now, key);
        }
        self.send_due(now);
    }

    /// Has the gateway asked from `at` on, if there is one for this address.
    pub(super) fn begin_lesson(&mut self, at: Instant, key: Key) {
        let (address, index) = key;
        if self.gateway(key).is_some()
            && let Some(served) = self.served.get_mut(&key)
        {
            served.lesson = Lesson::Asked(ASK_AGAIN);
            let lines = self.lines.entry(index).or_default();
            lines.arm(at, address, Task::Probe);
        }
    }

    /// Asks once, and has it done again; not if the gateway is gone meanwhile.
    pub(super) fn ask_gateway(&mut self, now: Instant, key: Key) {
        let (address, index) = key;
        let frame = self
            .gateway(key)
            .and_then(|gateway| question(gateway, &self.interfaces[&index], address));
        let served = self
            .served
            .get_mut(&key)
            .expect("only what is served has something due");
        let (Lesson::Asked(wait), Some(frame)) = (served.lesson, frame) else {
            served.lesson = Lesson::NotAsked;
            return;
        };
        served.lesson = Lesson::Asked((wait * 2).min(ASK_AGAIN_AT_MOST));
        let lines = self.lines.entry(index).or_default();
        lines.arm(now + wait, address, Task::Probe);
        self.outputs.push_back(Output::Send {
            interface: index,
            protocol: EtherType::of(address),
            address,
            purpose: Purpose::Probe,
            frame,
        });
    }

    /// The gateway's answer to an address of ours, if that is what it is, and the first.
    pub(super) fn answered_by_gateway_arp(
        &self,
        index: u32,
        interface: &Interface,
        packet: &arp::Repr,
    ) -> Option<IpAddr> {
        let to_us = packet.destination == interface.mac && packet.target_mac == interface.mac;
        let answer = to_us && packet.operation == arp::Operation::Reply;
        self.first_answer(packet.sender_ip.into(), (packet.target_ip.into(), index))
            .filter(|_| answer)
    }

    /// As [`answered_by_gateway_arp`](Self::answered_by_gateway_arp).
    pub(super) fn answered_by_gateway_ndp(
        &self,
        index: u32,
        interface: &Interface,
        advertisement: &Advertisement,
    ) -> Option<IpAddr> {
        let envelope = advertisement.envelope;
        let answer = advertisement.solicited && envelope.destination_mac == interface.mac;
        self.first_answer(advertisement.target.into(), (envelope.destination.into(), index))
            .filter(|_| answer)
    }

    fn first_answer(&self, gateway: IpAddr, key: Key) -> Option<IpAddr> {
        let asked = matches!(self.served.get(&key)?.lesson, Lesson::Asked(_));
        (asked && self.gateway(key)?.address == gateway).then_some(key.0)
    }

    /// Asks no more.
    pub(super) fn end_lesson(&mut self, now: Instant, (address, index): Key) {
        let key = (address, index);
        let (Some(served), Some(gateway)) = (
            self.served.get_mut(&key),
            self.gateways.get(&(index, EtherType::of(address))),
        ) else {
            return;
        };
        served.lesson = Lesson::Learned;
        let lines = self.lines.entry(index).or_default();
        lines.forget(address, Task::Probe);
        self.outputs.push_back(Output::GatewayLearned {
            interface: index,
            address,
            gateway: gateway.address,
            after: now - served.since,
        });
    }

    fn gateway(&self, (address, index): Key) -> Option<&Gateway> {
        let gateway = self.gateways.get(&(index, EtherType::of(address)))?;
        gateway.expects(address).then_some(gateway)
    }
}

/// "Who has the gateway's address?" from `address`, to the gateway alone if its MAC is known.
fn question(gateway: &Gateway, interface: &Interface, address: IpAddr) -> Option<Vec<u8>> {
    match (address, gateway.address) {
        (IpAddr::V4(address), IpAddr::V4(target)) => {
            let request = arp::Repr::request(interface.mac, address, target);
            let destination = gateway.mac.unwrap_or(request.destination);
            Some(
                arp::Repr {
                    destination,
                    ..request
                }
                .emit(),
            )
        }
        (IpAddr::V6(address), IpAddr::V6(target)) => {
            let multicast = Solicitation::multicast(interface.mac, address, target);
            let solicitation = match gateway.mac {
                Some(mac) => multicast.unicast(mac),
                None => multicast,
            };
            Some(solicitation.emit())
        }
        _ => None,
    }
}
