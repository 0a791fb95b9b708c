//! What the chart tells the Prometheus Operator to scrape, against the pods and Services of the release.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::helm;

/// The one object of these kinds that has all of these labels at this place.
fn selected<'a>(documents: &'a [Value], kinds: &[&str], place: &str, labels: &Value) -> &'a Value {
    let labels = labels.as_object().unwrap();
    assert!(!labels.is_empty(), "a selector without labels takes everything");
    let of_kind = documents
        .iter()
        .filter(|one| kinds.contains(&one["kind"].as_str().unwrap()));
    let found: Vec<&Value> = of_kind
        .filter(|one| {
            let has = one.pointer(place).unwrap();
            labels.iter().all(|(key, value)| has[key] == *value)
        })
        .collect();
    assert_eq!(found.len(), 1, "{kinds:?} with {labels:?}");
    found[0]
}

fn workload<'a>(documents: &'a [Value], labels: &Value) -> &'a Value {
    let place = "/spec/template/metadata/labels";
    selected(documents, &["Deployment", "DaemonSet"], place, labels)
}

/// The number of the port of this name, in the list of a container or of a Service.
fn port<'a>(of: &'a Value, name: &Value, number: &str) -> &'a Value {
    let mut ports = of["ports"].as_array().unwrap().iter();
    let port = ports.find(|port| port["name"] == *name);
    &port.unwrap_or_else(|| panic!("no port {name}: {}", of["ports"]))[number]
}

/// Checks that the pods serve what an endpoint of a monitor asks for, at the port of this name; returns its number.
fn served<'a>(documents: &[Value], workload: &'a Value, endpoint: &Value) -> &'a Value {
    let container = &workload["spec"]["template"]["spec"]["containers"][0];
    let port = port(container, &endpoint["port"], "containerPort");
    let arguments = container["args"].as_array().unwrap();
    assert!(
        arguments.contains(&json!(format!("--port={port}"))),
        "{arguments:?}"
    );
    assert_eq!(endpoint["scheme"], "https");
    let reader = helm::find(documents, "ClusterRole", ":metrics-reader");
    assert_eq!(reader["rules"][0]["nonResourceURLs"], json!([endpoint["path"]]));
    port
}

/// Checks each monitor of this kind, and that together they find both programs. `reached` returns the workload, and checks the
/// way from the monitor to it.
fn check_monitors(arguments: &[&str], kind: &str, reached: impl Fn(&[Value], &Value) -> String) {
    let documents = helm::ours(arguments);
    let monitors: Vec<&Value> = documents.iter().filter(|one| one["kind"] == kind).collect();
    let names: BTreeSet<String> = monitors
        .iter()
        .map(|monitor| {
            assert_eq!(
                monitor["spec"]["namespaceSelector"]["matchNames"],
                json!(["metallb-system"])
            );
            reached(&documents, monitor)
        })
        .collect();
    assert_eq!((monitors.len(), names.len()), (2, 2), "{kind}: {names:?}");
}

fn name(workload: &Value) -> String {
    assert_eq!(workload["metadata"]["namespace"], "metallb-system");
    workload["metadata"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn pod_monitors_find_what_the_pods_serve() {
    let values = helm::values("full.yaml");
    let alone = "--set=prometheus.podMonitor.enabled=true,prometheus.rbacPrometheus=false";
    for arguments in [&[alone][..], &["-f", values.as_str()]] {
        check_monitors(arguments, "PodMonitor", |documents, monitor| {
            let workload = workload(documents, &monitor["spec"]["selector"]["matchLabels"]);
            let endpoints = monitor["spec"]["podMetricsEndpoints"].as_array().unwrap();
            assert_eq!(endpoints.len(), 1);
            served(documents, workload, &endpoints[0]);
            name(workload)
        });
    }
}

#[test]
fn service_monitors_find_what_the_pods_serve_behind_their_services() {
    let alone = "--set=prometheus.serviceMonitor.enabled=true,prometheus.rbacPrometheus=false";
    let other = "--set=prometheus.metricsPort=19120,fullnameOverride=balancer";
    for arguments in [&[alone][..], &[alone, other]] {
        check_monitors(arguments, "ServiceMonitor", |documents, monitor| {
            let labels = &monitor["spec"]["selector"]["matchLabels"];
            let service = selected(documents, &["Service"], "/metadata/labels", labels);
            assert_eq!(service["metadata"]["namespace"], "metallb-system");
            let workload = workload(documents, &service["spec"]["selector"]);
            let endpoints = monitor["spec"]["endpoints"].as_array().unwrap();
            assert_eq!(endpoints.len(), 1);
            let target = port(&service["spec"], &endpoints[0]["port"], "targetPort");
            assert_eq!(target, served(documents, workload, &endpoints[0]));
            name(workload)
        });
    }
}
