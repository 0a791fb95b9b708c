//! What a user sees while they wait: lines on standard error.

use std::time::{Duration, Instant};

/// How often a line is repeated while something takes long.
const PERIOD: Duration = Duration::from_secs(15);

/// Prints one line.
pub(crate) fn say(text: &str) {
    eprintln!("lab: {text}");
}

/// Prints that `what` goes on while `work` does, from the first moment and every few seconds.
pub(crate) async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    say(what);
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + PERIOD, PERIOD);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            value = &mut work => return value,
            _ = ticks.tick() => say(&format!("{what}: {} s", start.elapsed().as_secs())),
        }
    }
}
