//! Manifests that a scenario changes before they are applied.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Cluster;

/// The objects of a manifest, in its order.
pub fn read(file: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    parse(&text).with_context(|| file.display().to_string())
}

/// The first block of YAML in a page.
pub fn block(page: &str) -> anyhow::Result<&str> {
    let (_, block) = page
        .split_once("```yaml\n")
        .context("the page has no block of YAML")?;
    let (block, _) = block.split_once("```").context("the page's block has no end")?;
    Ok(block)
}

/// The objects of a manifest's text. A document of comments alone is none.
pub fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let is_object = |document: &(usize, &str)| {
        let mut lines = document.1.lines();
        lines.any(|line| !line.is_empty() && !line.starts_with('#'))
    };
    let documents = text.split("\n---\n").enumerate().filter(is_object);
    documents
        .map(|(number, document)| {
            serde_saphyr::from_str(document).with_context(|| format!("document {number}"))
        })
        .collect()
}

impl Cluster {
    /// Writes these objects as a file for `kubectl apply -f`, and returns its path.
    pub async fn manifest(&self, name: &str, objects: &[Value]) -> anyhow::Result<String> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        Ok(self.lab.scratch_file(name, &list.to_string()).await?)
    }
}
