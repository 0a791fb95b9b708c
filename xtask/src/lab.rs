//! `cargo xtask lab`: a Kubernetes on this machine, in network namespaces (docs/lab.md).

use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use cortenlb_lab::{Lab, LabOptions, Nics};

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
            LabCommand::Up { nodes, nics, bare } => return up(name, nodes, nics, bare).await,
            LabCommand::Down => return Ok(Lab::down(&name).await?),
            LabCommand::Status if !Lab::exists(&name)? => {
                println!("there is no lab called {name}");
                return Ok(());
            }
            _ => {}
        }
        let lab = Lab::attach(&name).await?;
        match command {
            LabCommand::Up { .. } | LabCommand::Down => unreachable!("handled without an existing lab"),
            LabCommand::Status => print!("{}", lab.status().await?),
            LabCommand::Kubeconfig => println!("export KUBECONFIG={}", lab.kubeconfig().display()),
            LabCommand::Kubectl { arguments } => {
                let (program, first) = lab.kubectl_command();
                pass_on(
                    tokio::process::Command::new(program)
                        .args(first)
                        .args(arguments)
                        .status()
                        .await,
                )?;
            }
            LabCommand::Exec { host, command } => {
                let (program, first) = lab.exec_command(&host)?;
                pass_on(
                    tokio::process::Command::new(program)
                        .args(first)
                        .args(command)
                        .status()
                        .await,
                )?;
            }
            LabCommand::Load { image } => lab.load_image(&image).await?,
            LabCommand::Cut { node } => lab.cut(&node).await?,
            LabCommand::Heal { node } => lab.heal(&node).await?,
            LabCommand::Unplug { node } => lab.unplug(&node).await?,
            LabCommand::Plug { node } => lab.plug(&node).await?,
            LabCommand::Freeze { node } => lab.freeze(&node).await?,
            LabCommand::Thaw { node } => lab.thaw(&node).await?,
            LabCommand::PauseApi => lab.pause_api().await?,
            LabCommand::ResumeApi => lab.resume_api().await?,
            LabCommand::Diagnose => println!("{}", lab.diagnose("manual").await?.display()),
        }
        Ok(())
    }
}

async fn up(name: String, nodes: u8, nics: NicsArg, bare: bool) -> anyhow::Result<()> {
    let nics = match nics {
        NicsArg::One => Nics::One,
        NicsArg::Two => Nics::Two,
    };
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
    })
    .await?;
    println!(
        "lab {} is up; export KUBECONFIG={}",
        lab.name(),
        lab.kubeconfig().display()
    );
    Ok(())
}

/// Ends this process with the exit code of the program that it stood in for.
fn pass_on(status: std::io::Result<ExitStatus>) -> anyhow::Result<()> {
    let status = status.context("starting the program")?;
    if status.success() {
        Ok(())
    } else {
        std::process::exit(status.code().unwrap_or(1))
    }
}
