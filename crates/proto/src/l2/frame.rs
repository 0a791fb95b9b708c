//! One frame in; out come at most the answer to a question of ours, one claim and one answer, or the news that the
//! gateway has learned.

use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::{arp, ndp};

use super::{DropReason, Interface, Key, Output, Purpose, Responder};

/// What a valid frame of somebody else means.
struct Heard {
    statement: Option<Statement>,
    /// The gateway answers this address.
    learned: Option<IpAddr>,
    /// What it is answered with, or why it is not.
    answer: Result<Option<Output>, DropReason>,
}

/// "The address is at `by`", from the station with the address `source`.
pub(super) struct Statement {
    pub(super) address: IpAddr,
    pub(super) by: MacAddr,
    pub(super) source: MacAddr,
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
        let answer = result.and_then(|heard| {
            let Heard {
                statement,
                learned,
                answer,
            } = heard;
            let mut used = learned.is_some();
            if let Some(statement) = statement {
                let key = (statement.address, index);
                used |= self.answer_question(now, key, &statement);
                // The gateway has its address rightly.
                used |= learned.is_none() && self.judge(now, key, statement.by);
            }
            if let Some(address) = learned {
                self.end_lesson(now, (address, index));
            }
            answer.or_else(|reason| if used { Ok(None) } else { Err(reason) })
        });
        match answer {
            Ok(answer) => self.outputs.extend(answer),
            Err(reason) => self.outputs.push_back(Output::Ignored {
                interface: index,
                reason,
            }),
        }
    }

    /// RFC 826, and the probes of RFC 5227, which are answered like any request. Who claims one address may ask for
    /// another: RFC 826 looks at the sender and at the target, each for itself.
    ///
    /// A probe has no sender, so it claims nothing; that two who probe for one address are in conflict (RFC 5227
    /// §2.1.1) does not hold for speakers that only want to know who answers.
    fn handle_arp(&self, index: u32, interface: &Interface, bytes: &[u8]) -> Result<Heard, DropReason> {
        let packet = arp::Repr::parse(bytes).map_err(DropReason::Arp)?;
        self.check_foreign([packet.sender_mac, packet.source])?;
        let statement = Statement {
            address: packet.sender_ip.into(),
            by: packet.sender_mac,
            source: packet.source,
        };
        // An announcement asks for the address that it claims, and wants no answer.
        let announces = packet.target_ip == packet.sender_ip;
        let unwanted = |answer| {
            if announces {
                Err(DropReason::NotARequest)
            } else {
                Ok(answer)
            }
        };
        Ok(Heard {
            statement: Some(statement).filter(|_| !packet.sender_ip.is_unspecified()),
            learned: self.answered_by_gateway_arp(index, interface, &packet),
            answer: self.answer_arp(index, interface, &packet).and_then(unwanted),
        })
    }

    fn answer_arp(
        &self,
        index: u32,
        interface: &Interface,
        packet: &arp::Repr,
    ) -> Result<Option<Output>, DropReason> {
        if packet.operation != arp::Operation::Request {
            return Err(DropReason::NotARequest);
        }
        if packet.destination != MacAddr::BROADCAST && packet.destination != interface.mac {
            return Err(DropReason::OtherStation);
        }
        let address = packet.target_ip.into();
        let mac = self.answering_mac((address, index), packet.sender_mac)?;
        let answer = arp::Repr {
            source: interface.mac,
            ..packet.answer(mac)
        };
        Ok(Some(answered(index, EtherType::Arp, address, answer.emit())))
    }

    /// RFC 4861 §7.2.3 and §7.2.4; unlike MetalLB also for unicast probes and for duplicate address detection.
    fn handle_ndp(&self, index: u32, interface: &Interface, bytes: &[u8]) -> Result<Heard, DropReason> {
        let solicitation = match ndp::Repr::parse(bytes).map_err(DropReason::Ndp)? {
            ndp::Repr::Solicitation(solicitation) => solicitation,
            ndp::Repr::Advertisement(advertisement) => {
                return self.handle_advertisement(index, interface, &advertisement);
            }
        };
        self.check_foreign([solicitation.envelope.source_mac])?;
        Ok(Heard {
            statement: None,
            learned: None,
            answer: self.answer_ndp(index, interface, &solicitation),
        })
    }

    /// O = 1 in another's name too: what RFC 4861 §7.2.8 says of proxies is for those that answer with their own MAC,
    /// which must not replace the true one.
    fn answer_ndp(
        &self,
        index: u32,
        interface: &Interface,
        solicitation: &ndp::Solicitation,
    ) -> Result<Option<Output>, DropReason> {
        let envelope = solicitation.envelope;
        if !envelope.destination_mac.is_multicast() && envelope.destination_mac != interface.mac {
            return Err(DropReason::OtherStation);
        }
        let address = solicitation.target.into();
        let asker = solicitation.source_link_layer.unwrap_or(envelope.source_mac);
        let mac = self.answering_mac((address, index), asker)?;
        let source = interface.ndp.ok_or(DropReason::NotServed)?;
        let mut answer = solicitation.answer(mac, source);
        answer.envelope.source_mac = interface.mac;
        Ok(Some(answered(index, EtherType::Ipv6, address, answer.emit())))
    }

    fn handle_advertisement(
        &self,
        index: u32,
        interface: &Interface,
        advertisement: &ndp::Advertisement,
    ) -> Result<Heard, DropReason> {
        let source = advertisement.envelope.source_mac;
        let by = advertisement.target_link_layer.unwrap_or(source);
        self.check_foreign([by, source])?;
        let statement = Statement {
            address: advertisement.target.into(),
            by,
            source,
        };
        Ok(Heard {
            statement: Some(statement),
            learned: self.answered_by_gateway_ndp(index, interface, advertisement),
            answer: Err(DropReason::NotARequest),
        })
    }

    /// The MAC that `asker` is answered with. The one in whose name others are answered is not told that the address
    /// is at itself.
    fn answering_mac(&self, key: Key, asker: MacAddr) -> Result<MacAddr, DropReason> {
        let served = self.served.get(&key).ok_or(DropReason::NotServed)?;
        let mac = served.name.mac();
        if mac == asker {
            return Err(DropReason::Own);
        }
        Ok(mac)
    }

    pub(super) fn serves(&self, address: IpAddr, index: u32) -> bool {
        self.served.contains_key(&(address, index))
    }

    /// Two interfaces on one segment hear each other: what one of ours says, in whosever name, is no claim of somebody
    /// else.
    fn check_foreign<const N: usize>(&self, senders: [MacAddr; N]) -> Result<(), DropReason> {
        let own = self
            .interfaces
            .values()
            .any(|interface| senders.contains(&interface.mac));
        if own { Err(DropReason::Own) } else { Ok(()) }
    }
}

fn answered(interface: u32, protocol: EtherType, address: IpAddr, frame: Vec<u8>) -> Output {
    Output::Send {
        interface,
        protocol,
        address,
        purpose: Purpose::Answer,
        frame,
    }
}
