//! The controller's process.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    cortenlb_controller::args::Args::parse().run()
}
