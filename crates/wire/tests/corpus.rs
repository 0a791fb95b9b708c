//! Replays the fuzz targets' corpus: the same properties, without a fuzzer. A file whose name begins with `ok-` must
//! be accepted, one with `bad-` refused; any other was found by a fuzzer and must not panic.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Debug;
use std::path::Path;

use cortenlb_wire::member::Datagram;
use cortenlb_wire::{arp, ndp};

fn replay<R: PartialEq + Debug, E: PartialEq + Debug>(
    target: &str,
    parse: fn(&[u8]) -> Result<R, E>,
    emit: fn(&R) -> Vec<u8>,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let read = parse(&std::fs::read(&path).unwrap());
        assert!(!name.starts_with("ok-") || read.is_ok(), "{name}: {read:?}");
        assert!(!name.starts_with("bad-") || read.is_err(), "{name}: {read:?}");
        if let Ok(read) = read {
            assert_eq!(parse(&emit(&read)), Ok(read), "{name}");
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen} files in {}", folder.display());
}

#[test]
fn arp_corpus() {
    replay("arp", arp::Repr::parse, arp::Repr::emit);
}

#[test]
fn member_corpus() {
    replay("member", Datagram::parse, Datagram::emit);
}

#[test]
fn ndp_corpus() {
    replay("ndp", ndp::Repr::parse, ndp::Repr::emit);
}
