//! How this node sees the others, as it is shown at `/membership`.

use std::collections::BTreeSet;

use serde_json::json;

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// No other speaker is heard, although their pods are there.
    pub(super) unheard: bool,
    /// The nodes of single speakers that are not heard, although their pods are there.
    pub(super) missing: BTreeSet<String>,
}

impl View {
    pub(super) fn json(&self) -> String {
        let Self { unheard, missing } = self;
        json!({ "unheard": unheard, "missing": missing }).to_string()
    }
}

#[cfg(test)]
mod tests;
