//! What comes out of the chart, committed: a change of it shows in review. The definitions, which are generated, are left out.
//!
//! `CORTENLB_WRITE=1 cargo test -p cortenlb-e2e --test chart` writes the files.

use std::path::Path;

use serde_json::Value;

use crate::helm;

/// Compares what these arguments make with the file of this name.
fn compare(name: &str, arguments: &[&str]) {
    let documents = helm::template("metallb", helm::with_notes(), arguments).unwrap();
    let mut text = format!(
        "# {name}: {}\n",
        arguments.join(" ").replace(&helm::values(""), "")
    );
    for document in documents
        .iter()
        .filter(|one| one["kind"] != "CustomResourceDefinition")
    {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(document).unwrap());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/chart/rendered/{name}.yaml"));
    if std::env::var_os("CORTENLB_WRITE").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(committed.lines()).find(|(is, was)| is != was);
    assert!(
        text == committed,
        "{} is not what comes out; the first line that differs: {differs:?}; CORTENLB_WRITE=1 writes the file",
        path.display()
    );
}

#[test]
fn defaults() {
    compare("defaults", &[]);
}

#[test]
fn everything_set() {
    compare("full", &["-f", &helm::values("full.yaml")]);
}

#[test]
fn the_least() {
    compare(
        "least",
        &[
            "--set=controller.replicas=1,controller.podDisruptionBudget.enabled=false,rbac.create=false,crds.enabled=false",
            "--set=speaker.memberlist.enabled=false,speaker.excludeInterfaces.enabled=false,speaker.tolerateMaster=false",
            "--set=controller.serviceAccount.create=false,speaker.serviceAccount.create=false,prometheus.metricsPort=0",
        ],
    );
}

#[test]
fn service_monitors() {
    compare(
        "service-monitors",
        &[
            "--set=prometheus.serviceMonitor.enabled=true,prometheus.serviceMonitor.interval=30s,prometheus.rbacPrometheus=false",
        ],
    );
}

/// A template is a text; what it makes must be typed as Kubernetes wants it.
#[test]
fn numbers_are_numbers() {
    fn check(value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let counts = [
                        "containerPort",
                        "periodSeconds",
                        "replicas",
                        "defaultMode",
                        "runAsUser",
                        "port",
                    ];
                    if counts.contains(&key.as_str()) && !value.is_object() && !value.is_array() {
                        assert!(value.is_u64() || value == "metricshttps", "{key}: {value}");
                    }
                    check(value);
                }
            }
            Value::Array(items) => items.iter().for_each(check),
            _ => {}
        }
    }
    helm::ours(&["-f", &helm::values("full.yaml"), "--set=crds.enabled=false"])
        .iter()
        .for_each(check);
}
