//! Questions to the segment: what is sent, who answers, what counts as an answer, and for how long.

use super::*;

fn vip6() -> Ipv6Addr {
    v6("fd00:5::240")
}

fn ask(address: impl Into<IpAddr>) -> Input<'static> {
    Input::Ask {
        address: address.into(),
        scope: Scope::All,
        whose: Whose::Vip,
    }
}

/// A responder with `eth1` that serves nothing.
fn mk_idle() -> Responder {
    mk_serving([VIP; 0])
}

/// The questions among these, each with its interface.
fn questions(outputs: &[Output]) -> Vec<(IpAddr, u32)> {
    let question = |output: &Output| match output {
        Output::Send {
            interface,
            address,
            purpose: Purpose::Question,
            ..
        } => Some((*address, *interface)),
        _ => None,
    };
    outputs.iter().filter_map(question).collect()
}

fn frame_of(outputs: &[Output]) -> (EtherType, Vec<u8>) {
    match outputs {
        [.., Output::Send { protocol, frame, .. }] => (*protocol, frame.clone()),
        other => panic!("{other:?}"),
    }
}

fn hear(responder: &mut Responder, now: Instant, bytes: &[u8]) -> Vec<Output> {
    let protocol = match arp::Repr::parse(bytes) {
        Ok(_) => EtherType::Arp,
        Err(_) => EtherType::Ipv6,
    };
    let input = Input::Frame {
        interface: 1,
        protocol,
        received: now,
        bytes,
    };
    step(responder, now, input)
}

fn said(address: impl Into<IpAddr>, by: MacAddr, source: MacAddr) -> Output {
    Output::Answered {
        interface: 1,
        address: address.into(),
        by,
        source,
    }
}

fn mk_reply() -> arp::Repr {
    arp::Repr::request(mac(1), Ipv4Addr::UNSPECIFIED, VIP).answer(CLIENT_MAC)
}

#[test]
fn a_question_teaches_nobody_anything() {
    let mut responder = mk_idle();
    let probe = arp::Repr {
        destination: MacAddr::BROADCAST,
        source: mac(1),
        operation: Operation::Request,
        sender_mac: mac(1),
        sender_ip: Ipv4Addr::UNSPECIFIED,
        target_mac: MacAddr::ZERO,
        target_ip: VIP,
    };
    let (protocol, frame) = frame_of(&step(&mut responder, T0, ask(VIP)));
    assert_eq!(
        (protocol, arp::Repr::parse(&frame)),
        (EtherType::Arp, Ok(probe)),
        "RFC 5227 section 2.1.1"
    );
    let (protocol, frame) = frame_of(&step(&mut responder, T0, ask(vip6())));
    let Ok(ndp::Repr::Solicitation(solicitation)) = ndp::Repr::parse(&frame) else {
        panic!("{frame:?}");
    };
    assert_eq!(protocol, EtherType::Ipv6);
    assert_eq!(solicitation.target, vip6());
    assert_eq!(solicitation.source_link_layer, None, "RFC 4862 section 5.4.2");
    assert_eq!(solicitation.envelope.source, Ipv6Addr::UNSPECIFIED);
    assert_eq!(
        solicitation.envelope.destination,
        v6("ff02::1:ff00:240"),
        "the solicited-node group"
    );
}

#[test]
fn it_is_asked_wherever_it_can_be_served_or_not() {
    let mut responder = mk_serving([VIP]);
    let mut interfaces = mk_interfaces([1, 2, 3]);
    interfaces.get_mut(&2).unwrap().ndp = None;
    interfaces.get_mut(&3).unwrap().arp = false;
    step(&mut responder, T0, Input::Interfaces(interfaces));
    let outputs = step(&mut responder, T0, ask(VIP));
    assert_eq!(questions(&outputs), [(VIP.into(), 1), (VIP.into(), 2)]);
    let outputs = step(&mut responder, T0, ask(vip6()));
    assert_eq!(questions(&outputs), [(vip6().into(), 1), (vip6().into(), 3)]);
    let on_one = Input::Ask {
        address: VIP.into(),
        scope: Scope::Listed(BTreeSet::from(["eth2".to_owned(), "eth3".to_owned()])),
        whose: Whose::Vip,
    };
    assert_eq!(questions(&step(&mut responder, T0, on_one)), [(VIP.into(), 2)]);
    assert_eq!(
        step(&mut Responder::new(None), T0, ask(VIP)),
        [],
        "no interface, no question"
    );
}

/// A question without a sender would have a host that is about to take the address give it up.
#[test]
fn a_host_is_asked_from_the_interfaces_own_address() {
    let mut responder = mk_idle();
    let own = mk_interface(1);
    for address in [IpAddr::from(VIP), vip6().into()] {
        let whose = Whose::Host;
        let question = Input::Ask {
            address,
            scope: Scope::All,
            whose,
        };
        let (_, frame) = frame_of(&step(&mut responder, T0, question));
        let expected = match address {
            IpAddr::V4(address) => arp::Repr::request(own.mac, own.ipv4.unwrap(), address).emit(),
            IpAddr::V6(address) => Solicitation::multicast(own.mac, own.ndp.unwrap(), address).emit(),
        };
        assert_eq!(frame, expected);
    }
}

/// Both ends are ours: the answers as they are on the wire, from an owner and from one who stands in for it.
#[test]
fn owners_and_those_who_stand_in_answer_questions() {
    let owner = mac(0x21);
    for address in [IpAddr::from(VIP), vip6().into()] {
        let mut asker = mk_idle();
        let (protocol, question) = frame_of(&step(&mut asker, T0, ask(address)));
        let station = |in_name_of: Option<MacAddr>, mac: MacAddr| {
            let mut responder = Responder::new(None);
            let interface = Interface {
                mac,
                ..mk_interface(1)
            };
            let announcement = Announcement {
                scope: Scope::All,
                in_name_of: in_name_of.map(|mac| BTreeMap::from([(1, mac)])),
            };
            step(
                &mut responder,
                T0,
                Input::Interfaces(Interfaces::from([(1, interface)])),
            );
            step(
                &mut responder,
                T0,
                Input::Table(Table::from([(address, announcement)])),
            );
            responder
        };
        let stations = [
            (station(None, owner), owner),
            (station(Some(owner), mac(0x22)), mac(0x22)),
        ];
        for (mut responder, source) in stations {
            let outputs = hear(&mut responder, T0, &question);
            let (answered_by, answer) = frame_of(&outputs);
            assert_eq!(answered_by, protocol);
            assert_eq!(
                hear(&mut asker, T0, &answer),
                [said(address, owner, source)],
                "{address}"
            );
        }
    }
}

#[test]
fn each_mac_is_told_once_for_each_question() {
    let mut responder = mk_idle();
    step(&mut responder, T0, ask(VIP));
    let other = arp::Repr {
        sender_mac: mac(0x65),
        source: mac(0x65),
        ..mk_reply()
    };
    for round in 0..2 {
        for packet in [mk_reply(), other] {
            assert_eq!(
                arp_frame(&mut responder, packet),
                [said(VIP, packet.sender_mac, packet.source)],
                "question {round}"
            );
            assert_eq!(arp_frame(&mut responder, packet), []);
        }
        step(&mut responder, T0 + PACE, ask(VIP));
    }
}

#[test]
fn whoever_has_the_address_answers_with_any_packet() {
    let claims = arp::Repr::gratuitous(CLIENT_MAC, VIP);
    let request = arp::Repr::request(CLIENT_MAC, VIP, CLIENT);
    for packet in [mk_reply(), claims[0], claims[1], request] {
        let mut responder = mk_idle();
        step(&mut responder, T0, ask(VIP));
        assert_eq!(
            arp_frame(&mut responder, packet),
            [said(VIP, CLIENT_MAC, CLIENT_MAC)]
        );
    }
    let unsolicited = Advertisement::unsolicited(CLIENT_MAC, v6("fe80::64"), vip6());
    let to_somebody =
        Solicitation::multicast(mac(0x65), v6("fd00:5::101"), vip6()).answer(CLIENT_MAC, v6("fe80::64"));
    let without_option = Advertisement {
        target_link_layer: None,
        override_cached: false,
        router: true,
        ..unsolicited
    };
    for advertisement in [unsolicited, to_somebody, without_option] {
        let mut responder = mk_idle();
        step(&mut responder, T0, ask(vip6()));
        assert_eq!(
            ndp_frame(&mut responder, &advertisement.emit()),
            [said(vip6(), CLIENT_MAC, CLIENT_MAC)]
        );
    }
}

#[test]
fn what_is_no_answer() {
    let mut responder = mk_idle();
    step(&mut responder, T0, ask(VIP));
    step(&mut responder, T0, ask(vip6()));
    let others_probe = arp::Repr::request(CLIENT_MAC, Ipv4Addr::UNSPECIFIED, VIP);
    let ask_for_it = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    let by_us = arp::Repr {
        sender_mac: mac(1),
        ..mk_reply()
    };
    let from_us = arp::Repr {
        source: mac(1),
        ..mk_reply()
    };
    let cases = [
        ("somebody else's question", others_probe, DropReason::NotServed),
        ("a request for it", ask_for_it, DropReason::NotServed),
        ("in our name", by_us, DropReason::Own),
        ("our frame", from_us, DropReason::Own),
    ];
    for (case, packet, reason) in cases {
        assert_eq!(arp_frame(&mut responder, packet), ignored(reason), "{case}");
    }
    let others_detection = Solicitation::multicast(CLIENT_MAC, Ipv6Addr::UNSPECIFIED, vip6());
    assert_eq!(
        ndp_frame(&mut responder, &others_detection.emit()),
        ignored(DropReason::NotServed)
    );
    let other = Advertisement::unsolicited(CLIENT_MAC, v6("fe80::64"), v6("fd00:6::240"));
    assert_eq!(
        ndp_frame(&mut responder, &other.emit()),
        ignored(DropReason::NotARequest)
    );
    let elsewhere = Input::Frame {
        interface: 2,
        protocol: EtherType::Arp,
        received: T0,
        bytes: &mk_reply().emit(),
    };
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1, 2])));
    let reason = DropReason::NotARequest;
    assert_eq!(
        step(&mut responder, T0, elsewhere),
        [Output::Ignored { interface: 2, reason }]
    );
}

#[test]
fn a_question_about_a_served_address_spares_nobody_the_judgement() {
    let mut responder = mk_serving([VIP]);
    step(&mut responder, T0, ask(VIP));
    let claim = Output::Claimed {
        interface: 1,
        address: VIP.into(),
        by: CLIENT_MAC,
        response: Response::LetPass,
    };
    assert_eq!(
        arp_frame(&mut responder, mk_reply()),
        [said(VIP, CLIENT_MAC, CLIENT_MAC), claim]
    );
}

#[test]
fn the_gateways_answer_to_us_can_be_both() {
    let mut responder = mk_serving([VIP]);
    let gateway = Gateway {
        address: CLIENT.into(),
        mac: None,
        subnets: vec!["172.21.0.0/16".parse().unwrap()],
    };
    let gateways = Gateways::from([((1, EtherType::Arp), gateway)]);
    step(&mut responder, T0, Input::Gateways(gateways));
    step(&mut responder, T0, ask(CLIENT));
    let answer = arp::Repr::request(mac(1), VIP, CLIENT).answer(CLIENT_MAC);
    let outputs = arp_frame(&mut responder, answer);
    assert_eq!(outputs[0], said(CLIENT, CLIENT_MAC, CLIENT_MAC));
    assert!(
        matches!(outputs[1..], [Output::GatewayLearned { .. }]),
        "{outputs:?}"
    );
}

#[test]
fn listening_ends_a_second_after_the_last_question() {
    let mut responder = mk_idle();
    let key = (IpAddr::from(VIP), 1);
    let heard = |responder: &Responder| responder.heard().collect::<Vec<_>>();
    step(&mut responder, T0, ask(VIP));
    assert_eq!(heard(&responder), [key]);
    assert_eq!(responder.served().count(), 0);
    assert_eq!(responder.poll_timeout(), Some(T0 + LISTEN));

    let again = T0 + Duration::from_millis(400);
    assert_eq!(step(&mut responder, again, ask(VIP)).len(), 1);
    assert_eq!(responder.poll_timeout(), Some(again + LISTEN));
    step(&mut responder, T0 + LISTEN, Input::Timeout);
    assert_eq!(heard(&responder), [key]);
    let last = Instant((again + LISTEN).0 - 1);
    let frame = mk_reply().emit();
    let answered = [said(VIP, CLIENT_MAC, CLIENT_MAC)];
    assert_eq!(hear(&mut responder, last, &frame), answered);

    let over = again + LISTEN;
    assert_eq!(
        hear(&mut responder, over, &frame),
        ignored(DropReason::NotARequest),
        "whether or not the timeout comes in time"
    );
    step(&mut responder, over, Input::Timeout);
    assert_eq!(heard(&responder), []);
    assert_eq!(responder.poll_timeout(), None);
}

#[test]
fn what_is_served_and_asked_for_is_heard_once() {
    let mut responder = mk_serving([VIP]);
    step(&mut responder, T0, ask(VIP));
    step(&mut responder, T0, ask(vip6()));
    let heard: Vec<_> = responder.heard().collect();
    assert_eq!(heard, [(VIP.into(), 1), (vip6().into(), 1)]);
    assert_eq!(responder.asked().collect::<Vec<_>>(), heard);
}

#[test]
fn a_question_ends_with_its_interface() {
    let mut responder = mk_idle();
    // More than one turn can ask.
    let vips = (0..2 * QUESTIONS_AT_ONCE as u32).map(|number| Ipv4Addr::from(0xac15_0000 + number));
    for vip in vips {
        step(&mut responder, T0, ask(vip));
    }
    step(&mut responder, T0, ask(vip6()));
    let mut neither = mk_interfaces([1]);
    neither.get_mut(&1).unwrap().ndp = None;
    step(&mut responder, T0, Input::Interfaces(neither.clone()));
    assert_eq!(responder.heard().count(), 2 * QUESTIONS_AT_ONCE);
    neither.get_mut(&1).unwrap().arp = false;
    step(&mut responder, T0, Input::Interfaces(neither));
    assert_eq!((responder.heard().count(), responder.poll_timeout()), (0, None));
}

/// What a node's own kernel (Linux 6) says to both questions, as it is on the wire.
#[test]
#[rustfmt::skip]
fn a_kernels_answers() {
    let reply = [
        0xf2, 0xf6, 0x96, 0x2b, 0xf0, 0x81, 0x22, 0x75, 0x5f, 0x98, 0xa2, 0xc7, 0x08, 0x06, // to the asker
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02,
        0x22, 0x75, 0x5f, 0x98, 0xa2, 0xc7, 10, 9, 9, 2,
        0xf2, 0xf6, 0x96, 0x2b, 0xf0, 0x81, 0, 0, 0, 0, // target address zero, as it was asked
    ];
    let advertisement = [
        0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x22, 0x75, 0x5f, 0x98, 0xa2, 0xc7, 0x86, 0xdd, // to all nodes
        0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 58, 255,
        0xfd, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02,
        0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01,
        136, 0, 0x37, 0xb3, 0x20, 0, 0, 0, // not solicited, overrides
        0xfd, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02,
        2, 1, 0x22, 0x75, 0x5f, 0x98, 0xa2, 0xc7,
    ];
    let node = MacAddr([0x22, 0x75, 0x5f, 0x98, 0xa2, 0xc7]);
    let mut responder = mk_idle();
    let address = Ipv4Addr::new(10, 9, 9, 2);
    step(&mut responder, T0, ask(address));
    assert_eq!(hear(&mut responder, T0, &reply), [said(address, node, node)]);
    step(&mut responder, T0, ask(v6("fd09::2")));
    assert_eq!(hear(&mut responder, T0, &advertisement), [said(v6("fd09::2"), node, node)]);
}

#[test]
fn questions_have_a_pace_of_their_own_and_keep_their_place() {
    let vips: Vec<IpAddr> = (0..1_000)
        .map(|number| Ipv4Addr::from(0xac15_0000 + number).into())
        .collect();
    // All lines are full.
    let mut responder = mk_serving(vips.clone());
    let later = T0 + PACE;
    let mut asked = vec![];
    for at in [later, later + PACE / 2] {
        for vip in &vips {
            asked.extend(questions(&step(&mut responder, at, ask(*vip))));
        }
        assert_eq!(asked.len(), QUESTIONS_AT_ONCE);
    }
    while let Some(at) = responder
        .poll_timeout()
        .filter(|at| *at - later < Duration::from_secs(1))
    {
        let now = questions(&step(&mut responder, at, Input::Timeout));
        assert!(now.len() <= QUESTIONS_AT_ONCE);
        if at - later >= Duration::from_millis(210) {
            assert_eq!(now, [], "1,050 questions take 21 turns");
        }
        asked.extend(now);
    }
    let order = asked.into_iter().map(|(vip, _)| vip);
    let again = vips[..QUESTIONS_AT_ONCE].iter().copied();
    assert!(
        order.eq(vips.iter().copied().chain(again)),
        "who waits keeps its place, and is asked once for both"
    );
}
