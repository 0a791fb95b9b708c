//! Commands as a user would type them, shown with what came of them.

use std::process::Output;

use anyhow::{Context as _, ensure};
use cortenlb_lab::Lab;

/// Tells a story on a lab: each step with its command and its output.
pub(super) struct Teller<'a> {
    pub(super) lab: &'a Lab,
}

impl Teller<'_> {
    /// What comes next.
    pub(super) fn say(&self, title: &str) {
        println!("\n== {title}");
    }

    /// Shows a file that a command is about to read.
    pub(super) fn show(&self, text: &str) {
        println!("\n{}", text.trim_end());
    }

    pub(super) async fn kubectl(&self, words: &[&str]) -> anyhow::Result<String> {
        println!("\n$ kubectl {}", words.join(" "));
        told(&words.join(" "), &self.lab.kubectl(words).await?)
    }

    /// Without showing it: what a reader would not do, or not wait for.
    pub(super) async fn quietly(&self, words: &[&str]) -> anyhow::Result<String> {
        checked(&words.join(" "), &self.lab.kubectl(words).await?)
    }

    /// Applies a file of this text, called `name` in the story.
    pub(super) async fn apply(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.lab.scratch_file(name, text).await?;
        println!("\n$ kubectl apply -f {name}");
        told(name, &self.lab.kubectl(&["apply", "-f", &path]).await?)?;
        Ok(())
    }

    /// Runs a command on a host of the lab; `shown` is how a user of that host would type it.
    pub(super) async fn on(&self, host: &str, shown: &str, words: &[&str]) -> anyhow::Result<String> {
        println!("\n{host}$ {shown}");
        told(shown, &self.lab.exec(host, words).await?)
    }
}

fn told(what: &str, output: &Output) -> anyhow::Result<String> {
    let text = checked(what, output)?;
    print!("{text}");
    Ok(text)
}

/// The output of a command that ended well.
fn checked(what: &str, output: &Output) -> anyhow::Result<String> {
    let (text, errors) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    ensure!(
        output.status.success(),
        "{what}: {}: {}{}",
        output.status,
        String::from_utf8_lossy(text),
        errors.trim()
    );
    String::from_utf8(text.clone()).with_context(|| format!("the output of {what}"))
}
