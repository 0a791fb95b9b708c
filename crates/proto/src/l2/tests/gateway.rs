//! The default gateway: who asks it, how often, and what counts as its answer.

use super::*;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 1);
const GATEWAY_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);

fn gateway6() -> Ipv6Addr {
    v6("fe80::fe")
}

fn mk_gateways(mac: Option<MacAddr>) -> Gateways {
    let gateway = |address: IpAddr, subnet: &str| Gateway {
        address,
        mac,
        subnets: vec![subnet.parse().unwrap()],
    };
    Gateways::from([
        ((1, EtherType::Arp), gateway(GATEWAY.into(), "172.21.0.0/16")),
        ((1, EtherType::Ipv6), gateway(gateway6().into(), "fd00:5::/64")),
    ])
}

/// A responder that knows the gateway and has not taken over anything.
fn mk_responder(mac: Option<MacAddr>) -> Responder {
    let mut responder = Responder::new(None);
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    step(&mut responder, T0, Input::Gateways(mk_gateways(mac)));
    responder
}

/// The questions to the gateway among these.
fn asked(outputs: &[Output]) -> Vec<(IpAddr, Vec<u8>)> {
    let asked = |output: &Output| match output {
        Output::Send {
            interface: 1,
            address,
            purpose: Purpose::Probe,
            frame,
            ..
        } => Some((*address, frame.clone())),
        _ => None,
    };
    outputs.iter().filter_map(asked).collect()
}

fn unicast_question() -> Vec<u8> {
    let request = arp::Repr::request(mac(1), VIP, GATEWAY);
    arp::Repr {
        destination: GATEWAY_MAC,
        ..request
    }
    .emit()
}

fn reply() -> arp::Repr {
    arp::Repr::request(mac(1), VIP, GATEWAY).answer(GATEWAY_MAC)
}

/// When the gateway is asked from now on, until `end`.
fn times(responder: &mut Responder, end: Instant) -> Vec<u128> {
    let mut times = vec![];
    while let Some(at) = responder.poll_timeout().filter(|at| *at <= end) {
        let questions = asked(&step(responder, at, Input::Timeout));
        times.extend(questions.iter().map(|_| (at - T0).as_millis()));
    }
    times
}

#[test]
fn the_gateway_is_asked_by_unicast_between_both_forms() {
    let mut responder = mk_responder(Some(GATEWAY_MAC));
    let outputs = step(&mut responder, T0, Input::Table(mk_table([VIP])));
    assert_eq!(asked(&outputs), [(VIP.into(), unicast_question())]);
    assert_eq!(asked(&outputs[1..2]).len(), 1, "before the reply: {outputs:?}");

    let mut responder = mk_responder(None);
    let outputs = step(&mut responder, T0, Input::Table(mk_table([VIP])));
    let broadcast = arp::Repr::request(mac(1), VIP, GATEWAY).emit();
    assert_eq!(asked(&outputs), [(VIP.into(), broadcast)]);
}

#[test]
fn an_ipv6_gateway_is_solicited_from_the_address() {
    let vip = v6("fd00:5::240");
    let multicast = Solicitation::multicast(mac(1), vip, gateway6());
    for (known, expected) in [
        (Some(GATEWAY_MAC), multicast.unicast(GATEWAY_MAC)),
        (None, multicast),
    ] {
        let mut responder = mk_responder(known);
        let outputs = step(&mut responder, T0, Input::Table(mk_table([vip])));
        assert_eq!(asked(&outputs), [(vip.into(), expected.emit())]);
        assert_eq!(expected.source_link_layer, Some(mac(1)), "it teaches our MAC");
        let answer = expected.answer(GATEWAY_MAC, gateway6());
        let learned = Output::GatewayLearned {
            interface: 1,
            address: vip.into(),
            gateway: gateway6().into(),
            after: Duration::ZERO,
        };
        assert_eq!(ndp_frame(&mut responder, &answer.emit()), [learned]);
        assert_eq!(
            ndp_frame(&mut responder, &answer.emit()),
            ignored(DropReason::NotARequest)
        );
    }
}

#[test]
fn it_is_asked_ever_more_seldom_until_it_answers() {
    let mut responder = mk_responder(Some(GATEWAY_MAC));
    step(&mut responder, T0, Input::Table(mk_table([VIP])));
    let end = T0 + Duration::from_secs(17);
    assert_eq!(
        times(&mut responder, end),
        [100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300]
    );
    let bytes = reply().emit();
    let answer = Input::Frame {
        interface: 1,
        protocol: EtherType::Arp,
        received: end,
        bytes: &bytes,
    };
    let learned = Output::GatewayLearned {
        interface: 1,
        address: VIP.into(),
        gateway: GATEWAY.into(),
        after: end - T0,
    };
    assert_eq!(step(&mut responder, end, answer), [learned]);
    assert_eq!(responder.poll_timeout(), None);
}

#[test]
fn only_an_answer_of_the_gateway_to_our_mac_counts() {
    let others = [
        (
            "another neighbour's",
            arp::Repr {
                sender_ip: CLIENT,
                ..reply()
            },
        ),
        (
            "to another MAC",
            arp::Repr {
                target_mac: mac(9),
                ..reply()
            },
        ),
        (
            "to another station",
            arp::Repr {
                destination: mac(9),
                ..reply()
            },
        ),
        (
            "to an address that is not served",
            arp::Repr {
                target_ip: CLIENT,
                ..reply()
            },
        ),
    ];
    let mut responder = mk_responder(Some(GATEWAY_MAC));
    step(&mut responder, T0, Input::Table(mk_table([VIP])));
    for (case, packet) in others {
        assert_eq!(
            arp_frame(&mut responder, packet),
            ignored(DropReason::NotARequest),
            "{case}"
        );
    }
    let request = arp::Repr::request(GATEWAY_MAC, GATEWAY, VIP);
    let answered = arp_frame(&mut responder, request);
    assert!(
        matches!(
            answered[..],
            [Output::Send {
                purpose: Purpose::Answer,
                ..
            }]
        ),
        "a question is no answer"
    );
    // VRRP: the gateway may answer from another MAC than it is asked at.
    let from_another = arp::Repr {
        sender_mac: mac(0x77),
        ..reply()
    };
    let learned = arp_frame(&mut responder, from_another);
    assert!(
        matches!(learned[..], [Output::GatewayLearned { .. }]),
        "{learned:?}"
    );
}

#[test]
fn an_address_outside_of_its_subnet_is_not_asked_for() {
    let mut responder = mk_responder(Some(GATEWAY_MAC));
    let elsewhere: IpAddr = Ipv4Addr::new(10, 0, 0, 1).into();
    let outputs = step(&mut responder, T0, Input::Table(mk_table([elsewhere])));
    assert_eq!((asked(&outputs), outputs.len()), (vec![], 2));
    // Neither on an interface that does not lead to the gateway.
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([2])));
    let outputs = step(&mut responder, T0, Input::Table(mk_table([VIP])));
    assert_eq!(asked(&outputs), []);
}

#[test]
fn a_gateway_that_is_known_later_is_asked_then_and_one_that_goes_no_more() {
    let mut responder = mk_serving([VIP]);
    let later = T0 + Duration::from_millis(40);
    let known = || Input::Gateways(mk_gateways(Some(GATEWAY_MAC)));
    assert_eq!(asked(&step(&mut responder, later, known())).len(), 1);
    assert_eq!(asked(&step(&mut responder, later, known())), [], "asked already");
    step(&mut responder, later, Input::Gateways(Gateways::new()));
    let end = T0 + Duration::from_secs(60);
    assert_eq!(times(&mut responder, end), [0_u128; 0]);
    assert_eq!(asked(&step(&mut responder, end, known())).len(), 1);
}

#[test]
fn a_new_take_over_asks_again_and_a_withdrawn_address_does_not() {
    let mut responder = mk_responder(Some(GATEWAY_MAC));
    step(&mut responder, T0, Input::Table(mk_table([VIP])));
    arp_frame(&mut responder, reply());
    let mut changed = mk_interfaces([1]);
    changed.get_mut(&1).unwrap().mac = mac(7);
    let later = T0 + PACE;
    assert_eq!(
        asked(&step(&mut responder, later, Input::Interfaces(changed))).len(),
        1,
        "a new MAC"
    );
    assert_eq!(
        arp_frame(&mut responder, reply()),
        ignored(DropReason::NotARequest),
        "an answer to the old one"
    );
    step(&mut responder, later, Input::Table(Table::new()));
    assert_eq!(responder.poll_timeout(), None);
}

#[test]
fn questions_keep_the_pace() {
    let vips = (0..2_000).map(|number| Ipv4Addr::from(0xac15_0000 + number));
    let mut responder = mk_responder(Some(GATEWAY_MAC));
    let mut tenths = [0; 40];
    let mut count = |at: Instant, outputs: &[Output]| {
        let frames = outputs.len();
        if let Some(tenth) = tenths.get_mut((at - T0).as_millis() as usize / 100) {
            *tenth += frames;
        }
    };
    count(T0, &step(&mut responder, T0, Input::Table(mk_table(vips))));
    while let Some(at) = responder
        .poll_timeout()
        .filter(|at| *at - T0 < Duration::from_secs(4))
    {
        count(at, &step(&mut responder, at, Input::Timeout));
    }
    assert_eq!(tenths[..4], [600; 4], "first frames, questions and replies");
    assert_eq!(tenths[4..], [100; 36]);
}
