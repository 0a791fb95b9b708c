//! The way to the API server: as kubectl finds it.

use std::path::Path;
use std::time::Duration;

use kube::config::{AuthInfo, ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::error::CliError;

/// A server that is not there is told of before the user gives up.
const CONNECT: Duration = Duration::from_secs(10);

/// What this kubeconfig and context say; without them KUBECONFIG, `~/.kube/config`, or the pod's service account.
pub(crate) async fn configure(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, CliError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
            Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| unusable(&error))?
        }
        None if context.is_some() => Config::from_kubeconfig(&options)
            .await
            .map_err(|error| unusable(&error))?,
        None => Config::infer().await.map_err(|error| unusable(&error))?,
    };
    config.connect_timeout = Some(CONNECT);
    // A pod that cannot be reached is answered for with 503, and stays so.
    config.default_retry = false;
    Ok(config)
}

/// Whether the user's credential plug-in may ask something on the terminal: kube gives it the terminal unless it says that it
/// never does.
pub(crate) fn may_ask(user: &AuthInfo) -> bool {
    let mode = user.exec.as_ref().map(|exec| exec.interactive_mode.as_ref());
    mode.is_some_and(|mode| mode != Some(&ExecInteractiveMode::Never))
}

/// A client. No request is made. A credential plug-in is run, which may take long.
pub(crate) async fn connect(config: Config) -> Result<Client, CliError> {
    // kube waits for the plug-in without yielding, and somebody may be watching for a sign of life.
    let client = tokio::task::spawn_blocking(|| Client::try_from(config)).await;
    client
        .map_err(|error| unusable(&error))?
        .map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::error::Error) -> CliError {
    CliError::Config(chain(error))
}

/// The error and its causes in one line, each told once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
