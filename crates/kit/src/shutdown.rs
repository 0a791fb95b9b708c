//! SIGTERM and SIGINT as a cancellation token.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM (kubelet) or SIGINT (a terminal).
///
/// A second signal ends the process at once, with the exit code that a shell gives it: a shutdown that hangs must
/// not need SIGKILL.
///
/// # Errors
/// The kernel refused a signal handler; no handler is installed then.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => SignalKind::terminate(),
                _ = interrupt.recv() => SignalKind::interrupt(),
            }
        };
        let first = next().await;
        tracing::info!(signal = first.as_raw_value(), "shutting down");
        cancelled.cancel();
        let second = next().await;
        tracing::warn!(signal = second.as_raw_value(), "second signal: ending at once");
        std::process::exit(128 + second.as_raw_value());
    });
    Ok(token)
}
