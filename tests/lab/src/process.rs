//! Servers as processes: started detached, remembered by pid and start time, found again, signalled.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::command::{self, CommandError};
use crate::folder::{FileError, LabFolder, create_dir, write};

/// A process, such that another one that got the same number later is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Ticks since boot, field 22 of /proc/PID/stat (proc(5)).
    started: u64,
}

impl Process {
    /// The running process `pid`; a zombie does not run.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let started = start_time(&stat)?;
        Some(Self { pid, started })
    }

    pub(crate) fn is_running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// The process that started it, or that it fell to.
    pub(crate) fn parent(self) -> Option<u32> {
        let stat = fs::read_to_string(self.proc("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.split(' ').nth(1)?.parse().ok()
    }

    /// Program and arguments, each ended by a zero byte; empty for a kernel thread, or when it is gone.
    pub(crate) fn command_line(self) -> Vec<u8> {
        fs::read(self.proc("cmdline")).unwrap_or_default()
    }

    /// The number of its network namespace.
    pub(crate) fn namespace_number(self) -> Option<u64> {
        namespace_number(self.proc("ns/net"))
    }

    fn proc(self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

/// The start time in a line of /proc/PID/stat; `None` for a zombie.
///
/// The command's name may contain blanks and brackets, so fields are counted from the last bracket.
fn start_time(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        None
    } else {
        fields.nth(18)?.parse().ok()
    }
}

/// A signal that the lab sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Stop,
    Continue,
    Kill,
}

/// Sends a signal to processes; those that are gone are not an error.
pub(crate) async fn signal(signal: Signal, processes: &[Process]) -> Result<(), CommandError> {
    let running: Vec<String> = processes
        .iter()
        .filter(|p| p.is_running())
        .map(|p| p.pid.to_string())
        .collect();
    if running.is_empty() {
        return Ok(());
    }
    let name = match signal {
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
        Signal::Kill => "KILL",
    };
    let script = format!("kill -{name} {} 2>/dev/null || true", running.join(" "));
    command::run("sh", &["-c", &script]).await.map(|_| ())
}

/// Every process of this machine.
pub(crate) fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::of(entry.file_name().to_str()?.parse().ok()?))
}

/// The number of the network namespace at `path`: /proc/PID/ns/net, or a file that a namespace is bound to.
pub(crate) fn namespace_number(path: impl AsRef<Path>) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// The processes of one network namespace.
pub(crate) fn in_namespace(number: u64) -> impl Iterator<Item = Process> {
    all().filter(move |process| process.namespace_number() == Some(number))
}

/// Why a server could not be started, or does not run any more.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It ended.
    #[error("{server} ended; the last lines of {}:\n{tail}", log.display())]
    Ended {
        /// The server: the host's name and the program's.
        server: String,
        /// Its log.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
    /// It runs, but was not ready in time.
    #[error("{server} was not ready within {seconds} s; the last lines of {}:\n{tail}", log.display())]
    NotReady {
        /// The server: the host's name and the program's.
        server: String,
        /// The time allowed.
        seconds: u64,
        /// Its log.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
    /// It could not be started at all.
    #[error("cannot start {server}")]
    Spawn {
        /// The server: the host's name and the program's.
        server: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Its log or pid file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Variables that would send requests to a proxy of the user's, which does not know the way to a lab.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// The arguments of env(1) that take them away.
pub(crate) fn without_proxies() -> impl Iterator<Item = String> {
    PROXIES
        .into_iter()
        .flat_map(|proxy| ["-u".to_owned(), proxy.to_owned()])
}

/// A server of a lab, as its pid file describes it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// The host's name and the program's: `n1-kubelet`.
    pub(crate) name: String,
    pub(crate) process: Process,
    log: PathBuf,
}

impl Server {
    /// Starts `program` in a network namespace, as the leader of a session of its own: it outlives this process.
    ///
    /// `nsenter`, not `ip netns exec`: the latter mounts a fresh /sys and so hides the cgroups.
    pub(crate) fn start(
        folder: &LabFolder,
        name: &str,
        namespace: &str,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self, ServerError> {
        let log = folder.log(name);
        create_dir(log.parent().expect("logs lie in a folder"))?;
        let out = OpenOptions::new().create(true).append(true).open(&log);
        let out = out.map_err(FileError::new("open", &log))?;
        let err = out.try_clone().map_err(FileError::new("open", &log))?;
        let mut command = Command::new("setsid");
        command
            .arg("nsenter")
            .arg(format!("--net=/run/netns/{namespace}"))
            .arg(program)
            .args(arguments);
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        let servers = program.parent().expect("a server lies in a folder").display();
        command.env(
            "PATH",
            format!("{servers}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        );
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        let spawned = command.spawn().map_err(|source| ServerError::Spawn {
            server: name.to_owned(),
            source,
        })?;
        let process = spawned.id().and_then(Process::of);
        let Some(process) = process else {
            return Err(ServerError::Ended {
                server: name.to_owned(),
                tail: tail(&log),
                log,
            });
        };
        write(
            &folder.pid(name),
            &format!("{} {}\n", process.pid, process.started),
        )?;
        Ok(Self {
            name: name.to_owned(),
            process,
            log,
        })
    }

    /// The servers that a lab has started, running or not, by name.
    pub(crate) fn all(folder: &LabFolder) -> Vec<Self> {
        let entries = fs::read_dir(folder.join("run")).into_iter().flatten().flatten();
        let mut servers: Vec<Self> = entries
            .filter_map(|entry| {
                let file = entry.file_name().into_string().ok()?;
                Self::of(folder, file.strip_suffix(".pid")?)
            })
            .collect();
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        servers
    }

    /// The server `name`, if it was ever started.
    pub(crate) fn of(folder: &LabFolder, name: &str) -> Option<Self> {
        let text = fs::read_to_string(folder.pid(name)).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let process = Process {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        };
        Some(Self {
            name: name.to_owned(),
            process,
            log: folder.log(name),
        })
    }

    /// An error with the tail of the log if the server has ended.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        if self.process.is_running() {
            Ok(())
        } else {
            Err(self.ended())
        }
    }

    fn ended(&self) -> ServerError {
        ServerError::Ended {
            server: self.name.clone(),
            log: self.log.clone(),
            tail: tail(&self.log),
        }
    }

    pub(crate) fn not_ready(&self, seconds: u64) -> ServerError {
        let log = self.log.clone();
        ServerError::NotReady {
            server: self.name.clone(),
            seconds,
            tail: tail(&log),
            log,
        }
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    const BYTES: u64 = 4096;
    const LINES: usize = 15;
    let read = || -> io::Result<String> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(unreadable: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests;
