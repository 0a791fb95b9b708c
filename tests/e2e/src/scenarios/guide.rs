//! The quick start, followed by the letter: its commands, its file, and what it shows.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use cortenlb_lab::BACKEND_IMAGE;

use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON};

/// The part of the page that is followed, from the one line to the other.
const BEGIN: &str = "On any other cluster it is this";
const END: &str = "## Take it away";

/// What the page calls an image that everybody has, and the lab does not; and what its Service has to say besides, since
/// the lab's image listens elsewhere.
const IMAGE: (&str, &str) = ("--image=nginx", "--port=80");

/// The address that the page tells of, which is the pool's first.
const VIP: &str = "172.21.5.240";

/// A block of the page.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    /// The file that the commands call `pool.yaml`.
    File(String),
    /// Commands, each with the lines that it is said to print.
    Commands(Vec<(String, Vec<String>)>),
}

/// Every command works as it is written, and prints what the page shows.
pub(super) async fn quick_start_as_written(cluster: &Cluster) -> anyhow::Result<()> {
    let root = workspace()?;
    let page = root.join("docs/quick-start.md");
    let text = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    let outcome = follow(cluster, &root, &text).await;
    if outcome.is_err() {
        cluster.dump("quick_start_as_written").await;
    }
    cluster
        .kubectl(&[
            "delete",
            "service/hello",
            "deployment/hello",
            "--ignore-not-found",
        ])
        .await?;
    cluster.uninstall().await?;
    outcome
}

async fn follow(cluster: &Cluster, root: &Path, page: &str) -> anyhow::Result<()> {
    let mut pool = None;
    let mut done = 0;
    for block in blocks(page)? {
        match block {
            Block::File(text) => pool = Some(cluster.lab.scratch_file("pool.yaml", &text).await?),
            Block::Commands(commands) => {
                for (command, shown) in commands {
                    let command = match &pool {
                        Some(file) => command.replace("pool.yaml", file),
                        None => command,
                    };
                    let command = command
                        .replace(IMAGE.0, &format!("--image={BACKEND_IMAGE}"))
                        .replace(IMAGE.1, &format!("{} --target-port=8080", IMAGE.1));
                    let run = || async { run(cluster, root, &command, &shown).await };
                    eventually(SOON, run).await?;
                    done += 1;
                }
            }
        }
    }
    ensure!(
        done >= 9,
        "only {done} commands were found between {BEGIN:?} and {END:?}"
    );
    Ok(())
}

/// Runs a command where a reader would: kubectl in the workspace, anything else on another host of the segment.
async fn run(cluster: &Cluster, root: &Path, command: &str, shown: &[String]) -> anyhow::Result<()> {
    let output = if command.starts_with("kubectl ") {
        cluster.typed(command, root).await?
    } else {
        cluster.lab.exec("client", &["bash", "-c", command]).await?
    };
    let text = String::from_utf8_lossy(&output.stdout);
    // Done before, by a try whose output was not yet what the page shows.
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_done = output.status.success() || errors.contains("AlreadyExists");
    ensure!(is_done, "$ {command}\n{text}{errors}");
    for line in shown {
        ensure!(
            text.lines().any(|printed| is_like(line, printed)),
            "$ {command}\nprints\n{text}and not, as in docs/quick-start.md,\n{line}"
        );
    }
    Ok(())
}

fn workspace() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize()
        .with_context(|| format!("finding {}", root.display()))
}

/// The blocks of the part that is followed.
fn blocks(page: &str) -> anyhow::Result<Vec<Block>> {
    let (_, part) = page.split_once(BEGIN).with_context(|| format!("no {BEGIN:?}"))?;
    let (part, _) = part.split_once(END).with_context(|| format!("no {END:?}"))?;
    // Every other piece is between fences; the first line of it is its language.
    let pieces = part.split("```").skip(1).step_by(2);
    let blocks = pieces.filter_map(|piece| match piece.split_once('\n')? {
        ("yaml", text) => Some(Block::File(text.to_owned())),
        ("console", text) => Some(Block::Commands(commands(text))),
        _ => None,
    });
    Ok(blocks.collect())
}

fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, shown))) => shown.push(line.to_owned()),
            (None, None) => {}
        }
    }
    commands
}

/// Whether a line is what the page shows: word by word, apart from those that are others each time (times, ports, names
/// that are made). The VIP is not among those.
fn is_like(shown: &str, printed: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        line.split_whitespace()
            .map(|word| {
                let changes = word.contains(|letter: char| letter.is_ascii_digit()) && !word.contains(VIP);
                if changes { "*".to_owned() } else { word.to_owned() }
            })
            .collect()
    };
    words(shown) == words(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "before\n```console\n$ no\n```\nOn any other cluster it is this:\n\n```console\n$ one\n$ two\n\
                        shown\n```\ntext\n```yaml\na: 1\n```\n## Take it away\n```console\n$ never\n```\n";

    #[test]
    fn the_part_in_the_middle_is_followed() {
        let commands = Block::Commands(vec![
            ("one".to_owned(), Vec::new()),
            ("two".to_owned(), vec!["shown".to_owned()]),
        ]);
        assert_eq!(
            blocks(PAGE).unwrap(),
            [commands, Block::File("a: 1\n".to_owned())]
        );
        assert!(blocks("another page").is_err());
    }

    #[test]
    fn what_is_another_each_time_is_not_compared() {
        let shown = "hello   LoadBalancer   10.107.203.35   172.21.5.240   80:30144/TCP   2s";
        assert!(is_like(
            shown,
            "hello LoadBalancer 10.96.0.7 172.21.5.240 80:31000/TCP 17s"
        ));
        assert!(!is_like(
            shown,
            "hello LoadBalancer 10.96.0.7 <pending> 80:31000/TCP 17s"
        ));
        assert!(!is_like(shown, "hello LoadBalancer 10.96.0.7 172.21.5.240"));
    }
}
