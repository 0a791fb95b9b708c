//! Which nodes can announce a Service, who does, and what would change that.

use cortenlb_core::announce::{Group, Interfaces, Refusal};
use cortenlb_core::name::ServiceKey;
use kube::ResourceExt as _;
use serde::Serialize;

use super::advice;
use super::attachment::{Unreached, unreached};
use crate::error::CliError;
use crate::facts::{Facts, Membership, Told};
use crate::model;
use crate::page::{Cell, Page, Table, Tone, age, joined};

/// Who can, and who does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Announcement {
    /// The nodes that say that they announce it.
    announced_by: Vec<Announcer>,
    /// Why no node can, if none can.
    obstacle: Option<super::Said>,
    /// What would mend that.
    change: Option<String>,
    nodes: Vec<NodeLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Announcer {
    node: String,
    /// Seconds.
    since: Option<i64>,
    /// The name of the ServiceL2Status that says so.
    record: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeLine {
    node: String,
    can: bool,
    announces: bool,
    /// The sum of the matching `preferredNodeSelectors`.
    preference: Option<i64>,
    /// Empty: all of them.
    interfaces: Vec<String>,
    why: String,
    /// What would change a no.
    change: Option<String>,
}

impl NodeLine {
    /// Of these addresses the node's interfaces keep it. One that announces it all the same is the best that there is.
    fn mark(&mut self, unreached: &[Unreached]) {
        let Some(first) = unreached.first() else {
            return;
        };
        self.change = Some(first.advice(&self.node));
        if self.announces {
            self.why = format!("{}; {}", self.why, joined(unreached));
        } else {
            self.can = false;
            self.why = joined(unreached);
        }
    }
}

impl Announcement {
    pub(super) fn of(
        facts: &Facts,
        told: &[Told<Membership>],
        key: &ServiceKey,
        node: Option<&str>,
    ) -> Result<Self, CliError> {
        let known = facts.nodes.iter().map(|node| node.name_any());
        if let Some(node) = node.filter(|node| known.clone().all(|known| known != *node)) {
            return Err(CliError::NoNode {
                node: node.to_owned(),
                known: joined(known),
            });
        }
        let world = model::world(facts, &facts.pools, &facts.advertisements);
        let announced_by: Vec<Announcer> = facts
            .announcers_of(key)
            .into_iter()
            .map(|object| Announcer {
                node: object
                    .status
                    .as_ref()
                    .map(|status| status.node.clone())
                    .unwrap_or_default(),
                since: object
                    .creation_timestamp()
                    .map(|time| facts.now.as_second() - time.0.as_second()),
                record: object.name_any(),
            })
            .collect();
        let Some(decision) = world.decide(key) else {
            return Ok(Self {
                announced_by,
                obstacle: None,
                change: None,
                nodes: Vec::new(),
            });
        };
        let lines = decision.verdicts.iter();
        let lines = lines.filter(|(name, _)| node.is_none_or(|node| node == *name));
        let nodes = lines.map(|(name, verdict)| {
            let announces = announced_by.iter().any(|announcer| announcer.node == *name);
            let in_group = decision.interfaces_on(name).is_some();
            let mut line = NodeLine {
                node: name.clone(),
                can: verdict.is_ok() && in_group,
                announces,
                preference: None,
                interfaces: Vec::new(),
                why: String::new(),
                change: None,
            };
            match verdict {
                Ok(candidate) => {
                    line.preference = Some(candidate.preference);
                    if let Interfaces::Listed(names) = &candidate.interfaces {
                        line.interfaces = names.iter().cloned().collect();
                    }
                    line.why = match (announces, in_group) {
                        (true, _) => "announces it",
                        (false, true) => "stands by",
                        (false, false) => "a Service that shares the address cannot be announced here",
                    }
                    .to_owned();
                    if let Some(group) = decision.group.as_ref().filter(|_| in_group) {
                        line.mark(&unreached(told, name, group));
                    }
                }
                Err(reason) => {
                    line.why = reason.to_string();
                    line.change = advice::of_reason(reason, name, facts);
                }
            }
            line
        });
        let nodes: Vec<NodeLine> = nodes.collect();
        let obstacle = decision.obstacle();
        let change = match (&decision.refusal, &obstacle) {
            (Some(Refusal::NoAddress), _) => Some("it needs an address first".to_owned()),
            (Some(refusal), _) => Some(advice::of_obstacle(refusal, key, &facts.system)),
            (None, Some(_)) if nodes.iter().all(|line| line.change.is_none()) => {
                Some("see the nodes without --node".to_owned())
            }
            (None, Some(_)) => Some("what the lines of the nodes say".to_owned()),
            (None, None) => (decision.group.as_ref().is_some_and(|group| group.on_link)).then(|| {
                let names = decision.group.as_ref().map(Group::names).unwrap_or_default();
                format!("of {names} only those count that have an interface in the address's subnet")
            }),
        };
        Ok(Self {
            announced_by,
            obstacle: obstacle.map(|obstacle| super::Said {
                reason: obstacle.reason.to_owned(),
                message: obstacle.message,
            }),
            change,
            nodes,
        })
    }

    pub(super) fn is_announced(&self) -> bool {
        !self.announced_by.is_empty() && self.obstacle.is_none()
    }

    pub(super) fn print(&self, page: &mut Page) {
        page.heading("Announcement");
        let by = self.announced_by.iter().map(|announcer| {
            let since = announcer.since.map(|since| format!(" for {}", age(since)));
            format!(
                "node {}{} ({})",
                announcer.node,
                since.unwrap_or_default(),
                announcer.record
            )
        });
        let by = if self.announced_by.is_empty() {
            Cell::new("nobody", Tone::Bad)
        } else {
            Cell::new(joined(by), Tone::Good)
        };
        let obstacle = self.obstacle.as_ref();
        let obstacle = obstacle.map(|said| format!("{}: {}", said.reason, said.message));
        page.fields([
            ("announced by", by),
            ("why not", Cell::new(obstacle.unwrap_or_default(), Tone::Bad)),
            ("to change it", self.change.as_deref().unwrap_or_default().into()),
        ]);
        if self.nodes.is_empty() {
            return;
        }
        let mut table = if page.is_wide() {
            Table::new(&["NODE", "CAN", "PREFERENCE", "INTERFACES", "WHY", "TO CHANGE IT"])
        } else {
            Table::new(&["NODE", "CAN", "WHY", "TO CHANGE IT"])
        };
        for line in &self.nodes {
            let can = if line.can {
                Cell::new("yes", Tone::Good)
            } else {
                Cell::new("no", Tone::Doubtful)
            };
            let mut cells = vec![line.node.as_str().into(), can];
            if page.is_wide() {
                let interfaces = match (line.can, line.interfaces.as_slice()) {
                    (true, []) => "all".to_owned(),
                    (_, names) => joined(names),
                };
                cells.push(joined(line.preference).into());
                cells.push(interfaces.into());
            }
            cells.push(line.why.as_str().into());
            cells.push(line.change.as_deref().unwrap_or("-").into());
            table.row(cells);
        }
        page.table(&table);
    }
}
