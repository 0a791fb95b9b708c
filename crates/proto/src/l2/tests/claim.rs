//! Somebody else's claims: when they are let pass, when defended, and that it comes to an end.

use super::*;

fn frame_at<'a>(now: Instant, protocol: EtherType, bytes: &'a [u8]) -> Input<'a> {
    Input::Frame {
        interface: 1,
        protocol,
        received: now,
        bytes,
    }
}

/// What comes of somebody's claim of `address` at this time.
fn claim(responder: &mut Responder, now: Instant, address: IpAddr) -> Vec<Output> {
    let bytes = match address {
        IpAddr::V4(address) => arp::Repr::gratuitous(CLIENT_MAC, address)[0].emit(),
        IpAddr::V6(address) => Advertisement::unsolicited(CLIENT_MAC, v6("fe80::64"), address).emit(),
    };
    step(responder, now, frame_at(now, EtherType::of(address), &bytes))
}

fn claimed(address: impl Into<IpAddr>, response: Response) -> Output {
    Output::Claimed {
        interface: 1,
        address: address.into(),
        by: CLIENT_MAC,
        response,
    }
}

fn defence(address: impl Into<IpAddr>) -> Output {
    let address = address.into();
    let frame = match address {
        IpAddr::V4(address) => arp::Repr::gratuitous(mac(1), address)[0].emit(),
        IpAddr::V6(address) => Advertisement::unsolicited(mac(1), v6("fe80::1"), address).emit(),
    };
    Output::Send {
        interface: 1,
        protocol: EtherType::of(address),
        address,
        purpose: Purpose::Defence,
        frame,
    }
}

/// Serves both addresses, and has told all rounds.
fn mk_settled() -> (Responder, [IpAddr; 2], Instant) {
    let vips = [IpAddr::from(VIP), v6("fd00:5::240").into()];
    let mut responder = mk_serving(vips);
    while let Some(at) = responder.poll_timeout() {
        step(&mut responder, at, Input::Timeout);
    }
    (responder, vips, T0 + Duration::from_secs(20))
}

#[test]
fn a_claim_is_defended_by_one_announcement_in_ten_seconds() {
    for family in 0..2 {
        let (mut responder, vips, now) = mk_settled();
        let vip = vips[family];
        let defended = [claimed(vip, Response::Defended), defence(vip)];
        assert_eq!(claim(&mut responder, now, vip), defended);
        let before = Instant((now + DEFEND_INTERVAL).0 - 1);
        for at in [now, now + Duration::from_secs(5), before] {
            assert_eq!(
                claim(&mut responder, at, vip),
                [claimed(vip, Response::DefendedBefore)]
            );
        }
        assert_eq!(claim(&mut responder, now + DEFEND_INTERVAL, vip), defended);
        assert_eq!(responder.poll_timeout(), None, "nothing is repeated");
    }
}

#[test]
fn the_old_owners_late_frames_are_let_pass() {
    let mut responder = mk_serving([VIP]);
    let just_before = Instant((T0 + LET_PASS).0 - 1);
    for at in [T0, just_before] {
        let outputs = claim(&mut responder, at, VIP.into());
        assert_eq!(outputs, [claimed(VIP, Response::LetPass)]);
    }
    step(&mut responder, T0 + LET_PASS, Input::Timeout);
    let outputs = claim(&mut responder, T0 + LET_PASS, VIP.into());
    assert_eq!(outputs, [claimed(VIP, Response::Defended), defence(VIP)]);
}

#[test]
fn what_waits_for_its_first_frame_is_not_defended() {
    let vips: Vec<IpAddr> = (0..10_000)
        .map(|number| Ipv4Addr::from(0xac15_0000 + number).into())
        .collect();
    let last = *vips.last().unwrap();
    let mut responder = mk_serving(vips);
    let outputs = claim(&mut responder, T0 + LET_PASS, last);
    assert_eq!(outputs, [claimed(last, Response::LetPass)]);
}

#[test]
fn what_is_served_no_more_is_left_to_others() {
    let (mut responder, vips, now) = mk_settled();
    step(&mut responder, now, Input::Table(Table::new()));
    for vip in vips {
        let outputs = claim(&mut responder, now, vip);
        assert!(matches!(outputs[..], [Output::Ignored { .. }]), "{outputs:?}");
    }
    assert_eq!(responder.poll_timeout(), None);
}

#[test]
fn defences_keep_the_pace() {
    let vips: Vec<IpAddr> = (0..100)
        .map(|number| Ipv4Addr::from(0xac15_0000 + number).into())
        .collect();
    let mut responder = mk_serving(vips.clone());
    while let Some(at) = responder.poll_timeout() {
        step(&mut responder, at, Input::Timeout);
    }
    let now = T0 + Duration::from_secs(20);
    let sent = |outputs: &[Output]| {
        let sends = outputs
            .iter()
            .filter(|output| matches!(output, Output::Send { .. }));
        sends.count()
    };
    let at_once: usize = vips
        .iter()
        .map(|vip| sent(&claim(&mut responder, now, *vip)))
        .sum();
    assert_eq!(at_once, LATER_AT_ONCE);
    let mut later = 0;
    while let Some(at) = responder.poll_timeout() {
        assert!(at - now <= Duration::from_millis(100));
        later += sent(&step(&mut responder, at, Input::Timeout));
    }
    assert_eq!(at_once + later, 100);
}

#[test]
fn another_nodes_claim_is_never_defended() {
    let (mut responder, vips, now) = mk_settled();
    step(
        &mut responder,
        now,
        Input::Friends(BTreeSet::from([CLIENT_MAC, mac(0x65)])),
    );
    for vip in vips {
        for at in [now, now + DEFEND_INTERVAL] {
            assert_eq!(claim(&mut responder, at, vip), [claimed(vip, Response::Friend)]);
        }
    }
    // Those of others are, and it does not count as a defence that there was none.
    let later = now + DEFEND_INTERVAL;
    step(&mut responder, later, Input::Friends(BTreeSet::from([mac(0x65)])));
    for vip in vips {
        assert_eq!(
            claim(&mut responder, later, vip),
            [claimed(vip, Response::Defended), defence(vip)]
        );
    }
}

/// After a hand-over, or a partition, of two that have told the segment the one that still serves the address is right.
#[test]
fn who_serves_it_still_tells_again_what_another_node_has_claimed() {
    let (mut responder, vips, now) = mk_settled();
    step(&mut responder, now, Input::Friends(BTreeSet::from([CLIENT_MAC])));
    for vip in vips {
        claim(&mut responder, now, vip);
    }
    let again = now + Duration::from_secs(1);
    claim(&mut responder, again, vips[0]);
    let gone = Input::Table(mk_table([vips[0]]));
    assert_eq!(
        step(&mut responder, again, gone),
        [],
        "who has yielded says nothing"
    );
    assert_eq!(responder.poll_timeout(), Some(again + REPEAT));
    let mut times = vec![];
    while let Some(at) = responder.poll_timeout() {
        times.push((at - again).as_millis());
        assert_eq!(told(&step(&mut responder, at, Input::Timeout)), [(vips[0], 1); 2]);
    }
    assert_eq!(times, [500, 650, 800, 1_500, 2_500, 3_500, 4_500, 5_500]);
}

#[test]
fn the_segment_is_told_again_of_what_is_served_in_ones_own_name() {
    let (mut responder, vips, now) = mk_settled();
    assert_eq!(step(&mut responder, now, Input::Repeat), []);
    assert_eq!(responder.poll_timeout(), Some(now + REPEAT));
    let frames = told(&step(&mut responder, now + REPEAT, Input::Timeout));
    assert_eq!(frames, [(vips[0], 1), (vips[0], 1), (vips[1], 1)]);
    let (mut responder, ..) = mk_settled();
    let name = Announcement {
        in_name_of: Some(BTreeMap::from([(1, mac(0x21))])),
        ..Announcement::own(Scope::All)
    };
    let table = vips.into_iter().map(|vip| (vip, name.clone())).collect();
    step(&mut responder, now, Input::Table(table));
    step(&mut responder, now, Input::Repeat);
    assert_eq!(responder.poll_timeout(), None);
}

#[test]
fn another_node_is_answered_like_everybody() {
    let mut responder = mk_serving([VIP]);
    step(&mut responder, T0, Input::Friends(BTreeSet::from([CLIENT_MAC])));
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    assert_eq!(
        arp_frame(&mut responder, request),
        answered(VIP, EtherType::Arp, request.answer(mac(1)).emit())
    );
}
