//! Prometheus for the tests of `deploy/monitoring`: the programs of Debian's package, unpacked and not installed, since its
//! installation starts a server.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// A program of the package: one in the search path, or the one that [`fetch`] has unpacked.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join(name));
    let unpacked = folder().join("usr/bin").join(name);
    installed.chain([unpacked]).find(|file| file.is_file())
}

fn folder() -> PathBuf {
    crate::target_directory(&crate::workspace_root()).join("tools/prometheus")
}

/// Unpacks the package, if its programs are not there. Needs apt-get and dpkg-deb.
pub(crate) fn fetch() -> anyhow::Result<()> {
    if program("promtool").is_some() {
        return Ok(());
    }
    let folder = folder();
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let run = |program: &str, arguments: &[&str]| {
        let status = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .status();
        let status = status.with_context(|| format!("starting {program}"))?;
        ensure!(status.success(), "{program} {}: {status}", arguments.join(" "));
        anyhow::Ok(())
    };
    run("apt-get", &["-q", "download", "prometheus"])?;
    let mut archives =
        std::fs::read_dir(&folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let archive = archives.find(|name| name.ends_with(".deb"));
    let archive = archive.with_context(|| format!("apt-get has left no package in {}", folder.display()))?;
    run("dpkg-deb", &["-x", &archive, "."])
}

#[cfg(test)]
mod tests;
