//! A sign of life on a terminal, for what takes longer than a second.

use std::io::Write;
use std::time::Duration;

use tokio::time::timeout;

use crate::screen::Screen;

/// Nobody looks for a sign of life before.
const PATIENCE: Duration = Duration::from_secs(1);

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

const FRAME: Duration = Duration::from_millis(100);

/// Waits for `work`. If the screen is a terminal and it lasts, says there what is being done, and takes that away at the end.
pub(crate) async fn around<T>(
    screen: &mut Screen<impl Write>,
    what: &str,
    work: impl Future<Output = T>,
) -> T {
    if !screen.is_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    if let Ok(done) = timeout(PATIENCE, work.as_mut()).await {
        return done;
    }
    for frame in FRAMES.iter().cycle() {
        say(screen, &format!("\r{frame} {what} …"));
        if let Ok(done) = timeout(FRAME, work.as_mut()).await {
            say(screen, "\r\x1b[K");
            return done;
        }
    }
    work.await
}

/// A terminal that is gone is none to say it to.
fn say(screen: &mut Screen<impl Write>, text: &str) {
    let _ = screen.write(text.as_bytes());
}

#[cfg(test)]
mod tests;
