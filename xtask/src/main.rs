//! The project's tasks; `cargo xtask --help` lists them.

mod args;

fn main() -> anyhow::Result<()> {
    args::run()
}
