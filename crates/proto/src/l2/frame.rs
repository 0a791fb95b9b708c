//! One frame in, at most one claim and one answer out, or the news that the gateway has learned.

use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::{arp, ndp};

use super::{DropReason, Interface, Output, Purpose, Responder};

/// What a frame means.
enum Heard {
    /// Somebody claims the address, and perhaps there is an answer to go with it.
    Claim(IpAddr, MacAddr, Vec<Output>),
    /// There is this answer.
    Answer(Vec<Output>),
    /// The gateway answers this address.
    Gateway(IpAddr),
}

impl Responder {
    pub(super) fn handle_frame(&mut self, now: Instant, index: u32, protocol: EtherType, bytes: &[u8]) {
        let result = match self.interfaces.get(&index) {
            None => Err(DropReason::UnknownInterface),
            Some(interface) => match protocol {
                EtherType::Arp => self.handle_arp(index, interface, bytes),
                EtherType::Ipv6 => self.handle_ndp(index, interface, bytes),
            },
        };
        match result {
            Ok(Heard::Claim(address, by, answer)) => {
                self.judge(now, (address, index), by);
                self.outputs.extend(answer);
            }
            Ok(Heard::Answer(answer)) => self.outputs.extend(answer),
            Ok(Heard::Gateway(address)) => self.end_lesson(now, (address, index)),
            Err(reason) => self.outputs.push_back(Output::Ignored {
                interface: index,
                reason,
            }),
        }
    }

    /// RFC 826, and the probes of RFC 5227, which are answered like any request. Who claims one address may ask for
    /// another: RFC 826 looks at the sender and at the target, each for itself.
    fn handle_arp(&self, index: u32, interface: &Interface, bytes: &[u8]) -> Result<Heard, DropReason> {
        let packet = arp::Repr::parse(bytes).map_err(DropReason::Arp)?;
        self.check_foreign(packet.sender_mac)?;
        if let Some(address) = self.answered_by_gateway_arp(index, interface, &packet) {
            return Ok(Heard::Gateway(address));
        }
        let answer = self.answer_arp(index, interface, &packet);
        if !self.serves(packet.sender_ip.into(), index) {
            return answer.map(Heard::Answer);
        }
        // An announcement asks for the address that it claims, and wants no answer.
        let wants_one = packet.target_ip != packet.sender_ip;
        let answer = answer.into_iter().filter(|_| wants_one).flatten().collect();
        Ok(Heard::Claim(packet.sender_ip.into(), packet.sender_mac, answer))
    }

    fn answer_arp(
        &self,
        index: u32,
        interface: &Interface,
        packet: &arp::Repr,
    ) -> Result<Vec<Output>, DropReason> {
        if packet.operation != arp::Operation::Request {
            return Err(DropReason::NotARequest);
        }
        if packet.destination != MacAddr::BROADCAST && packet.destination != interface.mac {
            return Err(DropReason::OtherStation);
        }
        if !self.serves(packet.target_ip.into(), index) {
            return Err(DropReason::NotServed);
        }
        Ok(answered(
            index,
            EtherType::Arp,
            packet.target_ip.into(),
            packet.answer(interface.mac).emit(),
        ))
    }

    /// RFC 4861 §7.2.3 and §7.2.4; unlike MetalLB also for unicast probes and for duplicate address detection.
    fn handle_ndp(&self, index: u32, interface: &Interface, bytes: &[u8]) -> Result<Heard, DropReason> {
        let solicitation = match ndp::Repr::parse(bytes).map_err(DropReason::Ndp)? {
            ndp::Repr::Solicitation(solicitation) => solicitation,
            ndp::Repr::Advertisement(advertisement) => {
                return self.handle_advertisement(index, interface, &advertisement);
            }
        };
        self.check_foreign(solicitation.envelope.source_mac)?;
        let destination = solicitation.envelope.destination_mac;
        if !destination.is_multicast() && destination != interface.mac {
            return Err(DropReason::OtherStation);
        }
        let source = interface
            .ndp
            .filter(|_| self.serves(solicitation.target.into(), index))
            .ok_or(DropReason::NotServed)?;
        let answer = solicitation.answer(interface.mac, source).emit();
        let target = solicitation.target.into();
        Ok(Heard::Answer(answered(index, EtherType::Ipv6, target, answer)))
    }

    fn handle_advertisement(
        &self,
        index: u32,
        interface: &Interface,
        advertisement: &ndp::Advertisement,
    ) -> Result<Heard, DropReason> {
        let by = advertisement
            .target_link_layer
            .unwrap_or(advertisement.envelope.source_mac);
        self.check_foreign(by)?;
        if let Some(address) = self.answered_by_gateway_ndp(index, interface, advertisement) {
            return Ok(Heard::Gateway(address));
        }
        let target = advertisement.target.into();
        if !self.serves(target, index) {
            return Err(DropReason::NotARequest);
        }
        Ok(Heard::Claim(target, by, vec![]))
    }

    fn serves(&self, address: IpAddr, index: u32) -> bool {
        self.served.contains_key(&(address, index))
    }

    /// Two interfaces on one segment hear each other: what one of ours says is no claim of somebody else.
    fn check_foreign(&self, sender: MacAddr) -> Result<(), DropReason> {
        let own = self.interfaces.values().any(|interface| interface.mac == sender);
        if own { Err(DropReason::Own) } else { Ok(()) }
    }
}

fn answered(interface: u32, protocol: EtherType, address: IpAddr, frame: Vec<u8>) -> Vec<Output> {
    let send = Output::Send {
        interface,
        protocol,
        address,
        purpose: Purpose::Answer,
        frame,
    };
    vec![Output::Asked { address }, send]
}
