//! Replays the fuzz targets' corpus: the same properties, without a fuzzer. A file whose name begins with `ok-` must
//! make sense, one with `bad-` must not; any other was found by a fuzzer and must not panic.
#![allow(clippy::unwrap_used, reason = "a test")]

mod annotations;
mod pool;
mod service;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        println!("{target}/{name}");
        let makes_sense = check(&std::fs::read(&path).unwrap());
        assert!(!name.starts_with("ok-") || makes_sense, "{name}");
        assert!(!name.starts_with("bad-") || !makes_sense, "{name}");
        seen += 1;
    }
    assert!(seen > 10, "{seen} files in {}", folder.display());
}

#[test]
fn service_corpus() {
    replay("service", service::check);
}

#[test]
fn pool_corpus() {
    replay("pool", pool::check);
}

#[test]
fn annotations_corpus() {
    replay("annotations", annotations::check);
}

proptest::proptest! {
    /// A little of what a fuzzer would do, at every run of the tests.
    #[test]
    fn lines_of_anything(lines in proptest::collection::vec(line(), 0..18)) {
        service::check(lines.join("\n").as_bytes());
        pool::check(lines.join("\n").as_bytes());
    }

    #[test]
    fn annotations_of_anything(lines in proptest::collection::vec(note(), 0..8)) {
        annotations::check(lines.join("\n").as_bytes());
    }

    #[test]
    fn bytes_of_any_kind(bytes: Vec<u8>) {
        service::check(&bytes);
        pool::check(&bytes);
        annotations::check(&bytes);
    }
}

fn note() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        1 => Just(String::new()),
        3 => "(10\\.0\\.0\\.[0-9]|fd00::[0-3]|::ffff:10\\.0\\.0\\.1|x)=02:00:5e:00:53:0[0-9](,(10\\.0\\.0\\.[0-9]|::)=([0-9a-f]{2}:){5}[0-9a-f]{1,2}){0,3}",
        1 => proptest::sample::select(vec!["true", "false", "True", "1", "yes", " true"]).prop_map(str::to_owned),
        3 => "(10\\.0\\.0\\.[0-9]|fd00::[0-3]|192\\.0\\.2\\.1|x) (ns/web|web|/) (2026|2027|9999)-01-15T08:0[0-9]:00Z",
        1 => ".{0,30}",
    ]
}

fn line() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        4 => Just(String::new()),
        2 => "(10\\.0\\.[01]\\.[0-9]|fd00::[0-9a-f]|0\\.0\\.0\\.0|::|255\\.255\\.255\\.255|ffff:ffff::ffff)(/[0-9]{1,3}|-10\\.0\\.0\\.[0-9]|-ffff::)?",
        1 => "(10\\.0\\.0\\.[0-9],? ?){1,3}",
        1 => proptest::sample::select(vec!["p", "q", "k", "kept", "kept,other", "IPv6", "PreferDualStack", "RequireDualStack", "5m", "1h30m", "-5s", "9999999999h"]).prop_map(str::to_owned),
        1 => ".{0,30}",
    ]
}
