//! Whether the product's accounts have the rights that they use, and no other: what the API server's audit logs say that
//! they asked for, against the roles of the manifest.
//!
//! | module | owns |
//! | --- | --- |
//! | `audit` | reading what was asked for (pure) |
//! | `granted` | reading what the manifest grants (pure) |
//! | here | the comparison (pure but for [`check`]) |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

mod audit;
mod granted;

/// The accounts of the product, by the names that the API server has for them.
pub const ACCOUNTS: [&str; 2] = [
    "system:serviceaccount:metallb-system:controller",
    "system:serviceaccount:metallb-system:speaker",
];

/// Requires that the roles of `manifest` grant everything that is asked for in the audit logs of a run, and nothing that was
/// not used in it. The logs are those of labs with [`ACCOUNTS`] audited.
///
/// # Errors
/// They do not; the message has a line for each right.
pub fn check(manifest: &Path, logs: &[PathBuf]) -> anyhow::Result<()> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let granted =
        granted::read(&read(manifest)?).with_context(|| format!("the roles of {}", manifest.display()))?;
    ensure!(!granted.is_empty(), "{} grants nothing", manifest.display());
    let mut requests = BTreeSet::new();
    for log in logs {
        let found = audit::read(&read(log)?).with_context(|| log.display().to_string())?;
        requests.extend(found);
    }
    let findings = compare(&granted, &requests);
    if findings.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    bail!("{}", lines.join("\n"));
}

/// Something that an account does, or may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Access {
    /// As the API server names it.
    account: String,
    verb: String,
    target: Target,
    /// `None`: of the cluster, or in all namespaces.
    namespace: Option<String>,
    /// `None`: no certain object, or any.
    name: Option<String>,
}

/// What a verb is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// Objects.
    Resource {
        /// The API group; the oldest has an empty name.
        group: String,
        /// The plural, with a subresource behind a slash.
        resource: String,
    },
    /// A path that leads to no object.
    Path(String),
}

impl Access {
    /// Whether a right to this is a right to `other`.
    fn covers(&self, other: &Self) -> bool {
        let within = |mine: &Option<String>, theirs: &Option<String>| mine.is_none() || mine == theirs;
        self.account == other.account
            && self.verb == other.verb
            && self.target == other.target
            && within(&self.namespace, &other.namespace)
            && within(&self.name, &other.name)
    }

    /// The namespace of the account.
    fn home(&self) -> Option<&str> {
        self.account.split(':').nth(2)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            verb,
            target,
            namespace,
            name,
        } = self;
        let account = account.rsplit(':').next().unwrap_or_default();
        write!(f, "{account}: {verb} ")?;
        match target {
            Target::Resource { group, resource } if group.is_empty() => f.write_str(resource)?,
            Target::Resource { group, resource } => write!(f, "{resource} of {group}")?,
            Target::Path(path) => f.write_str(path)?,
        }
        match namespace {
            Some(namespace) => write!(f, " in namespace {namespace}")?,
            None => f.write_str(" in the whole cluster")?,
        }
        match name {
            Some(name) => write!(f, ", name {name}"),
            None => Ok(()),
        }
    }
}

/// Something that an account asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    asked: Access,
    answer: Answer,
}

/// What the API server's authorizers said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// The account may.
    Allowed,
    /// Everybody who has an account may: look at the API's version, for instance.
    AllowedToAll,
    /// It may not. So it is also while a manifest is being deleted, roles first.
    Refused,
}

/// What is wrong with the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    /// It was asked for, and no role of the manifest grants it. Asked for several objects, it is named once.
    Missing(Access),
    /// No request needed it.
    Spare(Access),
    /// It is granted in the whole cluster, and was needed in the account's own namespace alone.
    Wide(Access),
    /// Another rule grants it too.
    Twice(Access),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(access) => write!(f, "missing: {access}"),
            Self::Spare(access) => write!(f, "granted and never used: {access}"),
            Self::Wide(access) => write!(f, "used in {} alone: {access}", access.home().unwrap_or_default()),
            Self::Twice(access) => write!(f, "granted twice: {access}"),
        }
    }
}

/// Holds the rights against the requests of a run in which everything happened that can.
fn compare(granted: &[Access], requests: &BTreeSet<Request>) -> Vec<Finding> {
    let mut missing = BTreeMap::new();
    for Request { asked, answer } in requests {
        let known = *answer == Answer::AllowedToAll || granted.iter().any(|right| right.covers(asked));
        if !known {
            let of_any_name = Access {
                name: None,
                ..asked.clone()
            };
            missing.entry(of_any_name).or_insert_with(|| asked.clone());
        }
    }
    let missing = missing.into_values().map(Finding::Missing);
    let spare = granted.iter().enumerate().filter_map(|(index, right)| {
        if is_granted_elsewhere(granted, index) {
            return Some(Finding::Twice(right.clone()));
        }
        let mut used = requests
            .iter()
            .filter(|request| request.answer == Answer::Allowed && right.covers(&request.asked))
            .peekable();
        if used.peek().is_none() {
            return Some(Finding::Spare(right.clone()));
        }
        let at_home = |request: &Request| {
            request.asked.namespace.is_some() && request.asked.namespace.as_deref() == right.home()
        };
        (right.namespace.is_none() && used.all(at_home)).then(|| Finding::Wide(right.clone()))
    });
    missing.chain(spare).collect()
}

/// Whether another right covers this one; of two that are the same, the second is too much.
fn is_granted_elsewhere(granted: &[Access], index: usize) -> bool {
    let right = &granted[index];
    let mut others = granted.iter().enumerate().filter(|(other, _)| *other != index);
    others.any(|(other, wider)| wider.covers(right) && (other < index || !right.covers(wider)))
}

#[cfg(test)]
mod tests;
