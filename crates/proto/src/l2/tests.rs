use std::net::Ipv4Addr;

use cortenlb_wire::arp::Operation;
use cortenlb_wire::ndp::{Advertisement, Solicitation};
use cortenlb_wire::{arp, ndp};

use super::*;

mod claim;
mod gateway;
mod gratuitous;
mod question;
mod sequences;
mod stand_in;

const CLIENT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x64]);
const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 100);
const VIP: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 240);
/// Any instant that is not zero.
const T0: Instant = Instant(1_000_000_000_000);

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn mk_interface(index: u32) -> Interface {
    Interface {
        name: format!("eth{index}"),
        mac: mac(index as u8),
        arp: true,
        ndp: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, index as u16)),
        ipv4: Some(Ipv4Addr::new(172, 21, 5, 10 + index as u8)),
    }
}

fn mk_interfaces(indexes: impl IntoIterator<Item = u32>) -> Interfaces {
    indexes
        .into_iter()
        .map(|index| (index, mk_interface(index)))
        .collect()
}

fn mk_table<A: Into<IpAddr>>(addresses: impl IntoIterator<Item = A>) -> Table {
    addresses
        .into_iter()
        .map(|address| (address.into(), Announcement::own(Scope::All)))
        .collect()
}

fn only(name: &str) -> Announcement {
    Announcement::own(Scope::Listed(BTreeSet::from([name.to_owned()])))
}

/// Hands in the input and takes everything that comes out.
fn step(responder: &mut Responder, now: Instant, input: Input<'_>) -> Vec<Output> {
    responder.handle_input(now, input);
    std::iter::from_fn(|| responder.poll_output()).collect()
}

/// A responder that serves these addresses on `eth1` and has told so.
fn mk_serving<A: Into<IpAddr>>(addresses: impl IntoIterator<Item = A>) -> Responder {
    let mut responder = Responder::new(None);
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    step(&mut responder, T0, Input::Table(mk_table(addresses)));
    responder
}

fn arp_frame(responder: &mut Responder, packet: arp::Repr) -> Vec<Output> {
    let bytes = packet.emit();
    step(
        responder,
        T0,
        Input::Frame {
            interface: 1,
            protocol: EtherType::Arp,
            received: T0,
            bytes: &bytes,
        },
    )
}

fn ndp_frame(responder: &mut Responder, bytes: &[u8]) -> Vec<Output> {
    step(
        responder,
        T0,
        Input::Frame {
            interface: 1,
            protocol: EtherType::Ipv6,
            received: T0,
            bytes,
        },
    )
}

fn ignored(reason: DropReason) -> Vec<Output> {
    vec![Output::Ignored { interface: 1, reason }]
}

/// Which address is told of on which interface, once for each frame.
fn told(outputs: &[Output]) -> Vec<(IpAddr, u32)> {
    let told = |output: &Output| match output {
        Output::Send {
            interface,
            address,
            purpose: Purpose::First | Purpose::Gratuitous,
            ..
        } => Some((*address, *interface)),
        _ => None,
    };
    let told: Vec<_> = outputs.iter().filter_map(told).collect();
    assert_eq!(told.len(), outputs.len(), "and nothing else: {outputs:?}");
    told
}

#[test]
fn a_request_is_answered_with_the_interfaces_mac() {
    let mut responder = mk_serving([VIP]);
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    let expected = answered(VIP, EtherType::Arp, request.answer(mac(1)).emit());
    assert_eq!(arp_frame(&mut responder, request), expected);
    let unicast = arp::Repr {
        destination: mac(1),
        ..request
    };
    assert_eq!(arp_frame(&mut responder, unicast), expected);
    let probe = arp::Repr::request(CLIENT_MAC, Ipv4Addr::UNSPECIFIED, VIP);
    assert_eq!(
        arp_frame(&mut responder, probe),
        answered(VIP, EtherType::Arp, probe.answer(mac(1)).emit())
    );
}

fn answered(address: impl Into<IpAddr>, protocol: EtherType, frame: Vec<u8>) -> Vec<Output> {
    let address = address.into();
    vec![Output::Send {
        interface: 1,
        protocol,
        address,
        purpose: Purpose::Answer,
        frame,
    }]
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    let reply = arp::Repr {
        operation: Operation::Reply,
        ..request
    };
    let cases = [
        (
            "another address",
            arp::Repr {
                target_ip: Ipv4Addr::new(172, 21, 5, 241),
                ..request
            },
            DropReason::NotServed,
        ),
        (
            "for another station",
            arp::Repr {
                destination: mac(9),
                ..request
            },
            DropReason::OtherStation,
        ),
        ("a reply", reply, DropReason::NotARequest),
        (
            "our own frame",
            arp::Repr::request(mac(1), VIP, VIP),
            DropReason::Own,
        ),
    ];
    let mut responder = mk_serving([VIP]);
    for (case, packet, reason) in cases {
        assert_eq!(arp_frame(&mut responder, packet), ignored(reason), "{case}");
    }
    let malformed = DropReason::Arp(arp::Error::Truncated(0));
    let frame = &request.emit()[..14];
    let input = Input::Frame {
        interface: 1,
        protocol: EtherType::Arp,
        received: T0,
        bytes: frame,
    };
    assert_eq!(step(&mut responder, T0, input), ignored(malformed));
    let input = Input::Frame {
        interface: 7,
        protocol: EtherType::Arp,
        received: T0,
        bytes: frame,
    };
    let unknown = Output::Ignored {
        interface: 7,
        reason: DropReason::UnknownInterface,
    };
    assert_eq!(step(&mut responder, T0, input), [unknown]);
}

#[test]
fn a_frame_that_waited_too_long_is_not_answered() {
    let mut responder = mk_serving([VIP]);
    let bytes = arp::Repr::request(CLIENT_MAC, CLIENT, VIP).emit();
    let input = || Input::Frame {
        interface: 1,
        protocol: EtherType::Arp,
        received: T0,
        bytes: &bytes,
    };
    let answer = answered(
        VIP,
        EtherType::Arp,
        arp::Repr::request(CLIENT_MAC, CLIENT, VIP).answer(mac(1)).emit(),
    );
    assert_eq!(step(&mut responder, T0 + OLDEST, input()), answer);
    let late = T0 + OLDEST + Duration::from_nanos(1);
    assert_eq!(step(&mut responder, late, input()), ignored(DropReason::Stale));
    assert_eq!(
        step(&mut responder, Instant(T0.0 - 1), input()),
        answer,
        "a stamp ahead of the clock is fresh"
    );
}

#[test]
fn somebody_elses_claim_is_told_and_not_answered() {
    let claim = |address: IpAddr| {
        vec![Output::Claimed {
            interface: 1,
            address,
            by: CLIENT_MAC,
            response: Response::LetPass,
        }]
    };
    let mut responder = mk_serving([IpAddr::from(VIP), v6("fd00:5::240").into()]);
    for form in arp::Repr::gratuitous(CLIENT_MAC, VIP) {
        assert_eq!(
            arp_frame(&mut responder, form),
            claim(VIP.into()),
            "{:?}",
            form.operation
        );
    }
    let advertisement = Advertisement::unsolicited(CLIENT_MAC, v6("fe80::64"), v6("fd00:5::240"));
    assert_eq!(
        ndp_frame(&mut responder, &advertisement.emit()),
        claim(v6("fd00:5::240").into())
    );
    let own = Advertisement::unsolicited(mac(1), v6("fe80::1"), v6("fd00:5::240"));
    assert_eq!(ndp_frame(&mut responder, &own.emit()), ignored(DropReason::Own));
    let other = Advertisement::unsolicited(CLIENT_MAC, v6("fe80::64"), v6("fd00:5::241"));
    assert_eq!(
        ndp_frame(&mut responder, &other.emit()),
        ignored(DropReason::NotARequest)
    );
}

#[test]
fn who_claims_one_address_is_answered_for_another() {
    let other = Ipv4Addr::new(172, 21, 5, 241);
    let mut responder = mk_serving([VIP, other]);
    let request = arp::Repr::request(CLIENT_MAC, VIP, other);
    let claim = Output::Claimed {
        interface: 1,
        address: VIP.into(),
        by: CLIENT_MAC,
        response: Response::LetPass,
    };
    let mut expected = vec![claim.clone()];
    expected.extend(answered(other, EtherType::Arp, request.answer(mac(1)).emit()));
    assert_eq!(arp_frame(&mut responder, request), expected);
    let not_ours = arp::Repr::request(CLIENT_MAC, VIP, CLIENT);
    assert_eq!(arp_frame(&mut responder, not_ours), [claim]);
}

#[test]
fn solicitations_are_answered() {
    let vip = v6("fd00:5::240");
    let mut responder = mk_serving([vip]);
    let multicast = Solicitation::multicast(CLIENT_MAC, v6("fd00:5::100"), vip);
    let mut probe = Solicitation {
        source_link_layer: None,
        ..multicast
    };
    probe.envelope.destination_mac = mac(1);
    probe.envelope.destination = vip;
    let detection = Solicitation::multicast(CLIENT_MAC, Ipv6Addr::UNSPECIFIED, vip);
    for solicitation in [multicast, probe, detection] {
        let answer = solicitation.answer(mac(1), v6("fe80::1")).emit();
        assert_eq!(
            ndp_frame(&mut responder, &solicitation.emit()),
            answered(vip, EtherType::Ipv6, answer)
        );
    }
    let other = Solicitation::multicast(CLIENT_MAC, v6("fd00:5::100"), v6("fd00:5::241"));
    assert_eq!(
        ndp_frame(&mut responder, &other.emit()),
        ignored(DropReason::NotServed)
    );
    probe.envelope.destination_mac = mac(9);
    assert_eq!(
        ndp_frame(&mut responder, &probe.emit()),
        ignored(DropReason::OtherStation)
    );
    let own = Solicitation::multicast(mac(1), v6("fd00:5::1"), vip);
    assert_eq!(ndp_frame(&mut responder, &own.emit()), ignored(DropReason::Own));
    let malformed = DropReason::Ndp(ndp::Error::Type(134));
    let mut advertisement = Advertisement::unsolicited(CLIENT_MAC, v6("fe80::64"), vip).emit();
    // Type 134 in place of 136, and the checksum two in its high byte larger.
    advertisement[54] = 134;
    advertisement[56] = advertisement[56].wrapping_add(2);
    assert_eq!(ndp_frame(&mut responder, &advertisement), ignored(malformed));
}

#[test]
fn only_what_is_new_is_told() {
    let vip: IpAddr = VIP.into();
    let other: IpAddr = Ipv4Addr::new(172, 21, 5, 241).into();
    let mut responder = mk_serving([vip]);
    assert_eq!(
        step(&mut responder, T0, Input::Table(mk_table([vip]))),
        [],
        "the same table"
    );
    assert_eq!(
        told(&step(&mut responder, T0, Input::Table(mk_table([vip, other])))),
        [(other, 1); 2]
    );
    assert_eq!(
        told(&step(
            &mut responder,
            T0,
            Input::Interfaces(mk_interfaces([1, 2]))
        )),
        [(vip, 2), (other, 2), (vip, 2), (other, 2)],
        "a new interface"
    );
    let mut changed = mk_interfaces([1, 2]);
    changed.get_mut(&1).unwrap().mac = mac(9);
    let told_of = told(&step(&mut responder, T0, Input::Interfaces(changed.clone())));
    assert_eq!(told_of, [(vip, 1), (other, 1), (vip, 1), (other, 1)], "a new MAC");
    changed.remove(&2);
    changed.get_mut(&1).unwrap().ndp = None;
    assert_eq!(
        step(&mut responder, T0, Input::Interfaces(changed)),
        [],
        "nothing new"
    );
    assert_eq!(responder.served().collect::<Vec<_>>(), [(vip, 1), (other, 1)]);
}

#[test]
fn withdrawing_is_silent_and_at_once() {
    let mut responder = mk_serving([VIP]);
    assert_eq!(step(&mut responder, T0, Input::Table(Table::new())), []);
    assert_eq!(responder.poll_timeout(), None);
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    assert_eq!(arp_frame(&mut responder, request), ignored(DropReason::NotServed));
    assert_eq!(
        step(&mut responder, T0 + Duration::from_secs(1), Input::Timeout),
        []
    );
    let back = step(
        &mut responder,
        T0 + Duration::from_secs(1),
        Input::Table(mk_table([VIP])),
    );
    assert_eq!(told(&back).len(), 2, "told again on taking over again");
}

#[test]
fn scopes_and_families_are_kept() {
    let vip6: IpAddr = v6("fd00:5::240").into();
    let mut responder = Responder::new(None);
    let mut interfaces = mk_interfaces([1, 2, 3]);
    interfaces.get_mut(&2).unwrap().ndp = None;
    interfaces.get_mut(&3).unwrap().arp = false;
    step(&mut responder, T0, Input::Interfaces(interfaces));
    let table = Table::from([(VIP.into(), only("eth1")), (vip6, Announcement::own(Scope::All))]);
    step(&mut responder, T0, Input::Table(table));
    assert_eq!(
        responder.served().collect::<Vec<_>>(),
        [(VIP.into(), 1), (vip6, 1), (vip6, 3)]
    );
}
