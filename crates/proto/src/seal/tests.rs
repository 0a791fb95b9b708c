use super::*;

mod handshake;
mod rotation;
mod sequences;
mod sessions;
mod window;

const OLD: &[u8] = b"the old shared key";
const NEW: &[u8] = b"the new shared key";

fn keys(keys: &[&[u8]]) -> Keys {
    Keys::new(keys).unwrap()
}

/// A process on the node of this name. The same number twice would be the same process.
fn speaker(node: &str, boot: u64) -> Seal {
    speaker_with(&[OLD], node, boot)
}

fn speaker_with(shared: &[&[u8]], node: &str, boot: u64) -> Seal {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&boot.to_be_bytes());
    Seal::new(
        keys(shared),
        NodeId::of(node),
        BootId::new(id),
        &[boot as u8 ^ 0xa5; 32],
    )
}

/// Brings a datagram to `to`, its answer back to `from`, and so on.
fn exchange(from: &mut Seal, to: &mut Seal, bytes: &[u8]) -> Opened {
    let opened = to.open(bytes);
    if let Opened::Reply { bytes, .. } = &opened {
        exchange(to, from, bytes);
    }
    opened
}

/// `to` knows `from` afterwards.
fn introduce(from: &mut Seal, to: &mut Seal) {
    let bytes = from.seal(to.node, b"hello").unwrap();
    exchange(from, to, &bytes);
}

#[track_caller]
fn assert_taken(to: &mut Seal, from: &Seal, sealed: &[u8], plain: &[u8]) {
    let boot = from.boot;
    let bytes = plain.to_vec();
    assert_eq!(to.open(sealed), Opened::Payload { boot, bytes });
}

#[track_caller]
fn assert_refused(to: &mut Seal, sealed: &[u8], why: Refused) {
    assert_eq!(to.open(sealed), Opened::Refused(why));
}

#[track_caller]
fn assert_challenged(to: &mut Seal, sealed: &[u8]) -> Vec<u8> {
    match to.open(sealed) {
        Opened::Reply {
            bytes,
            refused: Some(Refused::Unverified),
        } => bytes,
        other => panic!("{other:?}"),
    }
}

/// The echo.
#[track_caller]
fn assert_answered(to: &mut Seal, challenge: &[u8]) -> Vec<u8> {
    match to.open(challenge) {
        Opened::Reply { bytes, refused: None } => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_sealed_is_opened_and_nothing_else_can_be_read() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    for length in [0, 1, 100, 1_200] {
        let plain = vec![0x5a; length];
        let sealed = a.seal(b.node, &plain).unwrap();
        assert_eq!(sealed.len(), length + OVERHEAD);
        assert_eq!(sealed[0], VERSION);
        assert_eq!(sealed[2..18], *a.boot.as_bytes());
        assert!(!sealed.windows(4).any(|bytes| bytes == [0x5a; 4]));
        assert_taken(&mut b, &a, &sealed, &plain);
    }
    assert_eq!(OVERHEAD, 42);
}

#[test]
fn a_payload_is_for_one_node() {
    let (mut a, mut b, mut c) = (speaker("a", 1), speaker("b", 2), speaker("c", 3));
    introduce(&mut a, &mut b);
    introduce(&mut a, &mut c);
    let sealed = a.seal(b.node, b"to b").unwrap();
    assert_refused(&mut c, &sealed, Refused::ForeignKey);
    assert_refused(&mut speaker("c", 4), &sealed, Refused::ForeignKey);
    assert_taken(&mut b, &a, &sealed, b"to b");
}

#[test]
fn a_change_of_any_bit_is_refused_and_does_no_harm() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let unknown = a.seal(b.node, b"before").unwrap();
    for known in [false, true] {
        let sealed = if known {
            a.seal(b.node, b"heartbeat").unwrap()
        } else {
            unknown.clone()
        };
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                let opened = b.open(&changed);
                assert!(matches!(opened, Opened::Refused(_)), "{at} {bit}: {opened:?}");
            }
        }
        for length in 0..sealed.len() {
            let opened = b.open(&sealed[..length]);
            assert!(matches!(opened, Opened::Refused(_)), "{length}: {opened:?}");
        }
        let longer = [&sealed[..], &[0]].concat();
        assert_refused(&mut b, &longer, Refused::ForeignKey);
        if known {
            assert_taken(&mut b, &a, &sealed, b"heartbeat");
        }
        introduce(&mut a, &mut b);
    }
}

#[test]
fn the_reason_says_what_is_wrong() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let mut stranger = speaker_with(&[NEW], "c", 3);
    introduce(&mut a, &mut b);
    assert_refused(&mut b, &[], Refused::Truncated);
    assert_refused(&mut b, &[VERSION; OVERHEAD - 1], Refused::Truncated);
    assert_refused(&mut b, &[VERSION + 1], Refused::Version);
    let sealed = stranger.seal(b.node, b"foreign").unwrap();
    assert_refused(&mut b, &sealed, Refused::ForeignKey);
    let mut sealed = a.seal(b.node, b"twice").unwrap();
    assert_taken(&mut b, &a, &sealed, b"twice");
    assert_refused(&mut b, &sealed, Refused::Replayed);
    assert_refused(&mut a, &sealed, Refused::Own);
    sealed[1] = 3;
    assert_refused(&mut b, &sealed, Refused::Version);
    // Under a known boot's name, without its key.
    stranger.boot = a.boot;
    stranger.counter = 1_000;
    let sealed = stranger.seal(b.node, b"forged").unwrap();
    assert_refused(&mut b, &sealed, Refused::ForeignKey);
    // Which has not moved the window.
    let sealed = a.seal(b.node, b"next").unwrap();
    assert_taken(&mut b, &a, &sealed, b"next");
}

#[test]
fn counters_are_never_used_twice() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    a.counter = u64::MAX - 1;
    let last = a.seal(b.node, b"last").unwrap();
    assert_eq!(a.seal(b.node, b"one more"), Err(Exhausted));
    assert_eq!(a.seal(b.node, b"one more"), Err(Exhausted));
    assert_taken(&mut b, &a, &last, b"last");
    // It hears, and answers no more.
    let sealed = b.seal(a.node, b"hello").unwrap();
    assert_refused(&mut a, &sealed, Refused::Unverified);
}

#[test]
fn nothing_secret_is_printed() {
    let mut id = [0; 16];
    id[0] = 0x77;
    let seal = Seal::new(
        keys(&[&[b'k'; 40]]),
        NodeId::of("a"),
        BootId::new(id),
        &[b's'; 32],
    );
    let printed = format!("{seal:?} {:?}", seal.keys);
    assert_eq!(
        printed,
        "Seal { keys: 1 keys, boot: 77000000000000000000000000000000, counter: 0, sessions: 0, .. } 1 keys"
    );
}

/// The format, written down a second time.
#[test]
fn the_format_is_what_it_says() {
    use aws_lc_rs::{aead, hkdf};
    let mut a = speaker("a", 0x0102_0304_0506_0708);
    a.counter = 0x1122;
    let sealed = a.seal(NodeId::of("b"), b"hi").unwrap();
    let header = [
        [1, 0].as_slice(),
        &[1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0x11, 0x23],
    ]
    .concat();
    assert_eq!(sealed[..26], header);
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &header[2..18]).extract(OLD);
    let okm = prk.expand(&[b"cortenlb member v1"], &aead::CHACHA20_POLY1305);
    let key = aead::LessSafeKey::new(okm.unwrap().into());
    let nonce = aead::Nonce::assume_unique_for_key([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x23]);
    let mut rest = sealed[26..].to_vec();
    // FNV-1a of "b".
    let associated = [&header[..], &0xaf63_df4c_8601_f1a5_u64.to_be_bytes()].concat();
    let plain = key.open_in_place(nonce, aead::Aad::from(associated), &mut rest);
    assert_eq!(plain.unwrap(), b"hi");
}
