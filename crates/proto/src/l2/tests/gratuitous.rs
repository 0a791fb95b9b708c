//! What is told without a question: its rhythm, its pace, and when it begins anew.

use super::*;

#[test]
fn taking_over_is_told_at_once_three_times_within_300_ms_and_for_five_seconds() {
    let mut responder = Responder::new(None);
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    assert_eq!(responder.poll_timeout(), None);
    let first = step(&mut responder, T0, Input::Table(mk_table([VIP])));
    let frames = |purposes: [Purpose; 2]| {
        let [request, reply] = arp::Repr::gratuitous(mac(1), VIP).map(|packet| packet.emit());
        let send = |(purpose, frame)| Output::Send {
            interface: 1,
            protocol: EtherType::Arp,
            address: VIP.into(),
            purpose,
            frame,
        };
        [(purposes[0], request), (purposes[1], reply)].map(send)
    };
    assert_eq!(first, frames([Purpose::First, Purpose::Gratuitous]));
    let mut times = vec![];
    while let Some(at) = responder.poll_timeout() {
        times.push((at - T0).as_millis());
        assert_eq!(
            step(&mut responder, Instant(at.0 - 1), Input::Timeout),
            [],
            "a spurious timeout"
        );
        let again = frames([Purpose::Gratuitous; 2]);
        assert_eq!(step(&mut responder, at, Input::Timeout), again);
    }
    assert_eq!(times, [150, 300, 1_000, 2_000, 3_000, 4_000, 5_000]);
    assert_eq!(
        step(&mut responder, T0 + Duration::from_secs(6), Input::Timeout),
        []
    );
}

#[test]
fn an_ipv6_address_is_told_of_by_one_advertisement() {
    let mut responder = Responder::new(None);
    step(&mut responder, T0, Input::Interfaces(mk_interfaces([1])));
    let vip = v6("fd00:5::240");
    let expected = Output::Send {
        interface: 1,
        protocol: EtherType::Ipv6,
        address: vip.into(),
        purpose: Purpose::First,
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
    assert_eq!(responder.poll_timeout(), Some(T0 + Duration::from_secs(4)));
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

/// A responder on these interfaces that takes over these addresses at [`T0`], until `end` or until all is told: what
/// it tells, and when.
fn take_over(interfaces: &[u32], vips: Vec<IpAddr>, end: Instant) -> Vec<(Instant, IpAddr, u32)> {
    run(Responder::new(None), interfaces, vips, end)
}

fn run(
    mut responder: Responder,
    interfaces: &[u32],
    vips: Vec<IpAddr>,
    end: Instant,
) -> Vec<(Instant, IpAddr, u32)> {
    let on = mk_interfaces(interfaces.iter().copied());
    step(&mut responder, T0, Input::Interfaces(on));
    let at = |at: Instant, frames: Vec<(IpAddr, u32)>| {
        frames.into_iter().map(move |(vip, index)| (at, vip, index))
    };
    let first = told(&step(&mut responder, T0, Input::Table(mk_table(vips))));
    let mut frames: Vec<_> = at(T0, first).collect();
    while let Some(due) = responder.poll_timeout().filter(|due| *due <= end) {
        frames.extend(at(due, told(&step(&mut responder, due, Input::Timeout))));
    }
    frames
}

/// Frames in each of the first tenths of a second.
fn per_tenth<const N: usize>(frames: &[(Instant, IpAddr, u32)]) -> [usize; N] {
    let mut counts = [0; N];
    for (at, ..) in frames {
        let tenth = (*at - T0).as_millis() / 100;
        if let Some(count) = counts.get_mut(tenth as usize) {
            *count += 1;
        }
    }
    counts
}

#[test]
fn the_pace_in_tenths_of_a_second() {
    let end = T0 + Duration::from_secs(120);
    let one = take_over(&[1], mk_many(1), end);
    assert_eq!(per_tenth(&one), [2, 2, 0, 2, 0, 0, 0, 0, 0, 0, 2, 0]);
    assert_eq!(one.len(), 16, "eight rounds in two forms");

    // 200 first frames within 40 ms; all else shares 100 in each tenth, and what had to wait beyond its next round is
    // sent once for both.
    let some = take_over(&[1], mk_many(200), end);
    assert_eq!(
        per_tenth(&some),
        [300, 100, 100, 100, 100, 100, 100, 10, 0, 0, 100, 100]
    );

    let many = take_over(&[1], mk_many(10_000), end);
    let mut expected = [600; 40];
    expected[20..].fill(100);
    assert_eq!(per_tenth(&many), expected, "two seconds of first frames");

    // Interfaces do not wait for each other.
    let two = take_over(&[1, 2], mk_many(200), end);
    assert_eq!(per_tenth(&two), [600, 200, 200, 200, 200, 200]);
}

#[test]
fn no_turn_is_more_than_a_socket_has_room_for() {
    let frames = take_over(&[1], mk_many(2_000), T0 + Duration::from_secs(120));
    let mut turns: BTreeMap<Instant, usize> = BTreeMap::new();
    for (at, ..) in &frames {
        *turns.entry(*at).or_default() += 1;
    }
    assert!(
        turns
            .values()
            .all(|frames| *frames <= FIRST_AT_ONCE + LATER_AT_ONCE)
    );
}

#[test]
fn every_address_is_told_of_first_then_in_the_second_form_then_again() {
    let vips = mk_many(10_000);
    let frames = take_over(&[1], vips.clone(), T0 + Duration::from_secs(120));
    let mut heard: BTreeMap<IpAddr, Vec<Duration>> = BTreeMap::new();
    for (at, address, _) in &frames {
        heard.entry(*address).or_default().push(*at - T0);
    }
    assert!(heard.keys().eq(vips.iter()));
    for (address, times) in &heard {
        assert!(times[0] < Duration::from_secs(2), "{address}: first");
        assert!(times[1] < Duration::from_secs(10), "{address}: second form");
        assert!(
            times[3] < Duration::from_secs(30),
            "{address}: a whole round more"
        );
        assert_eq!(times.len(), 4, "{address}: no more within its five seconds");
    }
}

#[test]
fn who_comes_later_is_told_of_at_once_while_others_are_repeated() {
    let vips = mk_many(10_000);
    let mut responder = mk_serving(vips.clone());
    let later = T0 + Duration::from_secs(3);
    while let Some(at) = responder.poll_timeout().filter(|at| *at < later) {
        step(&mut responder, at, Input::Timeout);
    }
    let new: IpAddr = Ipv4Addr::new(172, 22, 0, 1).into();
    let table = mk_table(vips.into_iter().chain([new]));
    let frames = told(&step(&mut responder, later, Input::Table(table)));
    assert_eq!(frames[0], (new, 1));
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
    let mut frames = 0;
    while let Some(at) = responder.poll_timeout() {
        assert!(at - later <= ROUNDS[6] + PACE);
        frames += told(&step(&mut responder, at, Input::Timeout)).len();
    }
    assert_eq!(
        frames,
        3 * ROUNDS.len(),
        "two forms of one address, one of the other"
    );
    let unknown = Input::Reopened {
        interface: 7,
        protocol: EtherType::Arp,
    };
    assert_eq!(step(&mut responder, later, unknown), []);
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn each_address_is_told_of_again_once_in_an_interval() {
    let vips = mk_many(1_000);
    let settled = T0 + MINUTE;
    let frames = run(
        Responder::new(Some(MINUTE)),
        &[1],
        vips.clone(),
        settled + MINUTE * 3,
    );
    let mut heard: BTreeMap<IpAddr, Vec<Instant>> = BTreeMap::new();
    for (at, address, _) in frames.iter().filter(|(at, ..)| *at > settled) {
        heard.entry(*address).or_default().push(*at);
    }
    assert!(heard.keys().eq(vips.iter()));
    for (address, times) in heard {
        assert_eq!(times.len(), 6, "{address}: two forms, three times");
        let gaps = times.chunks(2).map(|pair| pair[0]);
        let gaps: Vec<_> = gaps.clone().zip(gaps.skip(1)).map(|(a, b)| b - a).collect();
        assert!(
            gaps.iter().all(|gap| gap.abs_diff(MINUTE) <= PACE * 10),
            "{address}: {gaps:?}"
        );
    }
}

#[test]
fn the_refresh_is_spread_over_the_interval() {
    let settled = T0 + MINUTE;
    for (count, most) in [(200, 3), (1_000, 5), (10_000, 40)] {
        let end = settled + MINUTE;
        let frames = run(Responder::new(Some(MINUTE)), &[1], mk_many(count), end);
        let mut tenths: BTreeMap<u128, usize> = BTreeMap::new();
        for (at, ..) in frames.iter().filter(|(at, ..)| *at > settled) {
            *tenths.entry((*at - settled).as_millis() / 100).or_default() += 1;
        }
        let busiest = tenths.values().max().copied();
        assert!(
            busiest.is_some_and(|frames| frames <= 2 * most),
            "{count}: {busiest:?} in a tenth of a second"
        );
    }
}

#[test]
fn a_refresh_that_is_too_much_keeps_the_pace_and_leaves_nobody_out() {
    let vips = mk_many(5_000);
    let every_second = Responder::new(Some(Duration::from_secs(1)));
    let frames = run(every_second, &[1], vips.clone(), T0 + MINUTE * 2);
    let settled = frames.into_iter().filter(|(at, ..)| *at > T0 + MINUTE);
    let mut heard: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, address, _) in settled {
        *heard.entry(address).or_default() += 1;
        *seconds.entry((at - T0).as_secs()).or_default() += 1;
    }
    assert!(seconds.values().all(|frames| *frames <= 1_010), "{seconds:?}");
    assert!(heard.keys().eq(vips.iter()));
    assert!(
        heard.values().all(|frames| (10..=14).contains(frames)),
        "10,000 frames take ten seconds"
    );
}
