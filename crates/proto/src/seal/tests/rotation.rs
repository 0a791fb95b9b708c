use super::*;

#[test]
fn keys_must_be_there_and_long_enough() {
    assert_eq!(Keys::new(&[]), Err(BadKeys::None));
    let short = &[0; SHORTEST_KEY - 1][..];
    assert_eq!(
        Keys::new(&[OLD, short]),
        Err(BadKeys::TooShort { index: 1, length: 15 })
    );
    assert_eq!(Keys::new(&[OLD, NEW, OLD]), Err(BadKeys::TooMany(3)));
    assert!(Keys::new(&[&[0; SHORTEST_KEY], &[0; 1_000]]).is_ok());
}

#[test]
fn two_keys_in_either_order_open_what_the_other_order_seals() {
    let mut a = speaker_with(&[OLD, NEW], "a", 1);
    let mut b = speaker_with(&[NEW, OLD], "b", 2);
    introduce(&mut a, &mut b);
    introduce(&mut b, &mut a);
    let (from_a, from_b) = (a.seal(b.node, b"a").unwrap(), b.seal(a.node, b"b").unwrap());
    assert_taken(&mut b, &a, &from_a, b"a");
    assert_taken(&mut a, &b, &from_b, b"b");
    assert_refused(&mut speaker_with(&[NEW], "c", 3), &from_a, Refused::ForeignKey);
    assert_refused(&mut speaker_with(&[OLD], "c", 3), &from_b, Refused::ForeignKey);
}

/// Step by step, one speaker after the other: nobody is challenged again.
#[test]
fn a_rotation_loses_no_session() {
    let mut speakers = [speaker("a", 1), speaker("b", 2)];
    let [a, b] = &mut speakers;
    introduce(a, b);
    introduce(b, a);
    let mut recorded = Vec::new();
    for step in [[OLD, NEW].as_slice(), &[NEW, OLD], &[NEW]] {
        for who in 0..2 {
            speakers[who].set_keys(keys(step));
            let [a, b] = &mut speakers;
            let (from_a, from_b) = (a.seal(b.node, b"a").unwrap(), b.seal(a.node, b"b").unwrap());
            assert_taken(b, a, &from_a, b"a");
            assert_taken(a, b, &from_b, b"b");
            recorded.push(from_a);
        }
    }
    for bytes in recorded {
        assert_refused(&mut speakers[1], &bytes, Refused::Replayed);
    }
}

/// The counter goes on, or an old key that comes back would meet old nonces.
#[test]
fn counters_outlive_keys() {
    let mut a = speaker("a", 1);
    let first = a.seal(NodeId::of("b"), b"first").unwrap();
    a.set_keys(keys(&[NEW]));
    a.set_keys(keys(&[OLD]));
    let second = a.seal(NodeId::of("b"), b"first").unwrap();
    assert_ne!(first[18..26], second[18..26]);
}

#[test]
fn without_a_common_key_all_are_challenged_anew() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    let recorded = a.seal(b.node, b"under the old key").unwrap();
    b.set_keys(keys(&[NEW]));
    assert_eq!(b.sessions(), 0);
    assert_refused(&mut b, &recorded, Refused::ForeignKey);
    a.set_keys(keys(&[NEW]));
    introduce(&mut a, &mut b);
    let sealed = a.seal(b.node, b"new").unwrap();
    assert_taken(&mut b, &a, &sealed, b"new");
    // The old key returns, its recordings do not.
    b.set_keys(keys(&[NEW, OLD]));
    assert_refused(&mut b, &recorded, Refused::Replayed);
}

/// Whoever had the old key can have moved a window to its end. With the key that ends, too.
#[test]
fn a_stolen_key_does_no_harm_once_it_is_gone() {
    let mut a = speaker_with(&[OLD, NEW], "a", 1);
    let mut b = speaker_with(&[NEW, OLD], "b", 2);
    introduce(&mut a, &mut b);
    let mut thief = speaker("a", 1);
    thief.counter = u64::MAX - 1;
    let forged = thief.seal(b.node, b"forged").unwrap();
    assert_taken(&mut b, &a, &forged, b"forged");
    a.set_keys(keys(&[NEW]));
    b.set_keys(keys(&[NEW]));
    introduce(&mut a, &mut b);
    let sealed = a.seal(b.node, b"genuine").unwrap();
    assert_taken(&mut b, &a, &sealed, b"genuine");
}
