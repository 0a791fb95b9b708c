//! Writes container images: an OCI image layout in a tar archive, the same bytes for the same content.
//!
//! One layer, uncompressed; entries sorted by path; every file 0755, owned by uid 0 and gid 0, with time 0. No builder,
//! no registry: `ctr images import`, `docker load` and `skopeo` read it (OCI image-spec, image-layout.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::folder::FileError;

/// What an image consists of.
#[derive(Clone, Debug)]
pub struct Image {
    /// The full reference, with a tag: `ghcr.io/cortenlb/cortenlb:0.1.0`.
    pub reference: String,
    /// The platform's architecture as Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// The path inside the image, absolute, and the file on disk whose content goes there.
    pub files: BTreeMap<String, PathBuf>,
    /// The default command line; the first word is a path inside the image.
    pub entrypoint: Vec<String>,
    /// Labels of the image's configuration (`org.opencontainers.image.*`).
    pub labels: BTreeMap<String, String>,
}

/// Writes `image` as an archive to `path`, by way of a temporary file: `path` is whole or as it was.
///
/// # Errors
/// A file of the image cannot be read, or the archive cannot be written.
pub fn write_archive(image: &Image, path: &Path) -> Result<(), FileError> {
    let bytes = archive(image)?;
    let part = path.with_extension("tar.part");
    fs::write(&part, bytes).map_err(FileError::new("write", &part))?;
    fs::rename(&part, path).map_err(FileError::new("create", path))
}

/// The bytes of the archive of `image`.
///
/// # Errors
/// A file of the image cannot be read.
pub fn archive(image: &Image) -> Result<Vec<u8>, FileError> {
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    let layer = layer(image)?;
    let config = to_bytes(&json!({
        "architecture": image.architecture,
        "os": "linux",
        "config": { "Entrypoint": image.entrypoint, "Env": ["PATH=/"], "Labels": image.labels },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    }));
    let manifest = to_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &layer)],
    }));
    // containerd takes the full name from its own annotation, and the tag from the specification's.
    let tag = image.reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    let mut entry = descriptor(MANIFEST, &manifest);
    entry["platform"] = json!({ "architecture": image.architecture, "os": "linux" });
    entry["annotations"] = json!({
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": tag,
    });
    let index = to_bytes(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] }));

    let mut entries = BTreeMap::from([
        (
            "oci-layout".to_owned(),
            to_bytes(&json!({ "imageLayoutVersion": "1.0.0" })),
        ),
        ("index.json".to_owned(), index),
    ]);
    for blob in [config, manifest, layer] {
        entries.insert(digest(&blob).replace("sha256:", "blobs/sha256/"), blob);
    }
    Ok(tar(
        &BTreeSet::from(["blobs".to_owned(), "blobs/sha256".to_owned()]),
        &entries,
    ))
}

fn layer(image: &Image) -> Result<Vec<u8>, FileError> {
    let mut folders = BTreeSet::new();
    let mut files = BTreeMap::new();
    for (inside, source) in &image.files {
        let inside = inside.trim_start_matches('/');
        let ancestors = Path::new(inside)
            .ancestors()
            .skip(1)
            .filter(|path| !path.as_os_str().is_empty());
        folders.extend(ancestors.map(|path| path.display().to_string()));
        files.insert(
            inside.to_owned(),
            fs::read(source).map_err(FileError::new("read", source))?,
        );
    }
    Ok(tar(&folders, &files))
}

/// A tar of folders and files, both sorted, with nothing of this machine in it.
fn tar(folders: &BTreeSet<String>, files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    const NOTHING: &[u8] = &[];
    let mut builder = tar::Builder::new(Vec::new());
    let folders = folders
        .iter()
        .map(|path| (tar::EntryType::Directory, path, NOTHING));
    let files = files
        .iter()
        .map(|(path, content)| (tar::EntryType::Regular, path, content.as_slice()));
    for (kind, path, content) in folders.chain(files) {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, path, content)
            .expect("writing to memory cannot fail");
    }
    builder.into_inner().expect("writing to memory cannot fail")
}

fn descriptor(media_type: &str, blob: &[u8]) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

fn digest(blob: &[u8]) -> String {
    let hash = Sha256::digest(blob);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON values serialise")
}

#[cfg(test)]
mod tests;
