use std::io::Read as _;

use super::*;

/// An image of two files whose contents lie in a folder of their own, named after the test.
fn mk_image(test: &str) -> (PathBuf, Image) {
    let folder = std::env::temp_dir().join(format!("cortenlb-image-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a"), "first").unwrap();
    fs::write(folder.join("b"), "second").unwrap();
    let image = Image {
        reference: "registry.example/team/name:1.2".to_owned(),
        architecture: "amd64".to_owned(),
        files: BTreeMap::from([
            ("/bin/speaker".to_owned(), folder.join("b")),
            ("/controller".to_owned(), folder.join("a")),
        ]),
        entrypoint: vec!["/controller".to_owned()],
        labels: BTreeMap::from([("org.opencontainers.image.version".to_owned(), "1.2".to_owned())]),
    };
    (folder, image)
}

fn entries(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(
            (
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap()
            ),
            (0, 0, 0)
        );
        assert_eq!(header.mode().unwrap(), 0o755);
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, content)
    });
    entries.collect()
}

#[test]
fn the_same_content_makes_the_same_bytes() {
    let (first, image) = mk_image("same-1");
    let (second, other) = mk_image("same-2");
    assert_eq!(archive(&image).unwrap(), archive(&other).unwrap());
    fs::write(second.join("a"), "changed").unwrap();
    assert_ne!(archive(&image).unwrap(), archive(&other).unwrap());
    fs::remove_dir_all(first).unwrap();
    fs::remove_dir_all(second).unwrap();
}

#[test]
fn every_digest_is_that_of_the_blob_it_names() {
    let (folder, image) = mk_image("digests");
    let entries = entries(&archive(&image).unwrap());
    let blobs: BTreeMap<String, &Vec<u8>> = entries
        .iter()
        .filter_map(|(path, content)| Some((path.strip_prefix("blobs/sha256/")?.to_owned(), content)))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    for (name, content) in &blobs {
        assert_eq!(digest(content), format!("sha256:{name}"));
    }
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let blob = |descriptor: &serde_json::Value| {
        let name = descriptor["digest"]
            .as_str()
            .unwrap()
            .strip_prefix("sha256:")
            .unwrap();
        assert_eq!(descriptor["size"], blobs[name].len());
        blobs[name]
    };
    let (_, index) = entries.iter().find(|(path, _)| path == "index.json").unwrap();
    let entry = &json(index)["manifests"][0];
    assert_eq!(entry["annotations"]["io.containerd.image.name"], image.reference);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "1.2");
    let manifest = json(blob(entry));
    let config = json(blob(&manifest["config"]));
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/controller"]));
    assert_eq!(config["config"]["Labels"], serde_json::json!(image.labels));
    let layer = blob(&manifest["layers"][0]);
    assert_eq!(config["rootfs"]["diff_ids"][0], digest(layer));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_layer_has_folders_before_files_and_both_sorted() {
    let (folder, image) = mk_image("layer");
    let entries = entries(&layer(&image).unwrap());
    let expected: [(&str, &[u8]); 3] = [
        ("bin/", b""),
        ("bin/speaker", b"second"),
        ("controller", b"first"),
    ];
    let found: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect();
    assert_eq!(
        found
            .iter()
            .map(|(path, _)| path.trim_end_matches('/'))
            .collect::<Vec<_>>(),
        ["bin", "bin/speaker", "controller"]
    );
    assert_eq!(
        found.iter().map(|(_, content)| *content).collect::<Vec<_>>(),
        expected.map(|(_, content)| content)
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    let (folder, image) = mk_image("missing");
    fs::remove_file(folder.join("b")).unwrap();
    let error = archive(&image).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot read {}", folder.join("b").display())
    );
    fs::remove_dir_all(folder).unwrap();
}
