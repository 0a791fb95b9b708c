//! The command line of `cargo xtask`: one module per task, one variant here.

use clap::Parser;

/// The project's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {}

/// Parses the command line and runs the task that it names.
pub(crate) fn run() -> anyhow::Result<()> {
    match Task::parse() {}
}
