//! The allocator alone: criterion measures, this prints.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

/// Runs the criterion benchmarks of `core` and prints the median of each, in nanoseconds.
pub(super) async fn run() -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let start = SystemTime::now();
    let status = Command::new(crate::cargo())
        .args([
            "bench",
            "--quiet",
            "--package",
            "cortenlb-core",
            "--bench",
            "ipam",
        ])
        .current_dir(&root)
        .stdout(Stdio::null())
        .status()
        .await?;
    ensure!(
        status.success(),
        "cargo bench --package cortenlb-core --bench ipam: {status}"
    );
    let mut medians = Vec::new();
    collect(
        &crate::target_directory(&root).join("criterion"),
        start,
        &mut medians,
    )?;
    ensure!(!medians.is_empty(), "criterion left no estimates");
    medians.sort_by(|one, other| one.0.cmp(&other.0));
    for (name, nanoseconds) in medians {
        super::print(&name, nanoseconds, "ns");
    }
    Ok(())
}

/// Finds `NAME/new/estimates.json` below `folder`, of this run only.
fn collect(folder: &Path, since: SystemTime, found: &mut Vec<(String, f64)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path: PathBuf = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("new/estimates.json");
        if !estimates.is_file() {
            collect(&path, since, found)?;
        } else if std::fs::metadata(&estimates)?.modified()? >= since {
            let read = |file: &Path| -> anyhow::Result<serde_json::Value> {
                Ok(serde_json::from_slice(&std::fs::read(file)?)?)
            };
            let name = read(&path.join("new/benchmark.json"))?["full_id"]
                .as_str()
                .map(str::to_owned);
            let median = read(&estimates)?["median"]["point_estimate"].as_f64();
            found.push((
                name.context("criterion's benchmark.json has no full_id")?,
                median.context("no median")?,
            ));
        }
    }
    Ok(())
}
