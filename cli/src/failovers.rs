//! `failovers`: what the speakers took over of late, and how long it took: their own records.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts;
use crate::page::{Cell, Page, Report, Table, Tone, age, joined};

/// The changes of one speaker, the newest first.
pub(crate) type Told = facts::Told<Vec<Change>>;

/// A group of addresses that a node came to answer for, as `/failovers` of its speaker has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// When (RFC 3339).
    pub(crate) time: Timestamp,
    /// The lowest address.
    pub(crate) group: IpAddr,
    pub(crate) addresses: Vec<IpAddr>,
    /// One word: `OwnerDead`, `HandedOver`, …
    pub(crate) cause: String,
    /// The node that had it.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// The node whose link-layer address it answers with, if not with its own.
    #[serde(default)]
    pub(crate) in_name_of: Option<String>,
    /// The phases, in milliseconds since the first that is known.
    #[serde(default)]
    pub(crate) milliseconds: BTreeMap<String, u64>,
}

/// The phases in their order.
const PHASES: [&str; 6] = ["heard", "suspected", "confirmed", "taken", "announced", "gateway"];

/// What the speaker answers at `/failovers`.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) changes: Vec<Change>,
}

/// All time lines in one, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failovers {
    changes: Vec<Line>,
    unread: Vec<Unread>,
    #[serde(skip)]
    now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    /// The node that took it.
    node: String,
    #[serde(flatten)]
    change: Change,
}

/// A speaker that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unread {
    node: String,
    pod: String,
    why: String,
}

impl Unread {
    /// Those of `told` that could not be asked.
    pub(crate) fn of<T>(told: &[facts::Told<T>]) -> Vec<Self> {
        let unread = told.iter().filter_map(|told| {
            let why = told.answer.as_ref().err()?.clone();
            Some(Self {
                node: told.node.clone(),
                pod: told.pod.clone(),
                why,
            })
        });
        unread.collect()
    }

    /// A line for each.
    pub(crate) fn print(unread: &[Self], page: &mut Page) {
        for Self { node, pod, why } in unread {
            let text = format!("the speaker on {node} ({pod}) could not be asked: {why}");
            page.line([Cell::new(text, Tone::Doubtful)]);
        }
    }
}

/// Puts the time lines together.
pub(crate) fn report(now: Timestamp, told: &[Told]) -> Failovers {
    let mut changes: Vec<Line> = Vec::new();
    for one in told {
        for change in one.answer.iter().flatten() {
            changes.push(Line {
                node: one.node.clone(),
                change: change.clone(),
            });
        }
    }
    changes.sort_by(|a, b| (b.change.time, &a.node).cmp(&(a.change.time, &b.node)));
    Failovers {
        changes,
        unread: Unread::of(told),
        now,
    }
}

/// The newest change by which `address` came to another node.
pub(crate) fn last_move(told: &[Told], address: IpAddr) -> Option<&Change> {
    let changes = told.iter().flat_map(|told| told.answer.iter().flatten());
    // Who answers in another's name owns nothing, and who takes what nobody had has not moved it.
    let moves = changes.filter(|change| change.in_name_of.is_none() && change.from.is_some());
    let moves = moves.filter(|change| change.addresses.contains(&address));
    moves.max_by_key(|change| change.time)
}

impl Change {
    /// `suspected 300, confirmed 401, …`, as far as known.
    fn phases(&self) -> String {
        let known = PHASES.iter().filter_map(|phase| {
            let at = self.milliseconds.get(*phase)?;
            Some(format!("{phase} {at}"))
        });
        joined(known)
    }

    pub(crate) fn ago(&self, now: Timestamp) -> String {
        age(now.as_second() - self.time.as_second())
    }
}

impl Report for Failovers {
    fn print(&self, page: &mut Page) {
        let mut table = if page.is_wide() {
            Table::new(&[
                "TIME",
                "ADDRESSES",
                "NODE",
                "FROM",
                "CAUSE",
                "IN NAME OF",
                "MILLISECONDS",
            ])
        } else {
            Table::new(&["AGO", "ADDRESSES", "NODE", "FROM", "CAUSE", "MILLISECONDS"])
        };
        for Line { node, change } in &self.changes {
            let time = if page.is_wide() {
                change.time.to_string()
            } else {
                change.ago(self.now)
            };
            let tone = match change.cause.as_str() {
                "OwnerDead" | "Conflict" => Tone::Bad,
                "OwnerAway" => Tone::Doubtful,
                _ => Tone::Plain,
            };
            let mut cells: Vec<Cell> = vec![
                time.into(),
                joined(&change.addresses).into(),
                node.as_str().into(),
                joined(&change.from).into(),
                Cell::new(change.cause.as_str(), tone),
            ];
            if page.is_wide() {
                cells.push(joined(&change.in_name_of).into());
            }
            cells.push(change.phases().into());
            table.row(cells);
        }
        page.table_or(
            &table,
            "nothing has been taken over since the speakers were started",
        );
        Unread::print(&self.unread, page);
    }
}

#[cfg(test)]
pub(crate) mod tests;
