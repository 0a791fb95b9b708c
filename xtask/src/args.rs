//! The command line of `cargo xtask`: one module per task, one variant here.

use clap::Parser;

/// The project's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    Demo(crate::demo::Demo),
    Test(crate::test::Test),
    Lab(crate::lab::LabTask),
    Bench(crate::bench::Bench),
    Gen(crate::r#gen::Gen),
    Check(crate::check::Check),
    Image(crate::image::Image),
    Book(crate::book::Book),
    Dist(crate::dist::Dist),
}

/// Parses the command line and runs the task that it names.
pub(crate) fn run() -> anyhow::Result<()> {
    let task = Task::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match task {
            Task::Demo(task) => task.run().await,
            Task::Test(task) => task.run().await,
            Task::Lab(task) => task.run().await,
            Task::Bench(task) => task.run().await,
            Task::Gen(task) => task.run(),
            Task::Check(task) => task.run(),
            Task::Image(task) => task.run(),
            Task::Book(task) => task.run(),
            Task::Dist(task) => task.run(),
        }
    })
}
