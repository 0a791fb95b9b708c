//! The tables in `controller/rules` on a real API server: every row that does not say why it cannot be shown on one.
//! The controller's own tests run the same rows on its index alone.
//!
//! Rows run one after another, each in an empty cluster. All of a row's objects are gone, and the controller has seen
//! that, before the next one begins: names of pools and namespaces can be those of the table, and so can the texts.
//! There is one controller. It is started anew where a row says so, or says what it is to find at its start; rows that
//! want it to run with other flags come together, after those that do not care.

use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};

use crate::cluster::Cluster;
use rows::Rows;
use table::{Row, Settings};

mod rows;
#[path = "../../../../controller/rules/table.rs"]
mod table;

/// Every rule of address assignment.
pub(super) async fn rules_of_assignment(cluster: &Cluster) -> anyhow::Result<()> {
    let mut rows = Rows::begin(cluster).await?;
    let outcome = all(&mut rows).await;
    outcome.and(rows.end().await)
}

/// Runs every row, and fails after the last if any did not hold.
async fn all(rows: &mut Rows<'_>) -> anyhow::Result<()> {
    let (mut count, mut failed) = (0, Vec::new());
    for (settings, tables) in by_settings()? {
        rows.run_with(&settings).await?;
        let flags: String = flags(&settings).iter().map(|flag| format!(" {flag}")).collect();
        for (area, table) in tables {
            let start = Instant::now();
            for row in table {
                count += 1;
                let title = row.title();
                if let Err(error) = rows.run(row).await {
                    println!("  {area}: {title}\n    {error:#}");
                    failed.push(title);
                }
                rows.clear().await.context("clearing what a row left")?;
            }
            let seconds = start.elapsed().as_secs_f64();
            println!("  rules of {area}{flags}: {seconds:.1} s");
        }
    }
    ensure!(
        failed.is_empty(),
        "{} of {count} rules do not hold: {}",
        failed.len(),
        failed.join("; ")
    );
    println!("  {count} rules hold");
    Ok(())
}

/// Tables by area, with the rows that run with these settings.
type Group = (Settings, Vec<(&'static str, Vec<Row>)>);

/// The rows that can be shown on a real API server.
fn by_settings() -> anyhow::Result<Vec<Group>> {
    let mut groups: Vec<Group> = vec![(Settings::default(), Vec::new())];
    for (area, text) in table::TABLES {
        let table = table::rows(text).map_err(|error| anyhow!("controller/rules/{area}.yaml: {error}"))?;
        for row in table.into_iter().filter(|row| row.pure.is_none()) {
            let known = groups.iter().position(|(settings, _)| *settings == row.settings);
            let place = known.unwrap_or_else(|| {
                groups.push((row.settings.clone(), Vec::new()));
                groups.len() - 1
            });
            let tables = &mut groups[place].1;
            match tables.last_mut() {
                Some((last, rows)) if *last == area => rows.push(row),
                _ => tables.push((area, vec![row])),
            }
        }
    }
    Ok(groups)
}

/// The flags with which a controller runs so.
fn flags(settings: &Settings) -> Vec<String> {
    let Settings {
        reassign_on_pool_change,
        lb_class,
    } = settings;
    let reassign = reassign_on_pool_change.then(|| "--reassign-on-pool-change".to_owned());
    let class = lb_class.as_ref().map(|class| format!("--lb-class={class}"));
    reassign.into_iter().chain(class).collect()
}
