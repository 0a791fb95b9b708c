//! Programs of Debian packages that are unpacked and not installed: the installation of some starts a server, and has it
//! started again with the machine.

use std::path::PathBuf;

use crate::command;
use crate::folder::Root;
use crate::host::{HostError, find_in_path};

/// Where a program of a Debian package is: in the search path, or in the cache, where this unpacks it. Needs apt-get and
/// dpkg-deb.
///
/// # Errors
/// The package cannot be fetched, or does not have it.
pub async fn unpacked(package: &str, program: &str) -> Result<PathBuf, HostError> {
    if let Some(found) = find_unpacked(package, program) {
        return Ok(found);
    }
    let folder = Root::from_env().package(package).display().to_string();
    let unpack = r#"mkdir -p "$1" && cd "$1" && apt-get -q update && apt-get -q download "$2" && dpkg-deb -x "$2"_*.deb ."#;
    command::run("sh", &["-ec", unpack, "sh", &folder, package])
        .await
        .map_err(|source| HostError::Install {
            packages: package.to_owned(),
            source,
        })?;
    find_unpacked(package, program).ok_or_else(|| HostError::Missing {
        programs: program.to_owned(),
        packages: package.to_owned(),
    })
}

/// The same, if it is there already.
pub fn find_unpacked(package: &str, program: &str) -> Option<PathBuf> {
    let unpacked = || Root::from_env().package(package).join("usr/bin").join(program);
    find_in_path(program).or_else(|| Some(unpacked()).filter(|file| file.is_file()))
}
