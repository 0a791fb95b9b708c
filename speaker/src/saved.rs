//! What this node knew, for its next process: an API server that is away is no reason to fall silent after a restart.
//!
//! Two files in an `emptyDir`, which lasts as long as the pod: the plan as it followed from the API server's objects last,
//! and the records of who owns what. Each is replaced as a whole. What cannot be read is as good as not there.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cortenlb_core::announce::Interfaces;
use cortenlb_proto::cluster::NodeId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::l2::{Group, Plan, Speaker};

/// Where the `emptyDir` is mounted.
pub const DIRECTORY: &str = "/var/lib/cortenlb";

/// The least time between two versions of a file.
const PAUSE: Duration = Duration::from_secs(1);

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
    groups: BTreeMap<IpAddr, WrittenGroup>,
}

#[derive(Debug, Deserialize, Serialize)]
struct WrittenGroup {
    candidates: BTreeMap<String, i64>,
    /// Interfaces by their names; null: all.
    addresses: BTreeMap<IpAddr, Option<Vec<String>>>,
}

/// A plan in bytes.
pub fn write(plan: &Plan) -> Vec<u8> {
    let group = |group: &Group| WrittenGroup {
        candidates: group
            .candidates
            .iter()
            .filter_map(|(id, preference)| Some((plan.speakers.get(id)?.node.clone(), *preference)))
            .collect(),
        addresses: group
            .addresses
            .iter()
            .map(|(address, interfaces)| {
                let names = match interfaces {
                    Interfaces::All => None,
                    Interfaces::Listed(names) => Some(names.iter().cloned().collect()),
                };
                (*address, names)
            })
            .collect(),
    };
    let speakers = plan.speakers.values();
    let written = Written {
        speakers: speakers
            .map(|speaker| (speaker.node.clone(), speaker.addresses.clone()))
            .collect(),
        groups: plan
            .groups
            .iter()
            .map(|(lowest, known)| (*lowest, group(known)))
            .collect(),
    };
    serde_json::to_vec(&written).expect("a plan is texts and numbers, which JSON has")
}

/// The plan in these bytes.
///
/// # Errors
/// They are none; whoever wrote them was another version, or was interrupted.
pub fn read(bytes: &[u8]) -> Result<Plan, serde_json::Error> {
    let written: Written = serde_json::from_slice(bytes)?;
    let group = |group: WrittenGroup| {
        let candidates = group.candidates.into_iter();
        let candidates: BTreeMap<NodeId, i64> = candidates
            .map(|(node, preference)| (NodeId::of(&node), preference))
            .collect();
        Group {
            candidates: candidates.into(),
            addresses: group
                .addresses
                .into_iter()
                .map(|(address, names)| {
                    let listed = names.map(|names| Interfaces::Listed(names.into_iter().collect()));
                    (address, listed.unwrap_or(Interfaces::All))
                })
                .collect(),
        }
    };
    let speakers = written.speakers.into_iter();
    Ok(Plan {
        speakers: speakers
            .map(|(node, addresses)| (NodeId::of(&node), Speaker { node, addresses }))
            .collect(),
        groups: written
            .groups
            .into_iter()
            .map(|(lowest, known)| (lowest, group(known)))
            .collect(),
    })
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

/// Puts what comes into the file, until nothing comes any more.
///
/// Dropping the future is safe: the file is the earlier or the later one, never half of it.
pub async fn keep(file: PathBuf, mut values: watch::Receiver<Vec<u8>>) {
    let mut failed = false;
    while values.changed().await.is_ok() {
        let bytes = values.borrow_and_update().clone();
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

async fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = file.with_extension("next");
    tokio::fs::write(&next, bytes).await?;
    tokio::fs::rename(&next, file).await
}

#[cfg(test)]
mod tests;
