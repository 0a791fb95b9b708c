//! The pages that list names have all that the code has, and no others.

use std::collections::BTreeSet;

use super::markdown::{code, first_column};
use super::{Pages, rust};

/// Annotations and labels.
const LABELS: &str = "docs/reference-annotations.md";

/// Types of conditions, and their reasons.
const CONDITIONS: &str = "docs/reference-conditions.md";

/// Reasons of Events, and causes of moves.
const EVENTS: &str = "docs/reference-events.md";

/// Whose annotations, labels and types of conditions these pages have.
const PREFIXES: [&str; 3] = ["metallb.io/", "metallb.universe.tf/", "cortenlb.io/"];

/// Where reasons and causes are made.
const REASONS: [&str; 4] = [
    "controller/src/",
    "speaker/src/",
    "crates/core/src/",
    "crates/proto/src/",
];

/// Words there that look like reasons, and are none.
const NO_REASONS: [&str; 21] = [
    // Of the Kubernetes API.
    "DoesNotExist",
    "EndpointSlice",
    "Exists",
    "False",
    "In",
    "NotIn",
    "Opaque",
    "Pod",
    "Ready",
    "Running",
    "Service",
    "True",
    "Unknown",
    // A speaker's phases; the page of who answers for a VIP has them.
    "Away",
    "Dead",
    "Draining",
    "Joining",
    "Up",
    // A Service without an address has no condition that could say so.
    "NoAddress",
    // In the log alone.
    "MetalLBGone",
    // The name of a type, for debugging.
    "Seal",
];

/// The names in the code.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// All texts.
    texts: BTreeSet<String>,
    /// Those that may be reasons of conditions, or causes.
    words: BTreeSet<String>,
    /// Those that are reasons of Events.
    events: BTreeSet<String>,
}

impl Code {
    /// Takes in the file at this path below the workspace.
    pub(super) fn read(&mut self, path: &str, source: &str) {
        let has_reasons = REASONS.iter().any(|folder| path.starts_with(folder));
        for rust::Text { text, is_event } in rust::texts(source) {
            if is_event {
                self.events.insert(text.to_owned());
            } else if has_reasons && is_word(text) && !NO_REASONS.contains(&text) {
                self.words.insert(text.to_owned());
            }
            self.texts.insert(text.to_owned());
        }
    }
}

/// What is wrong.
pub(super) fn wrong(pages: &Pages, in_code: &Code) -> Vec<String> {
    let page = |path: &str| pages.get(path).map(String::as_str).unwrap_or_default();
    let quoted = |path: &str| -> BTreeSet<String> {
        let names = code(page(path)).map(|quoted| quoted.split(':').next().unwrap_or_default());
        names.filter(|name| is_label(name)).map(str::to_owned).collect()
    };
    let column = |path: &str, name: &str| -> BTreeSet<String> {
        first_column(page(path), name).map(str::to_owned).collect()
    };
    let (labels, types) = (quoted(LABELS), quoted(CONDITIONS));
    let reasons = column(CONDITIONS, "reason");
    let (events, causes) = (column(EVENTS, "reason"), column(EVENTS, "cause"));

    let mut wrong = Vec::new();
    let mut lacks =
        |page: &str, name: &str| wrong.push(format!("{page} lacks `{name}`, which is in the code"));
    for name in in_code.texts.iter().filter(|text| is_label(text)) {
        match is_type(name) {
            true if !types.contains(name) => lacks(CONDITIONS, name),
            false if !labels.contains(name) => lacks(LABELS, name),
            _ => {}
        }
    }
    for name in in_code.events.difference(&events) {
        lacks(EVENTS, name);
    }
    for name in &in_code.words {
        if ![&reasons, &events, &causes]
            .iter()
            .any(|listed| listed.contains(name))
        {
            lacks(CONDITIONS, name);
        }
    }
    let listed = [
        (LABELS, labels),
        (CONDITIONS, types),
        (CONDITIONS, reasons),
        (EVENTS, events),
        (EVENTS, causes),
    ];
    for (page, names) in listed {
        let gone = names.difference(&in_code.texts);
        wrong.extend(gone.map(|name| format!("{page} has `{name}`, which is not in the code")));
    }
    wrong
}

/// Whether this is an annotation, a label or the type of a condition, and not the version of a kind.
fn is_label(text: &str) -> bool {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-.".contains(character);
    let rest = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix));
    rest.is_some_and(|rest| {
        let digits = rest.strip_prefix('v').unwrap_or_default();
        let is_version = digits.starts_with(|first: char| first.is_ascii_digit());
        !rest.is_empty() && !is_version && rest.chars().all(is_name)
    })
}

/// Types of conditions begin with a capital.
fn is_type(label: &str) -> bool {
    let (_, name) = label.split_once('/').unwrap_or_default();
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Whether a text is one word of letters that begins with a capital, and has small ones.
fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_alphabetic())
        && text.chars().any(|letter| letter.is_ascii_lowercase())
}
