//! `cargo xtask lab`: a Kubernetes on this machine, in network namespaces (docs/lab.md).

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use cortenlb_lab::{Lab, LabOptions, Nics};
use tokio::process::Command;

/// A Kubernetes on this machine: start it, look at it, break it.
#[derive(Args)]
pub(crate) struct LabTask {
    /// The lab's name; labs of different names run side by side.
    #[arg(long, global = true, default_value = "lab")]
    name: String,
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Subcommand)]
enum LabCommand {
    /// Start a lab, with CortenLB installed and no pools.
    Up {
        /// How many nodes, 1 to 5.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
        nodes: u8,
        /// Network cards of a node: with 2, management and VIPs have segments of their own.
        #[arg(long, value_enum, default_value_t = NicsArg::One)]
        nics: NicsArg,
        /// Leave CortenLB out.
        #[arg(long)]
        bare: bool,
    },
    /// End a lab and remove all of it.
    Down,
    #[command(flatten)]
    Running(RunningCommand),
}

/// What takes a lab that is up.
#[derive(Subcommand)]
enum RunningCommand {
    /// Say what runs.
    Status,
    /// Print how to point a kubectl at the lab.
    Kubeconfig,
    /// Run the lab's own kubectl.
    Kubectl {
        /// Its arguments.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run a program on a host: n1 … n5, cp, client, router.
    Exec {
        /// The host.
        host: String,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Load an image archive on every node.
    Load {
        /// The archive (OCI or docker).
        image: PathBuf,
    },
    /// Cut a node off: its frames are lost, its carrier stays.
    Cut {
        /// The node.
        node: String,
    },
    /// Undo `cut`.
    Heal {
        /// The node.
        node: String,
    },
    /// Take the carrier of the VIP segment from a node.
    Unplug {
        /// The node.
        node: String,
    },
    /// Undo `unplug`.
    Plug {
        /// The node.
        node: String,
    },
    /// Stop a node's speaker (SIGSTOP).
    Freeze {
        /// The node.
        node: String,
    },
    /// Undo `freeze`.
    Thaw {
        /// The node.
        node: String,
    },
    /// Stop the API server (SIGSTOP).
    PauseApi,
    /// Undo `pause-api`.
    ResumeApi,
    /// Write events, logs, tables and objects into a folder.
    Diagnose,
}

#[derive(Clone, Copy, ValueEnum)]
enum NicsArg {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
}

impl LabTask {
    /// Runs the command; `exec` and `kubectl` end with the exit code of what they ran.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self { name, command } = self;
        match command {
            LabCommand::Up { nodes, nics, bare } => up(name, nodes, nics, bare).await,
            LabCommand::Down => Ok(Lab::down(&name).await?),
            LabCommand::Running(RunningCommand::Status) if !Lab::exists(&name)? => {
                println!("there is no lab called {name}");
                Ok(())
            }
            LabCommand::Running(command) => command.run(&Lab::attach(&name).await?).await,
        }
    }
}

impl RunningCommand {
    async fn run(self, lab: &Lab) -> anyhow::Result<()> {
        match self {
            Self::Status => print!("{}", lab.status().await?),
            Self::Kubeconfig => println!("export KUBECONFIG={}", lab.kubeconfig().display()),
            Self::Kubectl { arguments } => {
                let (program, first) = lab.kubectl_command();
                stand_in(Command::new(program).args(first).args(arguments)).await?;
            }
            Self::Exec { host, command } => {
                let (program, first) = lab.exec_command(&host)?;
                stand_in(Command::new(program).args(first).args(command)).await?;
            }
            Self::Load { image } => {
                // Said here in a line, and by each node's containerd in a paragraph.
                File::open(&image).with_context(|| format!("cannot read {}", image.display()))?;
                lab.load_image(&image).await?;
            }
            Self::Cut { node } => lab.cut(&node).await?,
            Self::Heal { node } => lab.heal(&node).await?,
            Self::Unplug { node } => lab.unplug(&node).await?,
            Self::Plug { node } => lab.plug(&node).await?,
            Self::Freeze { node } => lab.freeze(&node).await?,
            Self::Thaw { node } => lab.thaw(&node).await?,
            Self::PauseApi => lab.pause_api().await?,
            Self::ResumeApi => lab.resume_api().await?,
            Self::Diagnose => println!("{}", lab.diagnose("manual").await?.display()),
        }
        Ok(())
    }
}

async fn up(name: String, nodes: u8, nics: NicsArg, bare: bool) -> anyhow::Result<()> {
    let nics = match nics {
        NicsArg::One => Nics::One,
        NicsArg::Two => Nics::Two,
    };
    // A name that cannot be is told before minutes are spent on the image.
    Lab::exists(&name)?;
    let product = if bare {
        None
    } else {
        Some(crate::image::product()?)
    };
    let lab = Lab::up(LabOptions {
        name,
        nodes: nodes.into(),
        nics,
        product,
        ..LabOptions::default()
    })
    .await?;
    println!(
        "lab {} is up; export KUBECONFIG={}",
        lab.name(),
        lab.kubeconfig().display()
    );
    Ok(())
}

/// Runs a program in this process's place: with its input and output, and to its exit code.
async fn stand_in(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().await.context("starting the program")?;
    if status.success() {
        Ok(())
    } else {
        std::process::exit(status.code().unwrap_or(1))
    }
}
