//! `cargo xtask check`: what holds for the source as such. All checks run; each says what to do.

mod arrows;
mod dependencies;
mod docs;

pub(crate) use docs::resolve;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

/// Check arrows between crates, dependencies, formatting, clippy, generated files, file length, documentation and the fuzz
/// targets.
#[derive(Args)]
pub(crate) struct Check {}

/// A file of more lines is asking to be two.
const AIM: usize = 300;

/// A file of more lines is refused.
const MOST: usize = 500;

impl Check {
    /// Runs all checks; fails after the last one if any failed.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self {} = self;
        let mut failed = 0;
        run(&mut |_, outcome| failed += usize::from(outcome.is_err()));
        ensure!(failed == 0, "{failed} checks failed");
        Ok(())
    }
}

/// One check: its name, and what holds or what to do.
type Named = (&'static str, fn() -> anyhow::Result<()>);

/// Runs all checks, shows what came of each, and hands it to `report`.
pub(crate) fn run(report: &mut dyn FnMut(&str, anyhow::Result<()>)) {
    let checks: [Named; 8] = [
        ("arrows", arrows::check),
        ("dependencies", dependencies::check),
        ("rustfmt", rustfmt),
        ("generated", crate::r#gen::check),
        ("length", length),
        ("docs", docs::check),
        ("clippy", clippy),
        ("fuzz", fuzz),
    ];
    for (name, check) in checks {
        let outcome = check();
        match &outcome {
            Ok(()) => println!("check {name}: ok"),
            Err(error) => println!("check {name}: FAILED: {error:#}"),
        }
        report(name, outcome);
    }
}

fn rustfmt() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"]).context("mend it with `cargo fmt --all`")
}

fn clippy() -> anyhow::Result<()> {
    lint(&["--workspace", "--all-targets"]).context("mend what clippy says above")
}

/// The fuzz targets are no member of the workspace: nothing else compiles them with a stable compiler.
fn fuzz() -> anyhow::Result<()> {
    lint(&[
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target-dir",
        "target/fuzz",
    ])
    .context("mend what clippy says above, in fuzz/; `cargo update --workspace` there mends Cargo.lock")
}

/// Runs clippy on what `selected` selects; no warning is let pass.
fn lint(selected: &[&str]) -> anyhow::Result<()> {
    let words = [
        &["clippy", "--quiet", "--locked"],
        selected,
        &["--", "--deny", "warnings"],
    ]
    .concat();
    cargo(&words)
}

fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(crate::cargo());
    let status = command
        .args(arguments)
        .current_dir(crate::workspace_root())
        .status()?;
    ensure!(status.success(), "cargo {}: {status}", arguments.join(" "));
    Ok(())
}

/// No Rust file above [`MOST`] lines; those above [`AIM`] are named.
fn length() -> anyhow::Result<()> {
    let mut refused = Vec::new();
    for path in files(&crate::workspace_root(), ".rs")? {
        let lines = std::fs::read_to_string(&path)?.lines().count();
        if lines > MOST {
            refused.push(format!("{} has {lines} lines", path.display()));
        } else if lines > AIM {
            println!("  {} has {lines} lines: could it be two?", path.display());
        }
    }
    if !refused.is_empty() {
        bail!(
            "{}; at most {MOST}: split by what the parts own",
            refused.join(", ")
        );
    }
    Ok(())
}

/// The files below `folder` whose names end so, without what is built.
pub(crate) fn files(folder: &Path, end: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, end)?);
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
    Ok(found)
}
