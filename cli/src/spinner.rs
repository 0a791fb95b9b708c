//! A sign of life on a terminal, for what takes longer than a second.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Nobody looks for a sign of life before.
const PATIENCE: Duration = Duration::from_secs(1);

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

const FRAME: Duration = Duration::from_millis(100);

/// Waits for `work`. If stderr is a terminal and it lasts, says there what is being done, and takes that away at the end.
pub(crate) async fn around<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    let mut wait = PATIENCE;
    for frame in FRAMES.iter().cycle() {
        match tokio::time::timeout(wait, work.as_mut()).await {
            Ok(done) => {
                say("\r\x1b[K");
                return done;
            }
            Err(_) => say(&format!("\r{frame} {what} …")),
        }
        wait = FRAME;
    }
    work.await
}

/// A terminal that is gone is none to say it to.
fn say(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
