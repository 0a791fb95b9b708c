//! What is told without a question: its rhythm, its pace, and when it begins anew.

use super::*;

#[test]
fn taking_over_is_told_at_once_and_for_five_seconds() {
    let mut responder = Responder::new();
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    assert_eq!(responder.poll_timeout(), None);
    let first = step(&mut responder, T0, Input::Table(mk_table([VIP])));
    let frames = arp::Repr::gratuitous(mac(1), VIP).map(|packet| Output::Send {
        interface: 1,
        protocol: EtherType::Arp,
        address: VIP.into(),
        purpose: Purpose::Gratuitous,
        frame: packet.emit(),
    });
    assert_eq!(first, frames);
    let mut times = vec![];
    while let Some(at) = responder.poll_timeout() {
        times.push((at - T0).as_millis());
        assert_eq!(
            step(&mut responder, Instant(at.0 - 1), Input::Timeout),
            [],
            "a spurious timeout"
        );
        assert_eq!(step(&mut responder, at, Input::Timeout), frames);
    }
    assert_eq!(times, [1_100, 2_200, 3_300, 4_400]);
    assert_eq!(step(&mut responder, T0 + GRATUITOUS_FOR, Input::Timeout), []);
}

#[test]
fn an_ipv6_address_is_told_of_by_one_advertisement() {
    let mut responder = Responder::new();
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    let vip = v6("fd00:5::240");
    let expected = Output::Send {
        interface: 1,
        protocol: EtherType::Ipv6,
        address: vip.into(),
        purpose: Purpose::Gratuitous,
        frame: Advertisement::unsolicited(mac(1), v6("fe80::1"), vip).emit(),
    };
    assert_eq!(
        step(&mut responder, T0, Input::Table(mk_table([vip]))),
        [expected]
    );
}

#[test]
fn a_pause_is_not_made_up_for() {
    let mut responder = mk_serving([VIP]);
    let late = T0 + Duration::from_millis(3_500);
    assert_eq!(
        told(&step(&mut responder, late, Input::Timeout)).len(),
        2,
        "one step, two forms"
    );
    assert_eq!(responder.poll_timeout(), Some(late + GRATUITOUS_EVERY));
    assert_eq!(
        told(&step(
            &mut responder,
            T0 + Duration::from_secs(60),
            Input::Timeout
        ))
        .len(),
        2
    );
    assert_eq!(responder.poll_timeout(), None);
}

/// `count` addresses from 172.21.0.0 on.
fn mk_many(count: u32) -> Vec<IpAddr> {
    let first = u32::from(Ipv4Addr::new(172, 21, 0, 0));
    (first..first + count)
        .map(|number| Ipv4Addr::from(number).into())
        .collect()
}

#[test]
fn many_addresses_are_told_of_in_turns_and_none_is_left_out() {
    let vips = mk_many(1_000);
    let mut responder = Responder::new();
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    let mut turns = vec![(
        T0,
        told(&step(&mut responder, T0, Input::Table(mk_table(vips.clone())))),
    )];
    while let Some(at) = responder.poll_timeout() {
        turns.push((at, told(&step(&mut responder, at, Input::Timeout))));
    }
    assert!(turns.windows(2).all(|turn| turn[1].0 - turn[0].0 >= PACE));
    let mut rounds: BTreeMap<IpAddr, Vec<Instant>> = BTreeMap::new();
    for (at, frames) in &turns {
        assert!((1..=2 * AT_ONCE).contains(&frames.len()), "two forms of each");
        for pair in frames.chunks(2) {
            rounds.entry(pair[0].0).or_default().push(*at);
        }
    }
    assert!(rounds.keys().eq(vips.iter()));
    for times in rounds.values() {
        assert_eq!(times.len(), 5, "as often as one address alone");
        assert!(times[0] - T0 <= PACE * 15, "sixteen turns");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= GRATUITOUS_EVERY));
    }
}

#[test]
fn first_frames_wait_for_no_repeats() {
    // So many that the repeats of the first are due before the last were told of once.
    let vips = mk_many(20_000);
    let mut responder = mk_serving(vips.clone());
    let mut heard: BTreeMap<IpAddr, usize> = BTreeMap::new();
    while heard.len() < vips.len() - AT_ONCE {
        let at = responder.poll_timeout().expect("some were not told of");
        for (address, _) in told(&step(&mut responder, at, Input::Timeout)) {
            *heard.entry(address).or_default() += 1;
        }
        assert!(
            heard.values().all(|frames| *frames == 2),
            "no repeat before all were told of once"
        );
    }
}

#[test]
fn a_socket_that_could_not_send_is_made_up_for() {
    let vip6: IpAddr = v6("fd00:5::240").into();
    let mut responder = mk_serving([VIP.into(), vip6]);
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1, 2])));
    let later = T0 + Duration::from_secs(60);
    step(&mut responder, later, Input::Timeout);
    assert_eq!(responder.poll_timeout(), None);
    let reopened = |protocol| Input::Reopened {
        interface: 1,
        protocol,
    };
    assert_eq!(
        told(&step(&mut responder, later, reopened(EtherType::Arp))),
        [(VIP.into(), 1); 2]
    );
    assert_eq!(
        told(&step(&mut responder, later, reopened(EtherType::Ipv6))),
        [(vip6, 1)]
    );
    let mut rounds = 0;
    while let Some(at) = responder.poll_timeout() {
        assert!(at - later <= GRATUITOUS_FOR);
        assert_eq!(told(&step(&mut responder, at, Input::Timeout)).len(), 3);
        rounds += 1;
    }
    assert_eq!(rounds, 4);
    let unknown = Input::Reopened {
        interface: 7,
        protocol: EtherType::Arp,
    };
    assert_eq!(step(&mut responder, later, unknown), []);
}
