//! Replays the fuzz target's corpus: the same properties, without a fuzzer. A file whose name begins with `ok-` must
//! be accepted, one with `bad-` refused; any other was found by a fuzzer and must not panic.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use cortenlb_proto::seal::{BootId, Keys, Opened, Refused, Seal};
use cortenlb_wire::member::NodeId;

const KEY: &[u8] = b"the key of the corpus";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/seal")
}

fn speaker(name: &str, boot: u8) -> Seal {
    let keys = Keys::new(&[KEY]).unwrap();
    Seal::new(keys, NodeId::of(name), BootId::new([boot; 16]), &[boot; 32])
}

/// Boot 2, which knows boot 1 from its second datagram on.
fn receiver() -> Seal {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let Opened::Reply { bytes: challenge, .. } = b.open(&a.seal(NodeId::of("b"), b"").unwrap()) else {
        panic!("no challenge");
    };
    let Opened::Reply { bytes: echo, .. } = a.open(&challenge) else {
        panic!("no echo");
    };
    assert_eq!(b.open(&echo), Opened::Nothing);
    b
}

#[test]
fn seal_corpus() {
    let mut seen = 0;
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let mut receiver = receiver();
        let opened = receiver.open(&bytes);
        let refused = match &opened {
            Opened::Refused(why) => Some(*why),
            Opened::Reply { refused, .. } => *refused,
            Opened::Payload { .. } | Opened::Nothing => None,
        };
        assert!(
            !name.starts_with("ok-") || refused.is_none(),
            "{name}: {opened:?}"
        );
        assert!(
            !name.starts_with("bad-") || refused.is_some(),
            "{name}: {opened:?}"
        );
        if let Some(why) = refused {
            // `bad-<reason>` or `bad-<reason>-…`.
            let reason = why.label().replace('_', "-");
            assert!(
                !name.starts_with("bad-") || name[4..].starts_with(&reason),
                "{name}: {why}"
            );
        } else if let Opened::Payload { .. } = opened {
            assert_eq!(
                receiver.open(&bytes),
                Opened::Refused(Refused::Replayed),
                "{name}"
            );
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen} files in {}", folder().display());
}

/// A datagram for node `b`, made without the crate's help.
fn forge(key: &[u8], kind: u8, boot: u8, counter: u64, body: &[u8]) -> Vec<u8> {
    forge_for("b", key, kind, boot, counter, body)
}

fn forge_for(to: &str, key: &[u8], kind: u8, boot: u8, counter: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = [&[1, kind], [boot; 16].as_slice(), &counter.to_be_bytes()].concat();
    let extracted = Salt::new(HKDF_SHA256, &[boot; 16]).extract(key);
    let expanded = extracted.expand(&[b"cortenlb member v1"], &CHACHA20_POLY1305);
    let key = LessSafeKey::new(expanded.unwrap().into());
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    let mut sealed = body.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let to = if kind == 0 { NodeId::of(to).get() } else { 0 };
    let associated = Aad::from([&bytes[..], &to.to_be_bytes()].concat());
    key.seal_in_place_append_tag(nonce, associated, &mut sealed)
        .unwrap();
    bytes.append(&mut sealed);
    bytes
}

/// The corpus is what another implementation of the format writes; `CORTENLB_WRITE_CORPUS=1` writes it anew.
#[test]
fn the_corpus_is_as_it_is_written_here() {
    let payload = forge(KEY, 0, 1, 9, b"what a speaker says to another");
    let challenge = |to: u8| [&[1], [to; 16].as_slice(), &[7; 16]].concat();
    let echo = [&[1], [7; 16].as_slice(), &[0, 0, 0, 0, 0, 0, 0, 5]].concat();
    let with = |at: usize, value: u8| {
        let mut bytes = payload.clone();
        bytes[at] = value;
        bytes
    };
    let files = [
        ("ok-payload", payload.clone()),
        ("ok-payload-empty", forge(KEY, 0, 1, 3, b"")),
        ("ok-payload-last-counter", forge(KEY, 0, 1, u64::MAX, b"x")),
        ("ok-challenge", forge(KEY, 1, 1, 9, &challenge(2))),
        ("ok-challenge-unknown", forge(KEY, 1, 3, 9, &challenge(2))),
        ("ok-echo-second", forge(KEY, 2, 1, 9, &echo)),
        ("bad-truncated-empty", vec![]),
        ("bad-truncated-header", payload[..25].to_vec()),
        ("bad-truncated-tag", payload[..41].to_vec()),
        (
            "bad-truncated-challenge",
            forge(KEY, 1, 3, 9, &challenge(2)[..32]),
        ),
        ("bad-truncated-echo", forge(KEY, 2, 3, 9, &echo[..24])),
        (
            "bad-truncated-echo-long",
            forge(KEY, 2, 3, 9, &[&echo[..], &[0]].concat()),
        ),
        ("bad-version", with(0, 2)),
        ("bad-version-kind", forge(KEY, 3, 1, 9, b"of a later kind")),
        ("bad-own", forge(KEY, 0, 2, 9, b"reflected")),
        (
            "bad-foreign-key",
            forge(b"another key, as long", 0, 1, 9, b"foreign"),
        ),
        (
            "bad-foreign-key-unknown",
            forge(b"another key, as long", 0, 3, 9, b"foreign"),
        ),
        (
            "bad-foreign-key-node",
            forge_for("c", KEY, 0, 1, 9, b"for another one"),
        ),
        ("bad-foreign-key-kind", with(1, 1)),
        ("bad-foreign-key-counter", with(25, 10)),
        ("bad-foreign-key-text", with(30, 0)),
        ("bad-replayed", forge(KEY, 0, 1, 2, b"before the echo")),
        ("bad-replayed-zero", forge(KEY, 0, 1, 0, b"never sent")),
        ("bad-replayed-challenge", forge(KEY, 1, 3, 9, &challenge(4))),
        ("bad-unverified", forge(KEY, 0, 3, 9, b"a recording")),
        ("bad-unverified-echo", forge(KEY, 2, 3, 9, &echo)),
    ];
    let write = std::env::var_os("CORTENLB_WRITE_CORPUS").is_some();
    for (name, bytes) in files {
        let path = folder().join(name);
        if write {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(path).unwrap(), bytes, "{name}");
    }
}
