//! Answering in another node's name: with which MAC, to whom, and that nobody is told.

use super::*;

const OWNER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x21]);

/// In the owner's name on `eth1`, and nowhere else.
fn in_its_name(scope: Scope) -> Announcement {
    Announcement {
        scope,
        in_name_of: Some(BTreeMap::from([(1, OWNER)])),
    }
}

fn vips() -> [IpAddr; 2] {
    [VIP.into(), v6("fd00:5::240").into()]
}

fn stands_in() -> Input<'static> {
    let in_its_name = |vip| (vip, in_its_name(Scope::All));
    Input::Table(vips().into_iter().map(in_its_name).collect())
}

/// A responder with `eth1` and `eth2` that stands in for the owner's addresses.
fn mk_standing_in() -> Responder {
    let mut responder = Responder::new(Some(Duration::from_secs(1)));
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1, 2])));
    assert_eq!(step(&mut responder, T0, stands_in()), []);
    responder
}

#[test]
fn answers_carry_the_owners_mac_in_frames_of_our_own() {
    let mut responder = mk_standing_in();
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    let probe = arp::Repr::request(CLIENT_MAC, Ipv4Addr::UNSPECIFIED, VIP);
    for question in [request, probe] {
        let answer = arp::Repr {
            destination: CLIENT_MAC,
            source: mac(1),
            operation: Operation::Reply,
            sender_mac: OWNER,
            sender_ip: VIP,
            target_mac: CLIENT_MAC,
            target_ip: question.sender_ip,
        };
        assert_eq!(
            arp_frame(&mut responder, question),
            answered(VIP, EtherType::Arp, answer.emit())
        );
    }
    let vip = v6("fd00:5::240");
    for asker in [v6("fd00:5::100"), Ipv6Addr::UNSPECIFIED] {
        let question = Solicitation::multicast(CLIENT_MAC, asker, vip);
        let mut answer = question.answer(OWNER, v6("fe80::1"));
        answer.envelope.source_mac = mac(1);
        assert_eq!(answer.target_link_layer, Some(OWNER));
        assert_eq!(
            ndp_frame(&mut responder, &question.emit()),
            answered(vip, EtherType::Ipv6, answer.emit())
        );
    }
}

#[test]
fn only_where_the_owner_has_a_name_and_the_scope_reaches() {
    let mut responder = mk_standing_in();
    assert_eq!(
        responder.served().collect::<Vec<_>>(),
        vips().map(|vip| (vip, 1)),
        "not on eth2"
    );
    let elsewhere = Scope::Listed(BTreeSet::from(["eth2".to_owned()]));
    let table = Table::from([(VIP.into(), in_its_name(elsewhere))]);
    assert_eq!(step(&mut responder, T0, Input::Table(table)), []);
    assert_eq!(responder.served().count(), 0);
}

#[test]
fn nobody_is_told_from_beginning_to_end() {
    let mut responder = mk_standing_in();
    let subnets = vec!["172.21.0.0/16".parse().unwrap()];
    let gateway = Gateway {
        address: CLIENT.into(),
        mac: None,
        subnets,
    };
    let gateways = Gateways::from([((1, EtherType::Arp), gateway)]);
    assert_eq!(step(&mut responder, T0, Input::Gateways(gateways)), []);
    let reopened = Input::Reopened {
        interface: 1,
        protocol: EtherType::Arp,
    };
    assert_eq!(step(&mut responder, T0, reopened), []);
    let mut changed = mk_interfaces([1, 2]);
    changed.get_mut(&1).unwrap().mac = mac(9);
    assert_eq!(step(&mut responder, T0, Input::Interfaces(changed)), []);
    assert_eq!(responder.poll_timeout(), None, "no refresh either");
    let later = T0 + Duration::from_secs(60);
    assert_eq!(step(&mut responder, later, Input::Timeout), []);
    assert_eq!(step(&mut responder, later, Input::Table(Table::new())), []);
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    assert_eq!(arp_frame(&mut responder, request), ignored(DropReason::NotServed));
}

#[test]
fn who_stood_in_and_becomes_the_owner_takes_over() {
    let mut responder = mk_standing_in();
    let later = T0 + Duration::from_secs(5);
    let table = || Input::Table(mk_table(vips()));
    let [vip, vip6] = vips();
    assert_eq!(
        told(&step(&mut responder, later, table())),
        [(vip, 1), (vip6, 1), (vip, 1), (vip, 2), (vip6, 2), (vip, 2)]
    );
    let rounds = std::iter::from_fn(|| {
        let at = responder.poll_timeout().filter(|at| *at <= later + ROUNDS[1])?;
        Some(told(&step(&mut responder, at, Input::Timeout)).len())
    });
    assert_eq!(rounds.sum::<usize>(), 2 * 6, "two more rounds within 300 ms");
    let back = later + Duration::from_millis(500);
    assert_eq!(step(&mut responder, back, stands_in()), []);
    assert_eq!(responder.poll_timeout(), None, "the rounds end");
    assert_eq!(told(&step(&mut responder, back, table())).len(), 6);
}

#[test]
fn the_owner_itself_claims_nothing_and_is_not_answered() {
    let mut responder = mk_standing_in();
    for form in arp::Repr::gratuitous(OWNER, VIP) {
        assert!(matches!(
            arp_frame(&mut responder, form)[..],
            [Output::Ignored { .. }]
        ));
    }
    let vip = v6("fd00:5::240");
    let advertisement = Advertisement::unsolicited(OWNER, v6("fe80::21"), vip);
    assert_eq!(
        ndp_frame(&mut responder, &advertisement.emit()),
        ignored(DropReason::NotARequest)
    );
    // Answered, it would send to itself what is meant for the address.
    let request = arp::Repr::request(OWNER, Ipv4Addr::new(172, 21, 5, 21), VIP);
    assert_eq!(arp_frame(&mut responder, request), ignored(DropReason::Own));
    let solicitation = Solicitation::multicast(OWNER, v6("fd00:5::21"), vip);
    assert_eq!(
        ndp_frame(&mut responder, &solicitation.emit()),
        ignored(DropReason::Own)
    );
}

#[test]
fn a_claim_against_the_owner_is_not_defended_in_its_name() {
    let mut responder = mk_standing_in();
    let expected = Output::Claimed {
        interface: 1,
        address: VIP.into(),
        by: CLIENT_MAC,
        response: Response::StandingIn,
    };
    let claim = arp::Repr::gratuitous(CLIENT_MAC, VIP)[0];
    assert_eq!(arp_frame(&mut responder, claim), [expected]);
    assert_eq!(responder.poll_timeout(), None);
}

/// Two interfaces on one segment: what we say in the owner's name is heard on the other one.
#[test]
fn what_we_say_in_anothers_name_is_not_heard_as_a_claim() {
    let mut responder = mk_standing_in();
    let vip = v6("fd00:5::240");
    let detection = Solicitation::multicast(CLIENT_MAC, Ipv6Addr::UNSPECIFIED, vip);
    let outputs = ndp_frame(&mut responder, &detection.emit());
    let [Output::Send { frame, .. }] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    let mut table = mk_table([vip]);
    table.insert(VIP.into(), in_its_name(Scope::All));
    step(&mut responder, T0, Input::Table(table));
    let heard = Input::Frame {
        interface: 2,
        protocol: EtherType::Ipv6,
        received: T0,
        bytes: frame,
    };
    let own = Output::Ignored {
        interface: 2,
        reason: DropReason::Own,
    };
    assert_eq!(step(&mut responder, T0, heard), [own]);
}
