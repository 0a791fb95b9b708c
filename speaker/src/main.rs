//! The speaker's process.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    cortenlb_speaker::args::Args::parse().run()
}
