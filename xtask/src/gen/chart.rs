//! What the Helm chart takes from Rust, so that it is written once: `Chart.yaml`, and below `files/` the definitions, the
//! rules and the workloads. The chart's templates change in them what values change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::manifests::{self, Naming};
use super::{CHART, yaml};

/// Where the alerts are written.
const RULES: &str = "deploy/monitoring/rules.yaml";

/// The generated files of the chart.
pub(super) const FILES: &str = "deploy/chart/files";

/// Every generated file of the chart, by its path below the workspace.
pub(super) fn files(image: &str, definitions: &[Value]) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::from([(PathBuf::from(CHART).join("Chart.yaml"), yaml(&[&metadata()])?)]);
    let kept: Vec<Value> = definitions.iter().map(kept).collect();
    let parts = manifests::parts(Naming::Chart, image).into_iter();
    for (name, documents) in parts.chain([("crds", kept), ("alerts", vec![alerts()?])]) {
        let documents: Vec<&Value> = documents.iter().collect();
        files.insert(
            PathBuf::from(FILES).join(format!("{name}.yaml")),
            yaml(&documents)?,
        );
    }
    Ok(files)
}

/// `Chart.yaml`. A chart is released with the programs that it installs, under their version.
fn metadata() -> Value {
    json!({
        "apiVersion": "v2",
        "name": "cortenlb",
        "description": "Addresses for Services of type LoadBalancer, announced on the local segment; in MetalLB's place",
        "type": "application",
        "version": env!("CARGO_PKG_VERSION"),
        "appVersion": env!("CARGO_PKG_VERSION"),
        // The oldest that knows ValidatingAdmissionPolicies, and addresses in CEL.
        "kubeVersion": ">= 1.31.0-0",
    })
}

/// The alerts, by the name of their group. Those of MetalLB follow the values of its chart.
fn alerts() -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(crate::workspace_root().join(RULES)).context(RULES)?;
    let rules: Value = serde_saphyr::from_str(&text).context(RULES)?;
    let groups = rules["spec"]["groups"].as_array().into_iter().flatten();
    let groups = groups.map(|group| {
        let name = group["name"].as_str();
        let name = name.with_context(|| format!("{RULES} has a group without a name"))?;
        Ok((name.to_owned(), group["rules"].clone()))
    });
    Ok(Value::Object(groups.collect::<anyhow::Result<_>>()?))
}

/// The definition, and with it every pool, outlives the release.
fn kept(definition: &Value) -> Value {
    let mut definition = definition.clone();
    definition["metadata"]["annotations"]["helm.sh/resource-policy"] = "keep".into();
    definition
}
