//! The file of an edit: pools and advertisements as kubectl would apply them.

use std::io::Read as _;
use std::path::Path;

use cortenlb_crds::{IPAddressPool, L2Advertisement, names};
use kube::ResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CliError;

/// The fields of a pool's `spec`: the API server accepts no others.
const POOL_FIELDS: [&str; 4] = ["addresses", "autoAssign", "avoidBuggyIPs", "serviceAllocation"];

/// What is to be applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edit {
    pub(crate) pools: Vec<IPAddressPool>,
    pub(crate) advertisements: Vec<L2Advertisement>,
    /// Whether pools that are not among them are deleted.
    pub(crate) prune: bool,
    /// Objects of other kinds.
    pub(crate) passed_over: Vec<String>,
}

/// Reads a file of YAML or JSON documents; `-` is the standard input.
pub(crate) fn read(path: &Path, system: &str, prune: bool) -> Result<Edit, CliError> {
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| CliError::File {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let mut edit = parse(&text, system).map_err(|(document, why)| CliError::Document {
        path: path.to_owned(),
        document,
        why,
    })?;
    edit.prune = prune;
    Ok(edit)
}

/// A document's place in its file, and what is wrong with it.
type Mistake = (usize, String);

pub(super) fn parse(text: &str, system: &str) -> Result<Edit, Mistake> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| (1, format!("is no YAML: {}", one_line(&error.to_string()))))?;
    let mut edit = Edit::default();
    for (place, document) in documents.into_iter().enumerate() {
        let objects = match document {
            Value::Null => Vec::new(),
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                match list.remove("items") {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                }
            }
            other => vec![other],
        };
        for object in objects {
            take(&mut edit, object, system).map_err(|why| (place + 1, why))?;
        }
    }
    Ok(edit)
}

fn take(edit: &mut Edit, object: Value, system: &str) -> Result<(), String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let name = text(&object["metadata"]["name"]);
    if kind.is_empty() {
        return Err(
            "it has no kind: write apiVersion: metallb.io/v1beta1 and kind: IPAddressPool".to_owned(),
        );
    }
    let is_ours = version
        .split_once('/')
        .is_some_and(|(group, _)| group == names::GROUP);
    match kind.as_str() {
        "IPAddressPool" if is_ours => {
            let fields = object["spec"]
                .as_object()
                .into_iter()
                .flat_map(|spec| spec.keys());
            if let Some(field) = fields
                .into_iter()
                .find(|field| !POOL_FIELDS.contains(&field.as_str()))
            {
                return Err(format!(
                    "IPAddressPool {name}: spec.{field} is unknown; spec has {}",
                    POOL_FIELDS.join(", ")
                ));
            }
            edit.pools.push(typed(object, system)?);
        }
        "L2Advertisement" if is_ours => edit.advertisements.push(typed(object, system)?),
        _ => edit.passed_over.push(format!("{kind} {name}")),
    }
    Ok(())
}

/// The object, of the configuration's namespace.
fn typed<K: DeserializeOwned + ResourceExt>(object: Value, system: &str) -> Result<K, String> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let object: K =
        serde_json::from_value(object).map_err(|error| format!("{kind} is not as it should be: {error}"))?;
    let name = object.meta().name.clone().unwrap_or_default();
    if name.is_empty() {
        return Err(format!(
            "{kind} has no metadata.name: name the object that is to be changed or created"
        ));
    }
    match object.namespace() {
        Some(namespace) if namespace != system => Err(format!(
            "{kind} {name} is in namespace {namespace:?}, and configuration is read from {system:?}: change \
             metadata.namespace, or say --namespace"
        )),
        _ => Ok(object),
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
