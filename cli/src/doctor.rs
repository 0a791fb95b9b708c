//! `doctor`: what is wrong, why it matters, and the command that mends it. Each finding has a code that stays
//! (docs/doctor.md).

mod addresses;
mod announcing;
mod configuration;
mod others;
mod speakers;

use serde::Serialize;

use crate::facts::{Around, Facts};
use crate::page::{Cell, Page, Report, Tone};
pub(crate) use announcing::not_advertised;
pub(crate) use others::{conversion_fix, converted};

/// What a finding is about. The codes are never given to anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    StrictArp = 1,
    OtherLoadBalancer = 2,
    MetalLb = 3,
    PoolHasNode = 4,
    PoolHasPods = 5,
    NotAdvertised = 6,
    WrongNamespace = 7,
    Ignored = 8,
    SpeakerNotReady = 9,
    NoSpeaker = 10,
    NoController = 11,
    NotHeard = 12,
    AddressConflict = 13,
    Webhook = 14,
    Conversion = 15,
    Pending = 16,
    NotAnnounced = 17,
    Bgp = 18,
    NotInstalled = 19,
    UnknownPool = 20,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CLB{:03}", *self as u16)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    /// Somebody is not served, or will not be.
    Error,
    /// It may be meant so.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) what: String,
    /// Why it matters.
    pub(crate) why: String,
    /// The command that mends it, or what to do first.
    pub(crate) fix: String,
}

impl Finding {
    fn error(code: Code, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            what: what.into(),
            why: why.into(),
            fix: fix.into(),
        }
    }

    fn warning(code: Code, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, what, why, fix)
        }
    }
}

/// All that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Doctor {
    findings: Vec<Finding>,
    /// What could not be read, and so not be judged.
    unread: Vec<String>,
}

/// Looks at everything; by code.
pub(crate) fn report(facts: &Facts, around: &Around) -> Doctor {
    let mut findings = Vec::new();
    let mut unread = around.unread.clone();
    others::look(facts, around, &mut findings, &mut unread);
    configuration::look(facts, around, &mut findings);
    addresses::look(facts, around, &mut findings);
    announcing::look(facts, &mut findings);
    speakers::look(facts, around, &mut findings);
    findings.sort_by(|a, b| (a.code, &a.what).cmp(&(b.code, &b.what)));
    let unasked = around.membership.iter().filter_map(|told| {
        let why = told.answer.as_ref().err()?;
        Some(format!(
            "whether the speaker on {} ({}) hears the others: {why}",
            told.node, told.pod
        ))
    });
    unread.extend(unasked);
    Doctor { findings, unread }
}

impl Report for Doctor {
    fn print(&self, page: &mut Page) {
        let count = |severity| {
            self.findings
                .iter()
                .filter(|one| one.severity == severity)
                .count()
        };
        for Finding {
            code,
            severity,
            what,
            why,
            fix,
        } in &self.findings
        {
            let (word, tone) = match severity {
                Severity::Error => ("error", Tone::Bad),
                Severity::Warning => ("warning", Tone::Doubtful),
            };
            page.line([
                Cell::new(code.to_string(), Tone::Bold),
                Cell::from(" "),
                Cell::new(word, tone),
                Cell::from(format!(": {what}")),
            ]);
            page.fields([
                ("why", Cell::from(why.as_str())),
                ("fix", Cell::from(fix.as_str())),
            ]);
        }
        for unread in &self.unread {
            page.line([Cell::new(format!("not judged: {unread}"), Tone::Doubtful)]);
        }
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let tone = if errors > 0 { Tone::Bad } else { Tone::Good };
        page.line([Cell::new(format!("errors: {errors}, warnings: {warnings}"), tone)]);
    }

    fn has_findings(&self) -> bool {
        self.findings.iter().any(|one| one.severity == Severity::Error)
    }
}

#[cfg(test)]
mod tests;
