//! Ends a lab. Works from what is really there, so also after a crash, and ends nothing else:
//! processes in the lab's own network namespaces, and shims that name its folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command;
use crate::error::LabError;
use crate::folder::{FileError, LabFolder, Root};
use crate::plan::{LabName, Plan};
use crate::process::{self, Process, Signal};

/// Removes the lab `name`, whatever is left of it.
pub(crate) async fn remove(root: &Root, name: &LabName) -> Result<(), LabError> {
    let folder = root.lab(name);
    let namespaces: Vec<String> = Plan::all_namespaces(name)
        .into_iter()
        .filter(|namespace| Path::new("/run/netns").join(namespace).exists())
        .collect();
    end_processes(&folder, &namespaces).await?;
    let containers = containers(&folder);
    remove_traces(&folder, &containers);
    unmount(&folder).await?;
    for namespace in &namespaces {
        command::run("ip", &["netns", "del", namespace]).await?;
    }
    if let Some(plan) = folder.plan() {
        // The interface goes with the control plane's namespace, but the kernel takes its time over that.
        command::output("ip", &["link", "del", &plan.access_interface()]).await?;
    }
    if folder.path().exists() {
        fs::remove_dir_all(folder.path()).map_err(FileError::new("remove", folder.path()))?;
    }
    Ok(())
}

/// Kills until nobody is left: a process may have had children meanwhile.
async fn end_processes(folder: &LabFolder, namespaces: &[String]) -> Result<(), LabError> {
    let named = namespaces
        .iter()
        .map(|namespace| Path::new("/run/netns").join(namespace));
    let numbers = named
        .chain(pod_namespaces(folder))
        .filter_map(process::namespace_number);
    let numbers: BTreeSet<u64> = numbers.chain(namespaces_of_pods(folder)).collect();
    loop {
        let processes: Vec<Process> = process::all()
            .filter(|process| is_ours(*process, &numbers, folder))
            .collect();
        if processes.is_empty() {
            return Ok(());
        }
        process::signal(Signal::Kill, &processes).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_ours(process: Process, namespaces: &BTreeSet<u64>, folder: &LabFolder) -> bool {
    let inside = process
        .namespace_number()
        .is_some_and(|number| namespaces.contains(&number));
    inside || is_shim(&process.command_line(), folder.path())
}

/// The network namespaces of what the lab's shims started: known even if the lab's folder is gone.
fn namespaces_of_pods(folder: &LabFolder) -> Vec<u64> {
    let shims: BTreeSet<u32> = process::all()
        .filter(|process| is_shim(&process.command_line(), folder.path()))
        .map(|shim| shim.pid)
        .collect();
    let own = process::namespace_number("/proc/self/ns/net");
    process::all()
        .filter(|process| process.parent().is_some_and(|parent| shims.contains(&parent)))
        .filter_map(Process::namespace_number)
        .filter(|number| Some(*number) != own)
        .collect()
}

/// Whether a command line is a container shim's whose containerd is one of the lab's.
fn is_shim(command_line: &[u8], folder: &Path) -> bool {
    let mut words = command_line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let program = words.next().unwrap_or_default();
    let shim = Path::new(program.as_ref())
        .file_name()
        .is_some_and(|name| name == "containerd-shim-runc-v2");
    let address = words
        .skip_while(|word| word != "-address")
        .nth(1)
        .unwrap_or_default();
    shim && Path::new(address.as_ref()).starts_with(folder)
}

/// Where the containerds of the lab bind their pods' network namespaces.
fn pod_namespaces(folder: &LabFolder) -> Vec<PathBuf> {
    node_folders(folder)
        .iter()
        .flat_map(|node| entries(&node.join("containerd/state/io.containerd.grpc.v1.cri/netns")))
        .collect()
}

/// The folders that the lab's containers' shims run in; each is named by the container's id.
fn containers(folder: &LabFolder) -> Vec<PathBuf> {
    let tasks = "containerd/state/io.containerd.runtime.v2.task/k8s.io";
    node_folders(folder)
        .into_iter()
        .flat_map(|node| entries(&node.join(tasks)))
        .collect()
}

async fn unmount(folder: &LabFolder) -> Result<(), LabError> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mounts_below(&table, folder.path());
    if !mounts.is_empty() {
        let arguments: Vec<&str> = ["-l", "--"]
            .into_iter()
            .chain(mounts.iter().map(String::as_str))
            .collect();
        command::run("umount", &arguments).await?;
    }
    Ok(())
}

/// The mount points below `folder`, the deepest first (proc_pid_mountinfo(5), field 5).
fn mounts_below(table: &str, folder: &Path) -> Vec<String> {
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let mut points: Vec<String> = points
        .filter(|point| Path::new(point).starts_with(folder))
        .map(str::to_owned)
        .collect();
    points.reverse();
    points
}

/// What dead containers leave in places that the lab cannot choose: empty cgroups, shims' sockets, kubelets' links.
///
/// Of no harm to anybody, so no failure either.
fn remove_traces(folder: &LabFolder, containers: &[PathBuf]) {
    let hierarchies = entries(Path::new("/sys/fs/cgroup"));
    for container in containers {
        let id = container.file_name().expect("a listed folder has a name");
        for hierarchy in hierarchies
            .iter()
            .map(PathBuf::as_path)
            .chain([Path::new("/sys/fs/cgroup")])
        {
            let _left_for_the_machine = fs::remove_dir(hierarchy.join("k8s.io").join(id));
        }
        if let Some(socket) = shim_socket(&fs::read(container.join("bootstrap.json")).unwrap_or_default()) {
            let _left_for_the_machine = fs::remove_file(socket);
        }
    }
    for link in entries(Path::new("/var/log/containers")) {
        if fs::read_link(&link).is_ok_and(|target| target.starts_with(folder.path())) {
            let _left_for_the_machine = fs::remove_file(link);
        }
    }
}

/// The socket named in a shim's bootstrap.json (containerd, core/runtime/v2/README.md).
fn shim_socket(bootstrap: &[u8]) -> Option<PathBuf> {
    let bootstrap: serde_json::Value = serde_json::from_slice(bootstrap).ok()?;
    bootstrap["address"]
        .as_str()?
        .strip_prefix("unix://")
        .map(PathBuf::from)
}

fn node_folders(folder: &LabFolder) -> Vec<PathBuf> {
    (1..=crate::plan::MAX_NODES)
        .map(|node| folder.join(format!("n{node}")))
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests;
