//! The chart with its default values against the manifests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::helm;

/// Apart from names and labels both install the same: definitions, rules, variables, flags, probes, rights, volumes.
#[test]
fn installs_what_the_manifests_install() {
    let plain = std::fs::read_to_string(helm::workspace().join("deploy/manifests/cortenlb.yaml")).unwrap();
    let mut plain = normal(helm::documents(&plain));
    // Helm makes the namespace, if it is told to.
    assert!(plain.remove("Namespace system").is_some());
    let chart = normal(helm::ours(&[]));
    assert_eq!(chart.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    for (object, is) in &chart {
        let [is, should] = [is, &plain[object]].map(|object| serde_json::to_string_pretty(object).unwrap());
        assert_eq!(is, should, "{object}");
    }
}

/// Each with its texts, its time and its page; values only switch them, and set labels.
#[test]
fn alerts_are_those_of_the_manifests() {
    let plain = std::fs::read_to_string(helm::workspace().join("deploy/monitoring/rules.yaml")).unwrap();
    let alerts = |documents: &[Value]| -> Vec<Value> {
        let rule = documents.iter().find(|one| one["kind"] == "PrometheusRule");
        let groups = rule.unwrap()["spec"]["groups"].as_array().unwrap();
        let alerts = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        alerts.cloned().collect()
    };
    let chart = alerts(&helm::ours(&["--set=prometheus.prometheusRule.enabled=true"]));
    assert_eq!(chart, alerts(&helm::documents(&plain)));
    assert_eq!(chart[0]["alert"], "MetalLBStaleConfig");
}

/// A release that is uninstalled leaves the definitions, and so every pool.
#[test]
fn definitions_outlive_the_release() {
    let documents = helm::ours(&[]);
    let definitions: Vec<&Value> = documents
        .iter()
        .filter(|one| one["kind"] == "CustomResourceDefinition")
        .collect();
    assert_eq!(definitions.len(), 10);
    for definition in definitions {
        let policy = &definition["metadata"]["annotations"]["helm.sh/resource-policy"];
        assert_eq!(*policy, "keep", "{}", definition["metadata"]["name"]);
    }
}

/// The pods are found by their labels: by the Deployment and DaemonSet, by the PodDisruptionBudget, and by the programs.
#[test]
fn whoever_looks_for_pods_finds_them() {
    let documents = helm::ours(&[]);
    let selector_of = |kind: &str, name: &str| {
        helm::find(&documents, kind, name)["spec"]["selector"]["matchLabels"].clone()
    };
    for (kind, name, component) in [
        ("Deployment", "metallb-controller", "controller"),
        ("DaemonSet", "metallb-speaker", "speaker"),
    ] {
        let workload = helm::find(&documents, kind, name);
        let mut labels = workload["spec"]["template"]["metadata"]["labels"].clone();
        let ours = labels.as_object_mut().unwrap().remove("cortenlb.io/component");
        assert_eq!(ours, Some(json!(component)));
        assert_eq!(labels, selector_of(kind, name));
    }
    assert_eq!(
        selector_of("PodDisruptionBudget", "metallb-controller"),
        selector_of("Deployment", "metallb-controller")
    );
    let speakers = selector_of("DaemonSet", "metallb-speaker");
    for (kind, name) in [
        ("Deployment", "metallb-controller"),
        ("DaemonSet", "metallb-speaker"),
    ] {
        let pod = helm::pod(&documents, kind, name);
        let labels = helm::variable(pod, "METALLB_ML_LABELS").unwrap();
        let labels = labels.split(',').map(|label| label.split_once('=').unwrap());
        assert_eq!(json!(labels.collect::<BTreeMap<_, _>>()), speakers, "{name}");
    }
    let pod = helm::pod(&documents, "Deployment", "metallb-controller");
    let spread = &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"];
    assert_eq!(*spread, selector_of("Deployment", "metallb-controller"));
}

/// Objects by kind and name, without what must differ.
fn normal(documents: Vec<Value>) -> BTreeMap<String, Value> {
    let objects = documents.into_iter().map(|mut object| {
        strip(&mut object);
        let key = format!(
            "{} {}",
            object["kind"].as_str().unwrap(),
            object["metadata"]["name"].as_str().unwrap()
        );
        (key, object)
    });
    objects.collect()
}

/// Takes labels and the selectors of them away, and from every text what a name begins with in one of both.
fn strip(value: &mut Value) {
    const LABELS: [&str; 4] = ["labels", "matchLabels", "annotations", "METALLB_ML_LABELS"];
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !LABELS.contains(&key.as_str()));
            if fields
                .get("name")
                .is_some_and(|name| LABELS.contains(&name.as_str().unwrap_or_default()))
            {
                fields.remove("value");
            }
            if let Some(Value::Array(arguments)) = fields.get_mut("args") {
                arguments.sort_by_key(Value::to_string);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::String(text) => {
            for prefix in ["metallb-system:", "metallb:", "metallb-"] {
                if let Some(rest) = text.strip_prefix(prefix) {
                    *text = rest.to_owned();
                    break;
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
