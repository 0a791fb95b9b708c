//! What happened last. Nothing is written down while all is well: a schedule that fails is played once more.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cortenlb_wire::member::{Body, Datagram};

use crate::dice::{MILLISECOND, SECOND};

/// How many lines are shown with a violation.
const REMEMBERED: usize = 70;

#[derive(Default)]
pub(crate) struct Log {
    on: bool,
    /// What nodes think of other groups is not of interest.
    pub(crate) about: Option<usize>,
    lines: Vec<(u64, Option<usize>, String)>,
    /// What each node said last of each thing: said again, it is no news.
    said: BTreeMap<(usize, String), String>,
}

impl Log {
    /// Notes what concerns a group, or all.
    pub(crate) fn about(group: Option<usize>) -> Self {
        Self {
            on: true,
            about: group,
            ..Self::default()
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.on
    }

    /// Notes something about a group, or about all.
    pub(crate) fn note(&mut self, now: u64, group: Option<usize>, text: impl FnOnce() -> String) {
        if self.on {
            self.lines.push((now, group, text()));
        }
    }

    /// Notes what a node thinks of something, if that is news.
    pub(crate) fn opinion(
        &mut self,
        now: u64,
        group: Option<usize>,
        node: usize,
        about: String,
        text: String,
    ) {
        let before = self.said.insert((node, about.clone()), text.clone());
        if before.as_ref() != Some(&text) {
            self.note(now, group, || format!("    n{node} sees {about}: {text}"));
        }
    }

    /// Notes what is sent, heartbeats apart, if `CORTENLB_SIM_DATAGRAMS` asks for it.
    pub(crate) fn datagram(&mut self, now: u64, (from, to): (usize, usize), bytes: &[u8], arrives: bool) {
        if !self.on || std::env::var_os("CORTENLB_SIM_DATAGRAMS").is_none() {
            return;
        }
        let body = Datagram::parse(bytes).unwrap().body;
        let text = match &body {
            Body::Heartbeat { .. } => return,
            Body::Digests { answer, .. } => format!("digests, answer {answer}"),
            other => format!("{other:?}"),
        };
        let lost = if arrives { "" } else { "lost, " };
        self.note(now, None, || format!("        n{from} to n{to}: {lost}{text}"));
    }

    /// The last lines, those about other groups left out.
    pub(crate) fn last(&self) -> String {
        let wanted = self
            .lines
            .iter()
            .filter(|(_, about, _)| about.is_none() || self.about.is_none() || *about == self.about);
        let lines: Vec<_> = wanted.collect();
        let remembered = std::env::var("CORTENLB_SIM_LINES").map_or(REMEMBERED, |text| text.parse().unwrap());
        let mut text = String::new();
        for (at, _, line) in &lines[lines.len().saturating_sub(remembered)..] {
            writeln!(text, "{} {line}", shown(*at)).unwrap();
        }
        text
    }
}

/// Seconds and tenths of a millisecond.
pub(crate) fn shown(at: u64) -> String {
    format!("{:>4}.{:04}", at / SECOND, at % SECOND / (MILLISECOND / 10))
}
