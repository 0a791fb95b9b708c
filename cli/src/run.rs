//! The process: arguments in, a report and an exit code out.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use cortenlb_core::name::ServiceKey;
use kube::Client;

use crate::args::{Args, Command, Common, Migrate, Why, mistake};
use crate::connect::{configure, connect, may_ask};
use crate::error::CliError;
use crate::facts::{self, Around, Facts, Membership};
use crate::failovers::{self, Told};
use crate::page::Report;
use crate::screen::Screen;
use crate::{complete, doctor, gather, migrate, plan, spinner, status, why};

/// The command could not be done.
const FAILED: u8 = 1;

/// There is something to look at.
const FINDINGS: u8 = 2;

/// What the sign of life says.
const READING: &str = "reading the cluster";

/// Does what `words` say (the first is the program's name, which says whether kubectl asks for completion), and returns the
/// exit code: 0 if all is well, 1 if it could not be done, 2 if there is something to look at.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    if let Some(answer) = complete::answer(&words) {
        return ended(write(answer.as_bytes()).map(|()| false));
    }
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => {
            return match mistake(&error) {
                Some(line) => failed(&line),
                None => {
                    // What was asked for; a terminal that is gone cannot be told.
                    let _ = error.print();
                    ExitCode::SUCCESS
                }
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => ended(runtime.block_on(args.run())),
        Err(error) => failed(&format!("error: the runtime cannot be started: {error}")),
    }
}

/// The exit code of what was done; `done` says whether there is something to look at.
fn ended(done: Result<bool, CliError>) -> ExitCode {
    match done {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(FINDINGS),
        Err(error) => failed(&format!("error: {error}")),
    }
}

fn failed(line: &str) -> ExitCode {
    // A terminal that is gone cannot be told.
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::from(FAILED)
}

impl Args {
    /// Returns whether there is something to look at.
    async fn run(self) -> Result<bool, CliError> {
        let Self { common, command } = self;
        match command {
            Command::Why(Why::Service { service, node }) => {
                let (key, node) = (&service.0, node.as_deref());
                let (facts, told) = gathered(&common, async |client: &Client, system: &str| {
                    with_membership(client, system, key, node).await
                })
                .await?;
                show(&common, &why::service(&facts, &told, key, node)?)
            }
            Command::Status => {
                let (facts, told) = gathered(&common, with_failovers).await?;
                show(&common, &status::report(&facts, &told))
            }
            Command::Doctor => {
                let (facts, around) = gathered(&common, with_around).await?;
                show(&common, &doctor::report(&facts, &around))
            }
            Command::Plan { filename, prune } => {
                let edit = plan::read(&filename, &common.namespace, prune)?;
                let facts = gathered(&common, gather::facts).await?;
                show(&common, &plan::report(&facts, &edit))
            }
            Command::Failovers => {
                let (facts, told) = gathered(&common, with_failovers).await?;
                show(&common, &failovers::report(facts.now, &told))
            }
            Command::Migrate(Migrate::Check) => {
                let (facts, around) = gathered(&common, with_replaced).await?;
                show(&common, &migrate::check(&facts, &around))
            }
            Command::Completion { shell } => {
                write(&complete::script(shell))?;
                Ok(false)
            }
        }
    }
}

/// What `gather` finds in the cluster that the flags name.
async fn gathered<T>(
    common: &Common,
    gather: impl AsyncFnOnce(&Client, &str) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let config = configure(common.kubeconfig.as_deref(), common.context.as_deref()).await?;
    let mut screen = Screen::of(std::io::stderr());
    let may_ask = may_ask(&config.auth_info);
    let connecting = connect(config);
    let client = if may_ask {
        // The sign of life would overwrite the question.
        connecting.await?
    } else {
        spinner::around(&mut screen, READING, connecting).await?
    };
    spinner::around(&mut screen, READING, gather(&client, &common.namespace)).await
}

/// The facts, and the time lines of the speakers.
async fn with_failovers(client: &Client, system: &str) -> Result<(Facts, Vec<Told>), CliError> {
    let facts = gather::facts(client, system).await?;
    let told = gather::failovers(client, &facts).await;
    Ok((facts, told))
}

/// The facts, and what the speakers that matter for a Service say of one another and of their nodes' interfaces: none where
/// there is no such Service, and one where a node is named.
async fn with_membership(
    client: &Client,
    system: &str,
    key: &ServiceKey,
    node: Option<&str>,
) -> Result<(Facts, Vec<facts::Told<Membership>>), CliError> {
    let facts = gather::facts(client, system).await?;
    let told = if facts.service(key).is_some() {
        gather::membership(client, &facts, node).await
    } else {
        Vec::new()
    };
    Ok((facts, told))
}

/// The facts, and what is around them.
async fn with_around(client: &Client, system: &str) -> Result<(Facts, Around), CliError> {
    let facts = gather::facts(client, system).await?;
    let around = gather::around(client, &facts).await;
    Ok((facts, around))
}

/// The facts, and what of MetalLB's is around them.
async fn with_replaced(client: &Client, system: &str) -> Result<(Facts, Around), CliError> {
    let facts = gather::facts(client, system).await?;
    let around = gather::replaced(client, system).await;
    Ok((facts, around))
}

/// Writes the report, and returns whether it has findings.
fn show(common: &Common, report: &impl Report) -> Result<bool, CliError> {
    let no_color = std::env::var_os("NO_COLOR");
    Screen::of(std::io::stdout()).show(report, common.output, no_color.as_deref())?;
    Ok(report.has_findings())
}

fn write(bytes: &[u8]) -> Result<(), CliError> {
    Screen::of(std::io::stdout()).write(bytes)
}

#[cfg(test)]
mod tests;
