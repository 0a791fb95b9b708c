use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

fn mk_file(content: &str, is_program: bool) -> File {
    File {
        content: content.into(),
        is_program,
    }
}

#[test]
fn an_archive_has_the_files_in_order_and_nothing_of_the_machine() {
    let files = Files::from([
        ("b".to_owned(), mk_file("text", false)),
        ("a".to_owned(), mk_file("program", true)),
    ]);
    let packed = packed(&files).unwrap();
    // RFC 1952 section 2.3: the time of a gzip member is in bytes 4 to 7.
    assert_eq!(packed[4..8], [0; 4]);
    let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let header = entry.header();
        let owner = (
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
        );
        assert_eq!(owner, (0, 0, 0));
        found.push((
            entry.path().unwrap().display().to_string(),
            header.mode().unwrap(),
            content,
        ));
    }
    let expected = [("a", 0o755, "program"), ("b", 0o644, "text")];
    assert_eq!(
        found,
        expected.map(|(path, mode, content)| (path.to_owned(), mode, content.to_owned()))
    );
}

#[test]
fn the_chart_is_packed_below_its_name_as_helm_wants_it() {
    let chart = below(&crate::workspace_root().join(crate::r#gen::CHART), "cortenlb").unwrap();
    for path in [
        "cortenlb/Chart.yaml",
        "cortenlb/values.yaml",
        "cortenlb/templates/NOTES.txt",
    ] {
        assert!(chart.contains_key(path), "{path}");
    }
}

#[test]
fn sums_are_as_sha256sum_reads_them() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(sum("nothing", b""), format!("{empty}  nothing\n"));
}
