//! What this node knew, for its next process: an API server that is away is no reason to fall silent after a restart.
//!
//! Two files in an `emptyDir`, for as long as the node runs: the plan as it followed from the API server's objects last,
//! and the records of who owns what. Each is replaced as a whole. What cannot be read is as good as not there.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cortenlb_core::announce::Interfaces;
use cortenlb_core::few::Few;
use cortenlb_proto::cluster::{Candidates, NodeId};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::l2::{Group, Plan, Speaker};

/// Where the `emptyDir` is mounted.
const DIRECTORY: &str = "/var/lib/cortenlb";

/// Of what is written. What another version has written is as good as not there.
const VERSION: u32 = 1;

/// Larger files are not written: kubelet ends pods whose `emptyDir` is full.
const LARGEST: usize = 16 << 20;

/// The least time between two versions of a file.
const PAUSE: Duration = Duration::from_secs(1);

/// The folder for this boot of the node, if there can be one. What was written before the node booted is removed: the pod
/// outlives that, and who knows for how long the node was off.
pub fn folder() -> Option<PathBuf> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    match boot.and_then(|boot| folder_in(Path::new(DIRECTORY), boot.trim())) {
        Ok(folder) => Some(folder),
        Err(error) => {
            tracing::warn!(%error, directory = DIRECTORY, "cannot keep what the next process would need while the API server is away");
            None
        }
    }
}

fn folder_in(directory: &Path, boot: &str) -> io::Result<PathBuf> {
    let folder = directory.join(format!("{VERSION}-{boot}"));
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path != folder && path.is_dir() {
            std::fs::remove_dir_all(path)?;
        }
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The file with the plan.
pub fn plan_in(directory: &Path) -> PathBuf {
    directory.join("plan.json")
}

/// The file with the records.
pub fn records_in(directory: &Path) -> PathBuf {
    directory.join("records")
}

/// A plan as it is written: nodes by their names, from which their numbers follow.
#[derive(Debug, Deserialize, Serialize)]
struct Written {
    speakers: BTreeMap<String, Vec<IpAddr>>,
    /// Most groups have the same.
    candidates: Vec<BTreeMap<String, i64>>,
    groups: BTreeMap<IpAddr, WrittenGroup>,
}

#[derive(Debug, Deserialize, Serialize)]
struct WrittenGroup {
    /// Which of them.
    candidates: usize,
    /// Interfaces by their names; null: all.
    addresses: BTreeMap<IpAddr, Option<Vec<String>>>,
    /// None: the lowest alone.
    #[serde(default)]
    all: Vec<IpAddr>,
    #[serde(default)]
    contested: bool,
    #[serde(default)]
    on_link: bool,
}

/// A plan in bytes.
pub fn write(plan: &Plan) -> Vec<u8> {
    let mut known: BTreeMap<&BTreeMap<NodeId, i64>, usize> = BTreeMap::new();
    let mut candidates = Vec::new();
    let mut groups = BTreeMap::new();
    for (lowest, group) in &plan.groups {
        let number = *known.entry(&group.candidates).or_insert_with(|| {
            let named = group.candidates.iter();
            let named = named.filter_map(|(id, preference)| {
                let speaker = plan.speakers.get(id)?;
                Some((speaker.node.clone(), *preference))
            });
            candidates.push(named.collect());
            candidates.len() - 1
        });
        let addresses = group.addresses.iter();
        let addresses = addresses.map(|(address, interfaces)| (*address, names(interfaces)));
        let written = WrittenGroup {
            candidates: number,
            addresses: addresses.collect(),
            all: group.all.iter().copied().collect(),
            contested: group.contested,
            on_link: group.on_link,
        };
        groups.insert(*lowest, written);
    }
    let speakers = plan.speakers.values();
    let written = Written {
        speakers: speakers
            .map(|speaker| (speaker.node.clone(), speaker.addresses.clone()))
            .collect(),
        candidates,
        groups,
    };
    serde_json::to_vec(&written).expect("a plan is texts and numbers, which JSON has")
}

fn names(interfaces: &Interfaces) -> Option<Vec<String>> {
    match interfaces {
        Interfaces::All => None,
        Interfaces::Listed(names) => Some(names.iter().cloned().collect()),
    }
}

/// The plan in these bytes; what cannot be read is told and left.
pub fn read(bytes: &[u8]) -> Option<Plan> {
    match serde_json::from_slice(bytes) {
        Ok(written) => Some(plan(written)),
        Err(error) => {
            tracing::warn!(%error, "the plan of an earlier process cannot be read");
            None
        }
    }
}

fn plan(written: Written) -> Plan {
    let candidates = written.candidates.into_iter().map(|candidates| {
        let candidates = candidates.into_iter();
        let candidates: BTreeMap<NodeId, i64> = candidates
            .map(|(node, preference)| (NodeId::of(&node), preference))
            .collect();
        candidates.into()
    });
    let candidates: Vec<Candidates> = candidates.collect();
    let groups = written.groups.into_iter().filter_map(|(lowest, group)| {
        let addresses = group.addresses.into_iter().map(|(address, names)| {
            let listed = names.map(|names| Interfaces::Listed(names.into_iter().collect()));
            (address, listed.unwrap_or(Interfaces::All))
        });
        let mut all: Few<IpAddr> = group.all.into_iter().collect();
        if all.is_empty() {
            all.insert(lowest);
        }
        let group = Group {
            // The records that are kept go by the new name.
            former: None,
            candidates: candidates.get(group.candidates)?.clone(),
            addresses: addresses.collect(),
            all,
            contested: group.contested,
            on_link: group.on_link,
        };
        Some((lowest, group))
    });
    let groups = groups.collect();
    let speakers = written.speakers.into_iter();
    let speakers = speakers
        .map(|(node, addresses)| (NodeId::of(&node), Speaker { node, addresses }))
        .collect();
    Plan {
        speakers,
        groups,
        is_held: false,
    }
}

/// What an earlier process has left in this file; none in the first one of a pod.
pub fn load(file: &Path) -> Option<Vec<u8>> {
    match std::fs::read(file) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let file = file.display();
            tracing::warn!(%error, %file, "cannot read what an earlier process knew");
            None
        }
    }
}

/// Puts what comes into the file, written by `write`, until nothing comes any more.
///
/// Dropping the future is safe: the file is the earlier or the later one, never half of it.
pub async fn keep<T>(file: PathBuf, mut values: watch::Receiver<T>, write: impl Fn(&T) -> Vec<u8>) {
    let mut failed = false;
    while values.changed().await.is_ok() {
        let bytes = write(&values.borrow_and_update());
        let replaced = replace(&file, &bytes).await;
        if let Err(error) = &replaced
            && !failed
        {
            let file = file.display();
            tracing::warn!(%error, %file, "cannot keep what the next process would need while the API server is away");
        }
        failed = replaced.is_err();
        sleep(PAUSE).await;
    }
}

async fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let next = path.with_extension("next");
    let mut file = tokio::fs::File::create(&next).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&next, path).await
}

#[cfg(test)]
mod tests;
