//! Chooses the network by which the machine reaches a lab's control plane, so that labs do not meet.

use std::collections::BTreeSet;
use std::path::Path;

use crate::command;
use crate::error::LabError;
use crate::folder::{LabFolder, Root};
use crate::plan::{LabName, Nics, Plan};
use crate::teardown;

/// The plan of a new lab, remembered on disk so that the next one chooses differently.
///
/// What an earlier lab of that name left is removed first.
pub(crate) async fn choose(
    root: &Root,
    folder: &LabFolder,
    name: LabName,
    nodes: u8,
    nics: Nics,
    audited: Vec<String>,
) -> Result<Plan, LabError> {
    if folder.path().exists() {
        teardown::remove(root, &name).await?;
    }
    for namespace in Plan::all_namespaces(&name) {
        if Path::new("/run/netns").join(&namespace).exists() {
            return Err(LabError::Foreign { namespace });
        }
    }
    let _lock = root.lock_access().await?;
    let used: BTreeSet<u8> = root.plans().iter().map(|plan| plan.access).collect();
    for access in (0..=u8::MAX).filter(|access| !used.contains(access)) {
        let plan = Plan {
            name: name.clone(),
            nodes,
            nics,
            access,
            audited: audited.clone(),
        };
        if is_free(&plan).await? {
            folder.remember(&plan)?;
            return Ok(plan);
        }
    }
    Err(LabError::NoAccess)
}

/// Whether no interface has the name, and no route but the default leads to the network.
async fn is_free(plan: &Plan) -> Result<bool, LabError> {
    let taken = Path::new("/sys/class/net").join(plan.access_interface()).exists();
    let routes = command::run(
        "ip",
        &[
            "-4",
            "route",
            "show",
            "to",
            "match",
            &plan.access_there().to_string(),
        ],
    )
    .await?;
    Ok(!taken && routes.lines().all(|route| route.starts_with("default")))
}
