//! What is built in: from the registry alone, under licences that go with Apache-2.0, and nothing that is banned. Whether
//! somebody has found a weakness in it is not known here: that needs a list from outside.

use anyhow::{Context as _, bail};
use cargo_metadata::MetadataCommand;
use spdx::{Expression, LicenseItem, ParseMode};

/// Licences that ask for no more than to be named with the work.
const LICENCES: [&str; 10] = [
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// Where packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What must not come in, not even through others, and why.
const BANNED: [(&str, &str); 2] = [
    ("native-tls", "TLS is rustls's"),
    (
        "openssl-sys",
        "the programs are static, and have one library for cryptography",
    ),
];

/// A package, as `cargo metadata` tells of it.
struct Package<'a> {
    name: &'a str,
    version: String,
    licence: Option<&'a str>,
    /// None: it is of this workspace.
    source: Option<&'a str>,
}

/// Fails with everything that is refused.
pub(super) fn check() -> anyhow::Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(crate::workspace_root())
        .other_options(["--locked".to_owned()])
        .exec()
        .context("cargo metadata")?;
    let packages = metadata.packages.iter().map(|package| Package {
        name: package.name.as_str(),
        version: package.version.to_string(),
        licence: package.license.as_deref(),
        source: package.source.as_ref().map(|source| source.repr.as_str()),
    });
    let refused: Vec<String> = packages.filter_map(|package| refusal(&package)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    bail!(
        "{}; do without, or give the reason in xtask/src/check/dependencies.rs",
        refused.join("; ")
    )
}

/// Why a package is refused, if it is.
fn refusal(package: &Package<'_>) -> Option<String> {
    let why = if let Some((_, why)) = BANNED.iter().find(|(name, _)| *name == package.name) {
        format!("is banned: {why}")
    } else if package.source.is_some_and(|source| source != REGISTRY) {
        format!("comes from {}", package.source.unwrap_or_default())
    } else {
        let Some(licence) = package.licence else {
            return Some(format!("{} {} names no licence", package.name, package.version));
        };
        if is_allowed(licence) {
            return None;
        }
        format!("is under {licence:?}")
    };
    Some(format!("{} {} {why}", package.name, package.version))
}

/// Whether the licences of the list fulfil the expression. `A/B` is how `A OR B` was written once.
fn is_allowed(licence: &str) -> bool {
    let known = |item: &LicenseItem| match item {
        LicenseItem::Spdx { id, .. } => LICENCES.contains(&id.name),
        LicenseItem::Other(_) => false,
    };
    Expression::parse_mode(licence, ParseMode::LAX)
        .is_ok_and(|expression| expression.evaluate(|wanted| known(&wanted.license)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_package<'a>(name: &'a str, licence: Option<&'a str>, source: Option<&'a str>) -> Package<'a> {
        Package {
            name,
            version: "1.2.3".to_owned(),
            licence,
            source,
        }
    }

    #[test]
    fn one_of_several_licences_is_enough_and_all_of_several_are_needed() {
        for allowed in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Unlicense OR MIT",
            "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in ["GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "MPL-2.0", "Mine", ""] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }

    #[test]
    fn each_refusal_says_why() {
        let of = |name, licence, source| refusal(&mk_package(name, licence, source));
        assert_eq!(of("good", Some("MIT"), Some(REGISTRY)), None);
        assert_eq!(of("ours", Some("Apache-2.0"), None), None);
        assert_eq!(
            of("bare", None, Some(REGISTRY)).unwrap(),
            "bare 1.2.3 names no licence"
        );
        assert_eq!(
            of("copyleft", Some("GPL-3.0-only"), Some(REGISTRY)).unwrap(),
            "copyleft 1.2.3 is under \"GPL-3.0-only\""
        );
        assert_eq!(
            of("fork", Some("MIT"), Some("git+https://example.com/fork")).unwrap(),
            "fork 1.2.3 comes from git+https://example.com/fork"
        );
        assert_eq!(
            of("native-tls", Some("MIT"), Some(REGISTRY)).unwrap(),
            "native-tls 1.2.3 is banned: TLS is rustls's"
        );
    }
}
