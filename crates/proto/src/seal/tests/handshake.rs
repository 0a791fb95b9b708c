use super::*;

#[test]
fn a_new_speaker_is_heard_after_one_round_trip() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let first = a.seal(b.node, b"first").unwrap();
    let challenge = assert_challenged(&mut b, &first);
    let echo = assert_answered(&mut a, &challenge);
    assert_eq!(b.open(&echo), Opened::Nothing);
    assert_eq!((a.sessions(), b.sessions()), (0, 1));
    let second = a.seal(b.node, b"second").unwrap();
    assert_taken(&mut b, &a, &second, b"second");
    // The other direction does the same.
    introduce(&mut b, &mut a);
    let sealed = b.seal(a.node, b"back").unwrap();
    assert_taken(&mut a, &b, &sealed, b"back");
}

#[test]
fn handshakes_in_both_directions_do_not_disturb_each_other() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let (from_a, from_b) = (a.seal(b.node, b"a").unwrap(), b.seal(a.node, b"b").unwrap());
    let to_a = assert_challenged(&mut b, &from_a);
    let to_b = assert_challenged(&mut a, &from_b);
    let echo_of_a = assert_answered(&mut a, &to_a);
    let echo_of_b = assert_answered(&mut b, &to_b);
    assert_eq!(b.open(&echo_of_a), Opened::Nothing);
    assert_eq!(a.open(&echo_of_b), Opened::Nothing);
    assert_eq!((a.sessions(), b.sessions()), (1, 1));
}

/// A challenge that an echo overtakes could be a recording: the next payload brings the next one.
#[test]
fn a_challenge_that_is_overtaken_costs_another_exchange() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let from_b = b.seal(a.node, b"b").unwrap();
    let to_b = assert_challenged(&mut a, &from_b);
    introduce(&mut a, &mut b);
    assert_refused(&mut b, &to_b, Refused::Replayed);
    introduce(&mut b, &mut a);
    assert_eq!((a.sessions(), b.sessions()), (1, 1));
}

#[test]
fn a_second_echo_does_nothing() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let echoes: Vec<_> = (0..2)
        .map(|_| {
            let sealed = a.seal(b.node, b"hello").unwrap();
            let challenge = assert_challenged(&mut b, &sealed);
            assert_answered(&mut a, &challenge)
        })
        .collect();
    assert_eq!(b.open(&echoes[0]), Opened::Nothing);
    assert_eq!(b.open(&echoes[1]), Opened::Nothing);
    assert_refused(&mut b, &echoes[1], Refused::Replayed);
    assert_eq!(b.sessions(), 1);
}

/// All that was ever said between two speakers is played back after both have begun anew.
#[test]
fn recordings_of_earlier_boots_are_refused() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let mut recorded = Vec::new();
    for _ in 0..2 {
        let payload = a.seal(b.node, b"old news").unwrap();
        let challenge = b.open(&payload);
        recorded.push(payload);
        if let Opened::Reply { bytes: challenge, .. } = challenge {
            let echo = assert_answered(&mut a, &challenge);
            b.open(&echo);
            recorded.extend([challenge, echo]);
        }
    }
    let payload = a.seal(b.node, b"never delivered").unwrap();
    recorded.push(payload);
    let (mut a, mut b) = (speaker("a", 3), speaker("b", 4));
    introduce(&mut a, &mut b);
    introduce(&mut b, &mut a);
    for bytes in recorded.iter().chain(&recorded) {
        for seal in [&mut a, &mut b] {
            match seal.open(bytes) {
                Opened::Reply { refused: Some(_), .. } | Opened::Refused(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((a.sessions(), b.sessions()), (1, 1));
}

/// A cookie is for one boot at one other boot.
#[test]
fn a_cookie_is_of_no_use_to_others() {
    let (mut a, mut b, mut c) = (speaker("a", 1), speaker("b", 2), speaker("c", 3));
    let from_a = a.seal(b.node, b"a").unwrap();
    let challenge = assert_challenged(&mut b, &from_a);
    // A challenge that was for another one.
    assert_refused(&mut c, &challenge, Refused::Replayed);
    let echo = assert_answered(&mut a, &challenge);
    // An echo that was for another one.
    assert_refused(&mut c, &echo, Refused::Unverified);
    // The cookie that was given to another one.
    let stolen = Challenge::parse(&c_reads(&challenge, &b)).unwrap().cookie;
    let node = c.node.get();
    let echo = c
        .seal_as(Kind::Echo, None, &Echo { cookie: stolen, node }.emit())
        .unwrap();
    assert_refused(&mut b, &echo, Refused::Unverified);
    assert_eq!(b.sessions(), 0);
}

/// What is in a sealed datagram, for whoever has the key.
fn c_reads(bytes: &[u8], from: &Seal) -> Vec<u8> {
    keys(&[OLD])
        .sealing(&from.boot)
        .open(&Parts::parse(bytes, from.node).unwrap())
        .unwrap()
}

#[test]
fn what_comes_back_to_its_sender_does_nothing() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let payload = a.seal(b.node, b"a").unwrap();
    assert_refused(&mut a, &payload, Refused::Own);
    let challenge = assert_challenged(&mut b, &payload);
    assert_refused(&mut b, &challenge, Refused::Own);
    let echo = assert_answered(&mut a, &challenge);
    assert_refused(&mut a, &echo, Refused::Own);
}

/// However often something is played back: at most one answer, and none that is longer.
#[test]
fn answers_are_not_longer_than_what_they_answer() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    // The shortest message there is: crates/wire/src/member.rs.
    let payload = a.seal(b.node, &[0; 33]).unwrap();
    for _ in 0..3 {
        let challenge = assert_challenged(&mut b, &payload);
        assert_eq!((payload.len(), challenge.len()), (75, 75));
        for _ in 0..3 {
            let echo = assert_answered(&mut a, &challenge);
            assert_eq!(echo.len(), 67);
        }
    }
    // Once it is known who asks, a replay has no answer at all.
    let challenge = assert_challenged(&mut b, &payload);
    introduce(&mut b, &mut a);
    assert_refused(&mut a, &challenge, Refused::Replayed);
}

#[test]
fn handshakes_of_the_wrong_length_are_refused() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let mut challenge = Challenge {
        to: b.boot,
        cookie: [0; 16],
    }
    .emit();
    let mut echo = Echo {
        cookie: [0; 16],
        node: 1,
    }
    .emit();
    for (kind, body) in [(Kind::Challenge, &mut challenge), (Kind::Echo, &mut echo)] {
        body.push(0);
        for length in (0..body.len() - 1).chain([body.len()]) {
            let sealed = a.seal_as(kind, None, &body[..length]).unwrap();
            assert_refused(&mut b, &sealed, Refused::Truncated);
        }
    }
}
