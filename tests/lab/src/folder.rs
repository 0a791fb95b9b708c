//! Where labs live on disk: one folder outside the repository.
//!
//! ```text
//! $CORTENLB_LAB_DIR            by default ~/.cache/cortenlb/lab
//! ├── servers/NAME-HASH/       programs built from tests/servers, shared by all labs
//! ├── helm/                    what Helm keeps for itself
//! ├── labs/NAME/               one lab: lab.json, pki, log, run, etcd and a folder for each node
//! ├── labs/NAME.lock           held by the `up` or `down` that is at work
//! └── diagnostics/NAME/WHAT/   what failed tests left; outlives the lab
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::plan::{LabName, Plan};

/// Why a file of a lab could not be read or written. What was there before stays.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// What was tried: a verb.
    pub action: &'static str,
    /// With what.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`.
    pub(crate) fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// The folder that holds all labs of a user.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// `$CORTENLB_LAB_DIR`, or a folder in the user's cache.
    pub(crate) fn from_env() -> Self {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let cache = || {
            set("XDG_CACHE_HOME")
                .or_else(|| set("HOME").map(|home| home.join(".cache")))
                .unwrap_or_else(std::env::temp_dir)
        };
        let path = set("CORTENLB_LAB_DIR").unwrap_or_else(|| cache().join("cortenlb/lab"));
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    #[cfg(test)]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn servers(&self) -> PathBuf {
        self.0.join("servers")
    }

    /// Where a Debian package is unpacked.
    pub(crate) fn package(&self, name: &str) -> PathBuf {
        self.0.join("packages").join(name)
    }

    pub(crate) fn helm(&self) -> PathBuf {
        self.0.join("helm")
    }

    pub(crate) fn lab(&self, name: &LabName) -> LabFolder {
        LabFolder(self.0.join("labs").join(name.to_string()))
    }

    pub(crate) fn diagnostics(&self, name: &LabName) -> PathBuf {
        self.0.join("diagnostics").join(name.to_string())
    }

    /// The plans of all labs that exist on disk.
    pub(crate) fn plans(&self) -> Vec<Plan> {
        let entries = fs::read_dir(self.0.join("labs")).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| LabFolder(entry.path()).plan())
            .collect()
    }

    /// Waits until no other process works on the lab `name`; the lock ends with the returned file.
    pub(crate) async fn lock(&self, name: &LabName) -> Result<File, FileError> {
        self.lock_file(self.0.join("labs").join(format!("{name}.lock")))
            .await
    }

    /// Waits until no other process chooses a lab's access network.
    pub(crate) async fn lock_access(&self) -> Result<File, FileError> {
        self.lock_file(self.0.join("access.lock")).await
    }

    /// Waits until no other process builds servers.
    pub(crate) async fn lock_servers(&self) -> Result<File, FileError> {
        self.lock_file(self.0.join("servers.lock")).await
    }

    async fn lock_file(&self, path: PathBuf) -> Result<File, FileError> {
        create_dir(path.parent().expect("every lock file lies in a folder"))?;
        let lock = move || {
            let file = File::create(&path).map_err(FileError::new("create", &path))?;
            file.lock().map_err(FileError::new("lock", &path))?;
            Ok(file)
        };
        tokio::task::spawn_blocking(lock)
            .await
            .expect("locking a file does not panic")
    }
}

/// The folder of one lab.
#[derive(Clone, Debug)]
pub(crate) struct LabFolder(PathBuf);

impl LabFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn pki(&self, file: &str) -> PathBuf {
        self.0.join("pki").join(file)
    }

    pub(crate) fn log(&self, server: &str) -> PathBuf {
        self.0.join("log").join(format!("{server}.log"))
    }

    pub(crate) fn pid(&self, server: &str) -> PathBuf {
        self.0.join("run").join(format!("{server}.pid"))
    }

    /// The kubeconfig of the administrator on this machine (`admin`), inside the lab (`system`) or of a node.
    pub(crate) fn kubeconfig(&self, whose: &str) -> PathBuf {
        self.0.join("pki").join(format!("{whose}.kubeconfig"))
    }

    /// A file that a test or a demo hands to `kubectl`.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.0.join("scratch").join(name)
    }

    fn record(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// Written once everything runs: without it a lab is the rest of a start that failed.
    fn complete(&self) -> PathBuf {
        self.0.join("complete")
    }

    /// What is remembered of the lab, if there is one.
    pub(crate) fn plan(&self) -> Option<Plan> {
        serde_json::from_slice(&fs::read(self.record()).ok()?).ok()
    }

    pub(crate) fn remember(&self, plan: &Plan) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(plan).expect("a plan is plain data");
        write(&self.record(), &text)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete().exists()
    }

    pub(crate) fn mark_complete(&self) -> Result<(), FileError> {
        write(&self.complete(), "")
    }
}

/// Writes a file, and the folder for it, readable by its owner only: some of them are keys.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), FileError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    create_dir(path.parent().expect("every file of a lab lies in a folder"))?;
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(FileError::new("create", path))?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(FileError::new("write", path))
}

pub(crate) fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(FileError::new("create the folder", path))
}
