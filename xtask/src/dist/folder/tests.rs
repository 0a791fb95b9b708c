use super::*;

fn mk_contents() -> Contents {
    Contents::from([
        ("a".to_owned(), b"first".to_vec()),
        ("b".to_owned(), b"second".to_vec()),
    ])
}

#[test]
fn sums_are_as_sha256sum_reads_them() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(sum("nothing", b""), format!("{empty}  nothing\n"));
    let contents = Contents::from([("nothing".to_owned(), Vec::new())]);
    assert_eq!(contents.sums().unwrap(), format!("{empty}  nothing\n"));
}

#[test]
fn every_file_must_be_as_its_checksum_says() {
    let contents = mk_contents();
    assert_eq!(contents.wrong_sums().unwrap(), [""; 0]);

    let mut contents = mk_contents();
    contents.0.insert("a".to_owned(), b"another".to_vec());
    contents.0.insert("c".to_owned(), b"third".to_vec());
    contents.0.remove("b");
    assert_eq!(
        contents.wrong_sums().unwrap(),
        ["a has another checksum", "b is missing", "c has no checksum"]
    );

    let mut contents = mk_contents();
    contents.0.remove(SUMS);
    assert!(contents.wrong_sums().is_err());
}

#[test]
fn what_differs_is_named() {
    let first = mk_contents();
    assert_eq!(first.differences(&mk_contents()), [""; 0]);

    let mut second = mk_contents();
    second.0.insert("a".to_owned(), b"another".to_vec());
    second.0.remove("b");
    second.0.insert("c".to_owned(), b"third".to_vec());
    assert_eq!(first.differences(&second), ["a", "b", "c"]);
    assert_eq!(second.differences(&first), ["a", "b", "c"]);
}

#[test]
fn what_is_written_is_read() {
    let folder = std::env::temp_dir().join(format!("cortenlb-dist-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    mk_contents().write(&folder).unwrap();
    assert_eq!(Contents::read(&folder).unwrap(), mk_contents());
    std::fs::remove_dir_all(&folder).unwrap();
}
