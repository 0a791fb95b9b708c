use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;

use super::pack::{File, below};
use super::*;

fn mk_file(content: &str, is_executable: bool) -> File {
    File {
        content: content.into(),
        is_executable,
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

/// Whoever adds a folder to `deploy` says here whether it is packed.
#[test]
fn all_of_deploy_is_packed_by_the_paths_that_the_pages_name() {
    let root = crate::workspace_root();
    let there: BTreeSet<String> = std::fs::read_dir(root.join("deploy"))
        .unwrap()
        .map(|entry| format!("deploy/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    let elsewhere = [crate::r#gen::CHART, "deploy/Dockerfile"];
    let packed = DEPLOY.iter().chain(&elsewhere);
    let packed: BTreeSet<String> = packed.map(|path| (*path).to_owned()).collect();
    assert_eq!(there, packed);

    let files = deploy(&root).unwrap();
    for path in [
        "CHANGELOG.md",
        "deploy/dashboards/cortenlb.json",
        "deploy/kustomize/monitoring/kustomization.yaml",
        "deploy/manifests/kustomization.yaml",
        "deploy/monitoring/rules.yaml",
    ] {
        assert!(files.contains_key(path), "{path}");
    }
    // The add-on's manifest is a link to the one manifest, and MicroK8s starts its scripts.
    let addon = "deploy/addons/microk8s/addons/cortenlb";
    let manifest = &files[&format!("{addon}/cortenlb.yaml")];
    assert!(!manifest.is_executable);
    assert_eq!(manifest.content, files[crate::r#gen::MANIFEST].content);
    assert!(files[&format!("{addon}/enable")].is_executable);
}
