//! Files in an archive, with nothing in it of the machine that packs them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};

/// Files by their paths in an archive.
pub(super) type Files = BTreeMap<String, File>;

pub(super) struct File {
    pub(super) content: Vec<u8>,
    pub(super) is_executable: bool,
}

pub(super) fn read(path: &Path) -> anyhow::Result<File> {
    let content = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let metadata = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(File {
        content,
        is_executable: metadata.permissions().mode() & 0o111 != 0,
    })
}

/// All files below a folder, by their paths below `prefix`.
pub(super) fn below(folder: &Path, prefix: &str) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let inside = format!("{prefix}/{}", entry.file_name().display());
        if entry.path().is_dir() {
            files.extend(below(&entry.path(), &inside)?);
        } else {
            files.insert(inside, read(&entry.path())?);
        }
    }
    Ok(files)
}

/// A compressed tar in the order of the paths, with no time and no owner of this machine in it.
pub(super) fn packed(files: &Files) -> anyhow::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(GzBuilder::new().write(Vec::new(), Compression::best()));
    for (path, file) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if file.is_executable { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(file.content.len() as u64);
        builder.append_data(&mut header, path, file.content.as_slice())?;
    }
    Ok(builder.into_inner()?.finish()?)
}
