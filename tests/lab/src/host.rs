//! What the machine must have: root and a few Debian packages.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::command::{self, CommandError};
use crate::config::CNI_PLUGINS;
use crate::progress;

/// Why this machine cannot run a lab.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Namespaces, mounts and packet sockets are root's.
    #[error("the lab needs root: it makes network namespaces and runs containers")]
    NotRoot,
    /// Programs are missing, and there is no apt to bring them.
    #[error("missing programs: {programs}; install the packages {packages} (Debian names)")]
    Missing {
        /// The programs.
        programs: String,
        /// The Debian packages that hold them.
        packages: String,
    },
    /// apt-get could not install them.
    #[error("installing the packages {packages} failed")]
    Install {
        /// The Debian packages.
        packages: String,
        /// What apt-get says.
        #[source]
        source: CommandError,
    },
}

/// Programs that the lab calls, and the Debian package of each.
const PROGRAMS: [(&str, &str); 10] = [
    ("ip", "iproute2"),
    ("bridge", "iproute2"),
    ("iptables", "iptables"),
    ("ip6tables", "iptables"),
    ("ebtables", "iptables"),
    ("conntrack", "conntrack"),
    ("runc", "runc"),
    ("curl", "curl"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
];

/// The package of the CNI plug-ins, which are not in the search path.
const PLUGINS: (&str, &str) = ("bridge", "containernetworking-plugins");

/// Fails unless this process is root's.
pub(crate) fn require_root() -> Result<(), HostError> {
    let owner = fs::metadata("/proc/self").map(|metadata| metadata.uid());
    if matches!(owner, Ok(0)) {
        Ok(())
    } else {
        Err(HostError::NotRoot)
    }
}

/// Checks for the programs of a lab, and installs their packages where apt-get is there.
pub(crate) async fn require_programs() -> Result<(), HostError> {
    require(missing).await
}

/// The same for programs that only some scenarios need: each with its Debian package.
///
/// # Errors
/// Some are missing, and cannot be installed.
pub async fn require_packages(programs: &[(&'static str, &'static str)]) -> Result<(), HostError> {
    require(|| not_in_path(programs)).await
}

async fn require(missing: impl Fn() -> Vec<(&'static str, &'static str)>) -> Result<(), HostError> {
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = wanted.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    if in_path("apt-get") {
        let arguments: Vec<&str> = [
            "-q",
            "-y",
            "-o",
            "DPkg::Lock::Timeout=120",
            "install",
            "--no-install-recommends",
        ]
        .into_iter()
        .chain(packages.iter().copied())
        .collect();
        let what = format!("installing Debian packages: {}", packages.join(" "));
        let install = async {
            let _quiet = NoServices::new();
            command::run("apt-get", &["-q", "update"]).await?;
            command::run("apt-get", &arguments).await
        };
        let failed = |source| HostError::Install {
            packages: packages.join(" "),
            source,
        };
        progress::during(&what, install).await.map_err(failed)?;
    }
    require_none(&missing())
}

/// While it lives, a package that is installed starts no server of its own on this machine: Debian's `invoke-rc.d` asks this
/// program, if there is one.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    fn new() -> Self {
        let policy = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(Self::POLICY);
        // If there is one, it is the machine's own.
        let written = policy.and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 101\n"));
        Self {
            is_ours: written.is_ok(),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            // Nothing depends on it.
            let _ = fs::remove_file(Self::POLICY);
        }
    }
}

fn require_none(missing: &[(&str, &str)]) -> Result<(), HostError> {
    if missing.is_empty() {
        return Ok(());
    }
    let list = |words: Vec<&str>| words.join(" ");
    Err(HostError::Missing {
        programs: list(missing.iter().map(|(program, _)| *program).collect()),
        packages: list(missing.iter().map(|(_, package)| *package).collect()),
    })
}

fn not_in_path(programs: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let programs = programs.iter().copied();
    programs.filter(|(program, _)| !in_path(program)).collect()
}

fn missing() -> Vec<(&'static str, &'static str)> {
    let mut missing = not_in_path(&PROGRAMS);
    if !Path::new(CNI_PLUGINS).join(PLUGINS.0).exists() {
        missing.push(PLUGINS);
    }
    missing
}

fn in_path(program: &str) -> bool {
    find_in_path(program).is_some()
}

/// Where the search path has a program.
pub(crate) fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
