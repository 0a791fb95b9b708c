//! Child processes that end by themselves: `ip`, `sh`, `umount`, `go`.

use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Why a helper program did not do its work. What it did before it failed stays done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program could not be started.
    #[error("cannot run `{command}`")]
    Spawn {
        /// The program and its arguments.
        command: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The program ended with a failure.
    #[error("`{command}` failed ({status}): {stderr}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// Its exit code or signal.
        status: ExitStatus,
        /// What it wrote to its standard error, or else to its standard output.
        stderr: String,
    },
}

/// Runs a program without input and returns whatever came of it.
pub(crate) async fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<Output, CommandError> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.output().await.map_err(|source| CommandError::Spawn {
        command: shown(program, arguments),
        source,
    })
}

/// Runs a program and returns its standard output; a failure of the program is an error.
pub(crate) async fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, CommandError> {
    let output = output(program, arguments).await?;
    checked(output, || shown(program, arguments))
}

/// Runs a program with `input` as its standard input; a failure of the program is an error.
pub(crate) async fn run_with(program: &str, arguments: &[&str], input: &str) -> Result<String, CommandError> {
    let spawn_error = |source| CommandError::Spawn {
        command: shown(program, arguments),
        source,
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(spawn_error)?;
    let mut stdin = child.stdin.take().expect("standard input was asked for");
    let (written, output) = tokio::join!(
        async move { stdin.write_all(input.as_bytes()).await },
        child.wait_with_output(),
    );
    let result = checked(output.map_err(spawn_error)?, || {
        format!("{}: {input}", shown(program, arguments))
    })?;
    written.map_err(spawn_error)?;
    Ok(result)
}

fn checked(output: Output, command: impl FnOnce() -> String) -> Result<String, CommandError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let stderr = String::from_utf8_lossy(said).trim().to_owned();
    Err(CommandError::Failed {
        command: command(),
        status: output.status,
        stderr,
    })
}

fn shown<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> String {
    let words = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy());
    std::iter::once(program.into())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}
