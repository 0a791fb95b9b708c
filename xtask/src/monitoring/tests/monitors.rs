//! What the Prometheus Operator is told to scrape, against the pods and the rights that the manifest makes.

use std::collections::BTreeMap;

use super::*;

/// Whether a selector takes these labels. `Exists` is the one operator that ours have.
fn selects(selector: &Value, labels: &Value) -> bool {
    let mut equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal.all(|(key, value)| labels[key] == *value)
        && expressions.all(|expression| {
            assert_eq!(expression["operator"], "Exists", "{selector}");
            labels[expression["key"].as_str().unwrap()].is_string()
        })
}

#[test]
fn the_monitor_finds_what_both_programs_serve() {
    let documents = yaml("deploy/monitoring/monitors.yaml");
    let monitor = documents.iter().find(|one| one["kind"] == "PodMonitor").unwrap();
    let manifest = yaml(crate::r#gen::MANIFEST);
    let workloads = manifest
        .iter()
        .filter(|one| one["kind"] == "Deployment" || one["kind"] == "DaemonSet");
    let workloads: BTreeMap<&str, &Value> = workloads
        .map(|one| (one["metadata"]["name"].as_str().unwrap(), one))
        .collect();
    assert_eq!(workloads.keys().collect::<Vec<_>>(), [&"controller", &"speaker"]);
    let endpoints = monitor["spec"]["podMetricsEndpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1);
    for (name, workload) in workloads {
        // Without namespaceSelector it looks in its own.
        assert_eq!(monitor["spec"]["namespaceSelector"], Value::Null);
        assert_eq!(
            monitor["metadata"]["namespace"], workload["metadata"]["namespace"],
            "{name}"
        );
        let pod = &workload["spec"]["template"];
        assert!(
            selects(&monitor["spec"]["selector"], &pod["metadata"]["labels"]),
            "{name}"
        );
        let container = &pod["spec"]["containers"][0];
        let mut ports = container["ports"].as_array().unwrap().iter();
        let port = ports.find(|port| port["name"] == endpoints[0]["port"]);
        let port =
            &port.unwrap_or_else(|| panic!("{name} has no port {}", endpoints[0]["port"]))["containerPort"];
        let arguments = container["args"].as_array().unwrap();
        assert!(
            arguments.contains(&json!(format!("--port={port}"))),
            "{name}: {arguments:?}"
        );
        let annotations = &pod["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/port"], port.to_string(), "{name}");
        assert_eq!(
            annotations["prometheus.io/scheme"], endpoints[0]["scheme"],
            "{name}"
        );
    }
}

/// From the endpoint to the Secret, the account, the binding and the right to ask for this path.
#[test]
fn the_monitors_token_may_ask_for_the_metrics() {
    let documents = yaml("deploy/monitoring/monitors.yaml");
    let of_kind = |documents: &[Value], kind: &str, name: &Value| {
        let found = documents
            .iter()
            .find(|one| one["kind"] == kind && one["metadata"]["name"] == *name);
        found
            .unwrap_or_else(|| panic!("there is no {kind} {name}"))
            .clone()
    };
    let monitor = of_kind(&documents, "PodMonitor", &json!("cortenlb"));
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    let credentials = &endpoint["authorization"]["credentials"];
    // Kubernetes writes the account's token under this key.
    assert_eq!(credentials["key"], "token");
    let secret = of_kind(&documents, "Secret", &credentials["name"]);
    assert_eq!(secret["type"], "kubernetes.io/service-account-token");
    let account = &secret["metadata"]["annotations"]["kubernetes.io/service-account.name"];
    let account = of_kind(&documents, "ServiceAccount", account);
    let binding = documents
        .iter()
        .find(|one| one["kind"] == "ClusterRoleBinding")
        .unwrap();
    let (name, namespace) = (&account["metadata"]["name"], &account["metadata"]["namespace"]);
    assert_eq!(
        binding["subjects"],
        json!([{ "kind": "ServiceAccount", "name": name, "namespace": namespace }])
    );
    for one in [&secret, &monitor] {
        assert_eq!(one["metadata"]["namespace"], *namespace, "{}", one["kind"]);
    }
    let role = of_kind(
        &yaml(crate::r#gen::MANIFEST),
        "ClusterRole",
        &binding["roleRef"]["name"],
    );
    assert_eq!(
        role["rules"],
        json!([{ "nonResourceURLs": [endpoint["path"]], "verbs": ["get"] }])
    );
}
