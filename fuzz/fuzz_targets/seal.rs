//! No bytes make opening panic, nothing that changed is taken, and what is sealed is opened. The two speakers and
//! their keys are those of crates/proto/tests/corpus.rs, so that what is in the corpus opens.
#![no_main]

use cortenlb_proto::seal::{BootId, Keys, Opened, Seal};
use cortenlb_wire::member::NodeId;
use libfuzzer_sys::fuzz_target;

fn speaker(name: &str, boot: u8) -> Seal {
    let keys = Keys::new(&[b"the key of the corpus"]).expect("it is long enough");
    Seal::new(keys, NodeId::of(name), BootId::new([boot; 16]), &[boot; 32])
}

/// Brings a datagram to `to`, its answer back to `from`, and so on.
fn exchange(from: &mut Seal, to: &mut Seal, bytes: &[u8]) -> Opened {
    let opened = to.open(bytes);
    if let Opened::Reply { bytes, .. } = &opened {
        exchange(to, from, bytes);
    }
    opened
}

fuzz_target!(|bytes: &[u8]| {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    let hello = a.seal(NodeId::of("b"), b"").expect("the first of many");
    exchange(&mut a, &mut b, &hello);
    let first = b.open(bytes);
    if let Opened::Payload { .. } = first {
        assert!(matches!(b.open(bytes), Opened::Refused(_)));
    }
    let sealed = a.seal(NodeId::of("b"), bytes).expect("one of the first");
    let opened = b.open(&sealed);
    // What was accepted may have moved the window: the corpus has datagrams of this very speaker.
    if matches!(first, Opened::Refused(_)) {
        assert!(matches!(opened, Opened::Payload { bytes: plain, .. } if plain == bytes));
    }
});
