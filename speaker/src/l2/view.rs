//! How this node sees the others, and is attached itself, as it is shown at `/membership`.

use std::collections::BTreeSet;

use cortenlb_proto::cluster::{Attached, Prefix};
use serde_json::{Value, json};

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// No other speaker is heard, although their pods are there.
    pub(super) unheard: bool,
    /// The nodes of single speakers that are not heard, although their pods are there.
    pub(super) missing: BTreeSet<String>,
    /// This node's interfaces as the others know them: those towards addresses; none while nobody was told.
    pub(super) attached: Option<Vec<Attached>>,
}

impl View {
    pub(super) fn json(&self) -> String {
        let Self {
            unheard,
            missing,
            attached,
        } = self;
        let attached: Option<Vec<Value>> = attached
            .as_ref()
            .map(|interfaces| interfaces.iter().map(interface).collect());
        json!({ "unheard": unheard, "missing": missing, "attached": attached }).to_string()
    }
}

fn interface(attached: &Attached) -> Value {
    let prefix = |prefix: &Prefix| format!("{}/{}", prefix.address(), prefix.length());
    let prefixes: Vec<String> = attached.prefixes.iter().map(prefix).collect();
    json!({ "carrier": attached.carrier, "prefixes": prefixes })
}

#[cfg(test)]
mod tests;
