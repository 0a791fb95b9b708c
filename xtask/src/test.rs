//! `cargo xtask test`: everything that must hold before a change lands, with its own set-up, and a count at its end.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// Run the checks, the unit and property tests, and the scenarios on the lab.
#[derive(Args)]
pub(crate) struct Test {
    /// Run only scenarios whose name contains this, or one of these, and neither checks nor unit tests.
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Leave the scenarios out; they are counted as skipped.
    #[arg(long)]
    no_lab: bool,
    /// The name of the labs begins with this.
    #[arg(long, default_value = "e2e")]
    name: String,
}

/// What all of it may take from nothing on two cores, the lab's servers built on the way: who changes a line waits for it.
const BUDGET: Duration = Duration::from_secs(70 * 60);

/// What the tests of one program may take: those that simulate thousands of schedules are the longest.
const PROGRAM_BUDGET: Duration = Duration::from_secs(5 * 60);

/// What ran, and what came of it.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// What the slowest program with tests took.
    slowest: Duration,
}

impl Test {
    /// Runs what is asked for; fails when anything did not pass, after the last line has counted it.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self {
            scenario,
            no_lab,
            name,
        } = self;
        let start = Instant::now();
        let mut count = Count::default();
        let is_all = scenario.is_empty();
        let scenarios = cortenlb_e2e::choose(cortenlb_e2e::all(), &scenario)?;
        // Before anything is built for a lab that cannot be.
        cortenlb_lab::Lab::exists(&name)?;
        if is_all {
            section("Checks");
            crate::check::run(&mut |check, outcome| count.add(&format!("check {check}"), outcome));
            section("Unit and property tests");
            if let Err(error) = crate::monitoring::fetch().await {
                count
                    .skipped
                    .push(format!("promtool's tests of the alerts: {error:#}"));
            }
            cargo_test(&mut count).await?;
            section("The book");
            count.add("book", crate::book::build().map(drop));
        }
        if no_lab {
            count.skipped.push(format!("{RIGHTS}: --no-lab"));
            count.skipped.extend(
                scenarios
                    .iter()
                    .map(|one| format!("scenario {}: --no-lab", one.name)),
            );
        } else {
            section("Scenarios on the lab");
            match product() {
                Ok(product) => {
                    let audits = run_scenarios(&scenarios, &name, &product, &mut count).await;
                    // Only all scenarios together use every right.
                    if is_all {
                        count.rights(&product, audits);
                    }
                }
                Err(error) => count.failed.push(format!("what is to be tested: {error:#}")),
            }
        }
        count.report(start)
    }
}

/// Builds `kubectl-cortenlb`, and returns where it is.
fn cli() -> anyhow::Result<PathBuf> {
    let root = crate::workspace_root();
    let built = std::process::Command::new(crate::cargo())
        .args(["build", "--locked", "--quiet", "--package", "cortenlb-cli"])
        .current_dir(&root)
        .status()
        .context("starting cargo build")?;
    ensure!(built.success(), "cargo build --package cortenlb-cli: {built}");
    Ok(crate::target_directory(&root).join("debug/kubectl-cortenlb"))
}

fn product() -> anyhow::Result<cortenlb_e2e::Product> {
    let product = crate::image::scenarios_product()?;
    let cli = Some(cli()?);
    Ok(cortenlb_e2e::Product { cli, ..product })
}

/// The comparison of what is granted with what was asked for.
const RIGHTS: &str = "RBAC: nothing missing, nothing spare";

/// Returns the audit logs, if nothing failed.
async fn run_scenarios(
    scenarios: &[cortenlb_e2e::Scenario],
    lab: &str,
    product: &cortenlb_e2e::Product,
    count: &mut Count,
) -> Option<Vec<PathBuf>> {
    let summary = cortenlb_e2e::run(scenarios, lab, product).await;
    count.passed += summary.passed;
    let failed = summary
        .failed
        .iter()
        .map(|(name, why)| format!("scenario {name}: {why}"));
    count.failed.extend(failed);
    summary.failed.is_empty().then_some(summary.audits)
}

impl Count {
    fn add(&mut self, name: &str, outcome: anyhow::Result<()>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => self.failed.push(format!("{name}: {error:#}")),
        }
    }

    /// Holds what is granted against what was asked for; no `audits`: a scenario failed.
    fn rights(&mut self, product: &cortenlb_e2e::Product, audits: Option<Vec<PathBuf>>) {
        match audits {
            Some(audits) => {
                let rights = cortenlb_e2e::rights::check(&product.manifest, &audits);
                self.add(RIGHTS, rights);
            }
            None => {
                let why = "a scenario failed, and may have used them";
                self.skipped.push(format!("{RIGHTS}: {why}"));
            }
        }
    }

    /// Says what failed and what was skipped; the last line is the count.
    fn report(self, start: Instant) -> anyhow::Result<()> {
        let Self {
            passed,
            failed,
            skipped,
            slowest,
        } = self;
        let took = start.elapsed();
        section(&format!("Done in {} s", took.as_secs()));
        let all = beyond(BUDGET, took, "it", "from nothing on two cores");
        let one = beyond(
            PROGRAM_BUDGET,
            slowest,
            "one program with tests",
            "alone on two cores",
        );
        for warning in [all, one].into_iter().flatten() {
            println!("{warning}");
        }
        for one in &failed {
            println!("FAILED  {one}");
        }
        for one in &skipped {
            println!("skipped {one}");
        }
        println!(
            "{passed} passed, {} failed, {} skipped",
            failed.len(),
            skipped.len()
        );
        if failed.is_empty() {
            Ok(())
        } else {
            std::process::exit(1)
        }
    }
}

/// What to say of what took too long. It is no failure: machines differ.
fn beyond(budget: Duration, took: Duration, what: &str, condition: &str) -> Option<String> {
    (took > budget).then(|| {
        format!(
            "warning: {what} took {} s, and is to take at most {} {condition}: find out what became slower",
            took.as_secs(),
            budget.as_secs()
        )
    })
}

/// Runs `cargo test` for every crate but the scenarios', shows its output, and counts by its result lines.
async fn cargo_test(count: &mut Count) -> anyhow::Result<()> {
    let mut child = Command::new(crate::cargo())
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .current_dir(crate::workspace_root())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let stdout = child.stdout.take().context("the output of cargo test")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut failed = 0;
    let mut not_run = 0;
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        if let Some(skipped) = line.strip_prefix("SKIPPED ") {
            count.skipped.push(format!("test {skipped}"));
            not_run += 1;
            continue;
        }
        let Some(result) = TestResult::parse(&line) else {
            continue;
        };
        count.passed += result.passed;
        count
            .skipped
            .extend((0..result.ignored).map(|_| "a test that is marked `ignore`".to_owned()));
        failed += result.failed;
        count.slowest = count.slowest.max(result.took);
    }
    // For libtest they have passed.
    count.passed = count.passed.saturating_sub(not_run);
    count
        .failed
        .extend((0..failed).map(|_| "a test of cargo test, see above".to_owned()));
    let status = child.wait().await?;
    if !status.success() && failed == 0 {
        count.failed.push(format!("cargo test: {status}"));
    }
    Ok(())
}

/// One line `test result: …` of libtest.
#[derive(Debug, PartialEq, Eq)]
struct TestResult {
    passed: usize,
    failed: usize,
    ignored: usize,
    took: Duration,
}

impl TestResult {
    fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |word: &str| {
            let part = counts.split("; ").find_map(|part| part.strip_suffix(word))?;
            part.trim().parse().ok()
        };
        let (_, seconds) = counts.trim_end_matches('s').rsplit_once("finished in ")?;
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            ignored: count("ignored")?,
            took: Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?,
        })
    }
}

fn section(title: &str) {
    println!("\n=== {title}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_result_lines_of_libtest() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(
            TestResult::parse(line),
            Some(TestResult {
                passed: 12,
                failed: 1,
                ignored: 2,
                took: Duration::from_millis(10),
            })
        );
        assert_eq!(TestResult::parse("running 3 tests"), None);
    }

    #[test]
    fn a_run_beyond_the_budget_is_warned_of() {
        assert_eq!(beyond(BUDGET, BUDGET, "it", "here"), None);
        let warning = beyond(BUDGET, BUDGET + Duration::from_secs(3), "it", "here").unwrap();
        assert!(
            warning.starts_with("warning: it took 4203 s, and is to take at most 4200 here"),
            "{warning}"
        );
    }
}
