//! Who may use whom: the table of the house, held against `cargo metadata`.

use anyhow::{Context as _, bail};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// What one crate may depend on. Development dependencies are free.
struct Rule {
    package: &'static str,
    /// The crates of this workspace that it may use.
    ours: &'static [&'static str],
    others: Others,
}

/// What a crate may use from outside the workspace.
enum Others {
    /// A pure crate: these alone.
    Only(&'static [&'static str]),
    /// Anything but these.
    AllBut(&'static [&'static str]),
}

use Others::{AllBut, Only};

/// One row per crate; a crate without a row is refused.
const RULES: &[Rule] = &[
    Rule {
        package: "cortenlb-core",
        ours: &[],
        others: Only(&["ipnetwork", "thiserror", "tracing"]),
    },
    Rule {
        package: "cortenlb-wire",
        ours: &[],
        others: Only(&["bytes", "pnet_base", "pnet_packet", "thiserror"]),
    },
    Rule {
        package: "cortenlb-proto",
        ours: &["cortenlb-core", "cortenlb-wire"],
        others: Only(&["aws-lc-rs", "rand", "thiserror", "tracing"]),
    },
    Rule {
        package: "cortenlb-crds",
        ours: &["cortenlb-core"],
        others: Only(&[
            "k8s-openapi",
            "kube",
            "schemars",
            "serde",
            "serde_json",
            "thiserror",
        ]),
    },
    Rule {
        package: "cortenlb-netio",
        ours: &["cortenlb-wire"],
        others: AllBut(&["k8s-openapi", "kube"]),
    },
    Rule {
        package: "cortenlb-kit",
        ours: &[],
        others: AllBut(&[
            "ipnetwork",
            "netlink-packet-route",
            "pnet_packet",
            "rtnetlink",
            "socket2",
        ]),
    },
    Rule {
        package: "cortenlb-controller",
        ours: &["cortenlb-core", "cortenlb-crds", "cortenlb-kit"],
        others: AllBut(&["netlink-packet-route", "pnet_packet", "rtnetlink", "socket2"]),
    },
    Rule {
        package: "cortenlb-speaker",
        ours: &[
            "cortenlb-core",
            "cortenlb-crds",
            "cortenlb-kit",
            "cortenlb-netio",
            "cortenlb-proto",
            "cortenlb-wire",
        ],
        others: AllBut(&[]),
    },
    Rule {
        package: "cortenlb-cli",
        ours: &["cortenlb-core", "cortenlb-crds"],
        others: AllBut(&["netlink-packet-route", "pnet_packet", "rtnetlink", "socket2"]),
    },
    Rule {
        package: "cortenlb-lab",
        ours: &["cortenlb-netio", "cortenlb-wire"],
        others: AllBut(&[]),
    },
    Rule {
        package: "cortenlb-e2e",
        ours: &["cortenlb-crds", "cortenlb-lab"],
        others: AllBut(&[]),
    },
    Rule {
        package: "xtask",
        ours: &[
            "cortenlb-crds",
            "cortenlb-e2e",
            "cortenlb-lab",
            "cortenlb-proto",
            "cortenlb-wire",
        ],
        others: AllBut(&[]),
    },
];

/// Fails with every arrow that the table does not allow.
pub(super) fn check() -> anyhow::Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(crate::workspace_root())
        .no_deps()
        .other_options(["--locked".to_owned()])
        .exec()
        .context("cargo metadata")?;
    let packages = metadata.workspace_packages();
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let wrong: Vec<String> = packages
        .iter()
        .flat_map(|package| refused(package.name.as_str(), &uses(package), &names))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "{}; the table is in xtask/src/check/arrows.rs, its reasons in docs/architecture.md",
        wrong.join("; ")
    )
}

fn uses(package: &Package) -> Vec<&str> {
    let wanted = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development);
    wanted.map(|dependency| dependency.name.as_str()).collect()
}

/// The arrows from `package` that its row does not allow, in words.
fn refused(package: &str, uses: &[&str], workspace: &[&str]) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| rule.package == package) else {
        return vec![format!("{package} has no row in the table")];
    };
    let allowed = |used: &str| match (workspace.contains(&used), &rule.others) {
        (true, _) => rule.ours.contains(&used),
        (false, Only(these)) => these.contains(&used),
        (false, AllBut(these)) => !these.contains(&used),
    };
    uses.iter()
        .filter(|used| !allowed(used))
        .map(|used| format!("{package} must not use {used}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: [&str; 3] = ["cortenlb-core", "cortenlb-kit", "cortenlb-wire"];

    #[test]
    fn pure_crates_use_what_is_listed() {
        assert!(refused("cortenlb-core", &["ipnetwork", "thiserror"], &WORKSPACE).is_empty());
        assert_eq!(
            refused("cortenlb-core", &["tokio", "cortenlb-kit"], &WORKSPACE),
            [
                "cortenlb-core must not use tokio",
                "cortenlb-core must not use cortenlb-kit"
            ]
        );
    }

    #[test]
    fn the_controller_knows_no_wire() {
        let uses = ["cortenlb-core", "tokio", "cortenlb-wire"];
        assert_eq!(
            refused("cortenlb-controller", &uses, &WORKSPACE),
            ["cortenlb-controller must not use cortenlb-wire"]
        );
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(
            refused("cortenlb-new", &[], &WORKSPACE),
            ["cortenlb-new has no row in the table"]
        );
    }
}
