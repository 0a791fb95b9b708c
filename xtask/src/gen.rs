//! `cargo xtask gen`: the files that are made from Rust: `crds/yaml/`, `deploy/manifests/`, what `deploy/chart` is made of,
//! and the page of kinds.

mod chart;
mod kinds;
mod manifests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use self::manifests::Naming;

/// Write the CustomResourceDefinitions, the manifests, the parts of the chart and the page of kinds.
#[derive(Args)]
pub(crate) struct Gen {
    /// The reference of the image that the manifests and the chart name.
    #[arg(long, value_name = "REF", default_value = crate::image::REFERENCE)]
    image: String,
    /// Write nothing; fail if a file is not what would be written.
    #[arg(long)]
    check: bool,
}

/// A definition must stay below this, in bytes of JSON: `kubectl apply` keeps it in an annotation, and annotations end at
/// 262,144 bytes.
const LIMIT: usize = 200_000;

const HEADER: &str = "# Made by `cargo xtask gen`: change the Rust it is made from.\n";

/// The manifest of a whole install.
pub(crate) const MANIFEST: &str = "deploy/manifests/cortenlb.yaml";

/// What kustomize takes the manifest by.
const KUSTOMIZATION: &str = "deploy/manifests/kustomization.yaml";

/// The Helm chart.
pub(crate) const CHART: &str = "deploy/chart";

/// The folders that hold nothing but generated files.
const FOLDERS: [&str; 3] = ["crds/yaml", "deploy/manifests", chart::FILES];

impl Gen {
    /// Writes the files, or compares them.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { image, check } = self;
        let files = files(&image)?;
        if check {
            return compare(&files);
        }
        for (path, text) in &files {
            let path = crate::workspace_root().join(path);
            let folder = path.parent().expect("a file is in a folder");
            std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            println!("{}", path.display());
        }
        Ok(())
    }
}

/// Fails if a generated file is not up to date.
pub(crate) fn check() -> anyhow::Result<()> {
    compare(&files(&image()?)?)
}

/// The image that the manifests name: what [`Gen`] was last told.
pub(crate) fn image() -> anyhow::Result<String> {
    let path = crate::workspace_root().join(MANIFEST);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let image = text.lines().find_map(|line| line.trim().strip_prefix("image: "));
    Ok(image
        .with_context(|| format!("{} names no image", path.display()))?
        .to_owned())
}

fn compare(files: &BTreeMap<PathBuf, String>) -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let mut stale: Vec<PathBuf> = files
        .iter()
        .filter(|(path, text)| std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path.clone())
        .collect();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            continue;
        };
        for entry in entries {
            let path = PathBuf::from(folder).join(entry?.file_name());
            if !files.contains_key(&path) {
                stale.push(path);
            }
        }
    }
    if !stale.is_empty() {
        bail!(
            "not as generated: {stale:?}; `cargo xtask gen` writes them, and what it does not write must go"
        );
    }
    Ok(())
}

/// Every generated file, by its path below the workspace.
fn files(image: &str) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut definitions = Vec::new();
    for crd in cortenlb_crds::definitions::all() {
        let mut document = json(&crd);
        if crd.spec.names.kind == "BGPPeer" {
            // MetalLB's has a conversion webhook, which applying ours over it must take away.
            document["spec"]["conversion"]["webhook"] = Value::Null;
        }
        let size = document.to_string().len();
        let name = crd.metadata.name.context("a definition has a name")?;
        ensure!(
            size < LIMIT,
            "{name} has {size} bytes, and must have less than {LIMIT}"
        );
        let file = format!("crds/yaml/{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
        files.insert(PathBuf::from(file), yaml(&[&document])?);
        definitions.push(document);
    }
    let namespace = json(&manifests::namespace());
    let parts = manifests::parts(Naming::Plain, image);
    let rest = parts.iter().flat_map(|(_, documents)| documents);
    let documents: Vec<&Value> = [&namespace].into_iter().chain(&definitions).chain(rest).collect();
    files.insert(PathBuf::from(MANIFEST), yaml(&documents)?);
    files.insert(PathBuf::from(KUSTOMIZATION), yaml(&[&kustomization()])?);
    files.extend(chart::files(image, &definitions)?);
    files.insert(PathBuf::from(kinds::PAGE), kinds::page(&definitions));
    Ok(files)
}

/// The base of all that is made of the manifest by kustomize.
fn kustomization() -> Value {
    let manifest = Path::new(MANIFEST).file_name().expect("the manifest is a file");
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [manifest.to_string_lossy()],
    })
}

/// An object as JSON, its numbers as Kubernetes writes them: k8s-openapi has floats where OpenAPI says "number".
fn json(object: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(object).expect("a Kubernetes object is JSON");
    whole(&mut value);
    value
}

fn whole(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(whole),
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Number(number) => {
            // An integer below 2^53 is the same as a float.
            if let Some(float) = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
            {
                *value = json!(float as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn yaml(documents: &[&Value]) -> anyhow::Result<String> {
    let mut text = HEADER.to_owned();
    for document in documents {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(document)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
