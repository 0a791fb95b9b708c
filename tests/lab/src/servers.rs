//! The programs of the lab: built once from tests/servers, kept by a hash of what they are built from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::command::{self, CommandError};
use crate::folder::{FileError, Root, create_dir};
use crate::image::{Image, write_archive};
use crate::progress;

mod stand_in;
mod traefik;

pub use stand_in::StandIn;
pub use traefik::Traefik;

/// The image of the pods' sandbox, whose program does nothing. It is loaded on every node.
pub(crate) const PAUSE_IMAGE: &str = "lab.local/pause:1";
/// The image of an HTTP backend for scenarios; it is loaded on every node. Listens on 8080 (`--port`), answers `/` with
/// its pod, node and the client's address; `/readyz` can be switched by `POST /ready?on=false`.
pub const BACKEND_IMAGE: &str = "lab.local/backend:1";

/// Room that the first build takes: Go's module cache, its build cache and the programs themselves.
const BUILD_BYTES: u64 = 8 << 30;

/// Why the lab has no servers. What was built before stays, and the next attempt goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no Go.
    #[error(
        "Go is needed to build the lab's servers, and `go version` does not run; install Go 1.26 or later"
    )]
    NoGo(#[source] CommandError),
    /// There is no room.
    #[error("{} has {free} MB free; the lab needs {needed} MB there", path.display())]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// What is free there.
        free: u64,
        /// What is wanted.
        needed: u64,
    },
    /// The Go module with MetalLB's chart cannot be fetched.
    #[error("fetching MetalLB's Go module failed: {said}")]
    NoModule {
        /// What Go says.
        said: String,
    },
    /// The compiler failed.
    #[error("building {module} failed; the log is {}:\n{tail}", log.display())]
    Failed {
        /// The folder below tests/servers.
        module: &'static str,
        /// What Go wrote.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
    /// A helper program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One Go module below tests/servers, and how it is built.
struct Module {
    folder: &'static str,
    flags: &'static [&'static str],
    packages: &'static [&'static str],
    /// The programs that come out of it.
    programs: &'static [&'static str],
}

/// All of Kubernetes as one program, kubectl among it.
const KUBERNETES: Module = Module {
    folder: "kubernetes",
    flags: &[
        "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
         -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
    ],
    packages: &["."],
    programs: &["kubernetes"],
};

const MODULES: [Module; 5] = [
    KUBERNETES,
    Module {
        folder: "containerd",
        flags: &["-ldflags=-s -w", "-tags=no_btrfs,no_devmapper,no_zfs"],
        packages: &[
            "github.com/containerd/containerd/v2/cmd/containerd",
            "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            "github.com/containerd/containerd/v2/cmd/ctr",
        ],
        programs: &["containerd", "containerd-shim-runc-v2", "ctr"],
    },
    Module {
        folder: "coredns",
        flags: &["-ldflags=-s -w"],
        packages: &["github.com/coredns/coredns"],
        programs: &["coredns"],
    },
    Module {
        folder: "pause",
        flags: &["-ldflags=-s -w"],
        packages: &["."],
        programs: &["pause"],
    },
    Module {
        folder: "backend",
        flags: &["-ldflags=-s -w"],
        packages: &["."],
        programs: &["backend"],
    },
];

/// Helm is no server, and no lab needs it to run.
const HELM: Module = Module {
    folder: "helm",
    // Charts say which Kubernetes they need; without a cluster, Helm takes this one for it.
    flags: &[
        "-ldflags=-s -w -X helm.sh/helm/v3/internal/version.version=v3.19.2 \
         -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36 \
         -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=36",
    ],
    packages: &["helm.sh/helm/v3/cmd/helm"],
    programs: &["helm"],
};

/// Finds Helm in the cache, or builds it.
pub(crate) async fn helm(root: &Root) -> Result<PathBuf, BuildError> {
    let _lock = root.lock_servers().await?;
    Ok(HELM.ensure(root).await?.join("helm"))
}

/// Finds Kubernetes's program in the cache, or builds it.
pub(crate) async fn kubernetes(root: &Root) -> Result<PathBuf, BuildError> {
    let _lock = root.lock_servers().await?;
    Ok(KUBERNETES.ensure(root).await?.join("kubernetes"))
}

/// The programs, and the images made of some of them.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    programs: BTreeMap<&'static str, PathBuf>,
    /// Archives that every node gets.
    pub(crate) images: Vec<PathBuf>,
}

impl Servers {
    /// Where the program `name` lies.
    pub(crate) fn program(&self, name: &str) -> &Path {
        self.programs
            .get(name)
            .expect("only programs of MODULES are asked for")
    }

    /// Finds the programs in the cache, and builds those that are not there.
    pub(crate) async fn ensure(root: &Root) -> Result<Self, BuildError> {
        let _lock = root.lock_servers().await?;
        let (mut programs, mut images) = (BTreeMap::new(), Vec::new());
        for module in &MODULES {
            let folder = module.ensure(root).await?;
            programs.extend(module.programs.iter().map(|name| (*name, folder.join(name))));
        }
        for (name, reference) in [("pause", PAUSE_IMAGE), ("backend", BACKEND_IMAGE)] {
            images.push(archive_of(name, reference, &programs[name])?);
        }
        Ok(Self { programs, images })
    }
}

/// The archive of an image that holds this program alone, beside it; written if it is not there.
fn archive_of(name: &str, reference: &str, program: &Path) -> Result<PathBuf, FileError> {
    let archive = program.with_extension("tar");
    if !archive.exists() {
        let image = Image {
            reference: reference.to_owned(),
            architecture: architecture().to_owned(),
            files: BTreeMap::from([(format!("/{name}"), program.to_owned())]),
            entrypoint: vec![format!("/{name}")],
            labels: BTreeMap::new(),
        };
        write_archive(&image, &archive)?;
    }
    Ok(archive)
}

/// A Go module of tests/servers.
pub(crate) fn source(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../servers")
        .join(folder)
}

/// This machine's architecture, by Go's name.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Module {
    fn source(&self) -> PathBuf {
        source(self.folder)
    }

    /// Changes when a file of the module or a flag does.
    fn hash(&self) -> Result<String, FileError> {
        let source = self.source();
        let entries = fs::read_dir(&source).map_err(FileError::new("list", &source))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut hash = Sha256::new();
        for file in files {
            hash.update(
                file.file_name()
                    .expect("a listed file has a name")
                    .as_encoded_bytes(),
            );
            hash.update(fs::read(&file).map_err(FileError::new("read", &file))?);
        }
        for word in self.flags.iter().chain(self.packages) {
            hash.update(word);
        }
        Ok(hash
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// The folder with this module's programs, built if need be.
    async fn ensure(&self, root: &Root) -> Result<PathBuf, BuildError> {
        let folder = root.servers().join(format!("{}-{}", self.folder, self.hash()?));
        if self.programs.iter().all(|program| folder.join(program).exists()) {
            return Ok(folder);
        }
        create_dir(&root.servers())?;
        command::run("go", &["version"]).await.map_err(BuildError::NoGo)?;
        require_room(&root.servers(), BUILD_BYTES).await?;
        self.build(&folder).await?;
        Ok(folder)
    }

    /// Builds into a folder beside `folder` and moves it there whole.
    async fn build(&self, folder: &Path) -> Result<(), BuildError> {
        let (part, log) = (folder.with_extension("part"), folder.with_extension("log"));
        create_dir(&part)?;
        let out = fs::File::create(&log).map_err(FileError::new("create", &log))?;
        let err = out.try_clone().map_err(FileError::new("open", &log))?;
        // Into a folder each program goes by its package's name; that of a module's root would be the module's.
        let target = if self.packages == ["."] {
            part.join(self.programs[0])
        } else {
            part.clone()
        };
        let mut command = Command::new("go");
        command
            .args(["build", "-trimpath", "-mod=readonly"])
            .args(self.flags)
            .arg("-o")
            .arg(target);
        command
            .args(self.packages)
            .current_dir(self.source())
            .env("CGO_ENABLED", "0");
        command.stdout(out).stderr(err).kill_on_drop(true);
        let spawn_error = |source| CommandError::Spawn {
            command: "go build".to_owned(),
            source,
        };
        let mut child = command.spawn().map_err(spawn_error)?;
        let name = self.folder;
        let status = progress::during(&format!("building {name} (once; minutes)"), child.wait()).await;
        if !status.map_err(spawn_error)?.success() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(15)..].join("\n");
            return Err(BuildError::Failed {
                module: name,
                log,
                tail,
            });
        }
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(FileError::new("remove", folder))?;
        }
        fs::rename(&part, folder).map_err(FileError::new("create", folder))?;
        Ok(())
    }
}

/// Fails if less than `bytes` are free at `path`, by df(1).
pub(crate) async fn require_room(path: &Path, bytes: u64) -> Result<(), BuildError> {
    let path_text = path.display().to_string();
    let text = command::run("df", &["--output=avail", "--block-size=1M", &path_text]).await?;
    let free = text
        .lines()
        .last()
        .and_then(|line| line.trim().parse::<u64>().ok())
        .unwrap_or(u64::MAX);
    let needed = bytes >> 20;
    if free < needed {
        Err(BuildError::NoRoom {
            path: path.to_owned(),
            free,
            needed,
        })
    } else {
        Ok(())
    }
}
