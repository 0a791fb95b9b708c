//! The chart against MetalLB's, out of its Go module: names and selectors, and what its values do here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::helm;

/// Releases, and values that names are made from.
const NAMINGS: [(&str, &[&str]); 5] = [
    ("metallb", &[]),
    ("my-metallb-2", &[]),
    ("lb", &[]),
    ("lb", &["--set=nameOverride=balancer"]),
    ("lb", &["--set=fullnameOverride=balancer"]),
];

/// `helm upgrade` of a release of MetalLB's changes its objects in place, and cannot change selectors.
#[test]
fn workloads_are_named_and_selected_as_metallbs() {
    for (release, arguments) in NAMINGS {
        let theirs = helm::template(release, helm::metallb(), arguments).unwrap();
        let ours = helm::template(release, &helm::chart(), arguments).unwrap();
        for (kind, component) in [("Deployment", "controller"), ("DaemonSet", "speaker")] {
            let [theirs, ours] = [&theirs, &ours].map(|all| workload(all, kind, component));
            assert_eq!(ours["metadata"]["name"], theirs["metadata"]["name"]);
            assert_eq!(ours["spec"]["selector"], theirs["spec"]["selector"]);
            assert_eq!(account(ours), account(theirs));
            assert_eq!(
                ours["spec"]["template"]["spec"]["containers"][0]["name"],
                theirs["spec"]["template"]["spec"]["containers"][0]["name"]
            );
        }
        let secret = |all: &[Value]| {
            let workload = workload(all, "Deployment", "controller");
            helm::variable(&workload["spec"]["template"]["spec"], "METALLB_ML_SECRET_NAME").map(str::to_owned)
        };
        assert_eq!(secret(&ours), secret(&theirs));
        for kind in [
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "ConfigMap",
        ] {
            // Theirs has the subchart for FRR besides, and ours a Role of the speaker.
            let theirs: BTreeSet<&str> = names(&theirs, kind)
                .into_iter()
                .filter(|name| !name.contains("frr-k8s"))
                .collect();
            let ours = names(&ours, kind);
            assert!(
                ours.is_superset(&theirs),
                "{kind}: ours {ours:?}, theirs {theirs:?}"
            );
        }
    }
}

/// Its values.yaml, as it is: what would start MetalLB's image starts ours.
#[test]
fn its_default_values_are_taken() {
    let file = helm::metallb().join("values.yaml");
    let documents = helm::template("metallb", helm::with_notes(), &["-f", file.to_str().unwrap()]).unwrap();
    for (kind, name) in [
        ("Deployment", "metallb-controller"),
        ("DaemonSet", "metallb-speaker"),
    ] {
        let image = &helm::pod(&documents, kind, name)["containers"][0]["image"];
        assert!(image.as_str().unwrap().contains("cortenlb"), "{image}");
    }
    let named = named(&documents);
    let expected = [
        "frrk8s.enabled",
        "controller.image.repository",
        "speaker.image.repository",
    ];
    assert_eq!(named, BTreeSet::from(expected.map(str::to_owned)));
}

/// `helm upgrade --reuse-values` puts the old chart's values in the place of ours, so that ours are missing.
#[test]
fn its_values_without_ours_are_enough() {
    let chart = helm::copy_of_chart("with-metallbs-values");
    std::fs::copy(helm::metallb().join("values.yaml"), chart.join("values.yaml")).unwrap();
    let documents = helm::template("metallb", &chart, &[]).unwrap();
    let expected = helm::find(&helm::ours(&[]), "Deployment", "metallb-controller")["spec"].clone();
    let controller = &helm::find(&documents, "Deployment", "metallb-controller")["spec"];
    assert_eq!(controller["replicas"], expected["replicas"]);
    assert_eq!(
        controller["template"]["spec"]["containers"][0]["image"],
        expected["template"]["spec"]["containers"][0]["image"]
    );
    helm::find(&documents, "PodDisruptionBudget", "metallb-controller");
}

/// A file that sets everything is one for MetalLB's chart, and for ours.
#[test]
fn a_file_that_sets_everything_is_taken_by_both() {
    let file = helm::values("full.yaml");
    for chart in [helm::metallb(), helm::chart().as_path()] {
        helm::template("metallb", chart, &["-f", &file]).unwrap();
    }
}

/// Values that must be set for others to count.
const CONTEXTS: [(&str, &[&str]); 8] = [
    (
        "prometheus.rbacPrometheus",
        &["prometheus.podMonitor.enabled=true"],
    ),
    (
        "prometheus.serviceAccount",
        &["prometheus.podMonitor.enabled=true"],
    ),
    ("prometheus.namespace", &["prometheus.podMonitor.enabled=true"]),
    ("prometheus.podMonitor.", &["prometheus.podMonitor.enabled=true"]),
    (
        "prometheus.serviceMonitor.",
        &["prometheus.serviceMonitor.enabled=true"],
    ),
    (
        "prometheus.prometheusRule.",
        &[
            "prometheus.prometheusRule.enabled=true",
            "prometheus.prometheusRule.bgpSessionDown.enabled=true",
        ],
    ),
    ("networkpolicies.", &["networkpolicies.enabled=true"]),
    ("speaker.frr.", &["speaker.frr.enabled=true"]),
];

/// Values that change nothing here for another reason than that something is missing.
const WITHOUT_MEANING: [&str; 4] = [
    // Only FRR's container has one.
    "speaker.startupProbe",
    // Turned off, each is what there is.
    "frrk8s.enabled",
    "speaker.frr.enabled",
    "prometheus.prometheusRule.bgpSessionDown.enabled",
];

/// Each of MetalLB's values, set to another one than its default, changes what is installed, or NOTES name it.
#[test]
fn each_of_its_values_counts_or_is_named() {
    let text = std::fs::read_to_string(helm::metallb().join("values.yaml")).unwrap();
    let defaults: Value = serde_saphyr::from_str(&text).unwrap();
    let mut leaves = BTreeMap::new();
    flatten("", &defaults, &mut leaves);
    assert!(leaves.len() > 100, "{leaves:?}");
    let mut baselines: BTreeMap<Vec<&str>, Vec<Value>> = BTreeMap::new();
    let mut ignored = Vec::new();
    for (path, default) in &leaves {
        if WITHOUT_MEANING.iter().any(|one| path.starts_with(one)) {
            continue;
        }
        let context = CONTEXTS.iter().find(|(prefix, _)| path.starts_with(prefix));
        let mut context: Vec<&str> = context.map(|(_, values)| values.to_vec()).unwrap_or_default();
        // The switch of a context is compared with the context switched off.
        context.retain(|value| value.split('=').next() != Some(path.as_str()));
        context.extend([
            r#"prometheus.serviceAccount="prometheus""#,
            r#"prometheus.namespace="monitoring""#,
        ]);
        let set = |more: Option<String>| {
            let values = context.iter().map(|value| (*value).to_owned()).chain(more);
            let words: Vec<String> = values.map(|value| format!("--set-json={value}")).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            helm::template("metallb", helm::with_notes(), &words)
                .unwrap_or_else(|error| panic!("{words:?}: {error}"))
        };
        let baseline = baselines.entry(context.clone()).or_insert_with(|| set(None));
        let changed = set(Some(format!("{path}={}", another(path, default))));
        let is_named = named(&changed)
            .iter()
            .any(|name| *path == *name || path.starts_with(&format!("{name}.")));
        if !is_named && without_notes(&changed) == without_notes(baseline) {
            ignored.push(path);
        }
    }
    assert!(
        ignored.is_empty(),
        "values that do nothing, and are not named: {ignored:?}"
    );
}

/// The leaves of a tree of values, by path.
fn flatten(path: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, leaves);
            }
        }
        _ => {
            leaves.insert(path.to_owned(), value.clone());
        }
    }
}

/// A value that is not the default, and that the schema takes.
fn another(path: &str, default: &Value) -> Value {
    let last = path.rsplit('.').next().unwrap();
    match (last, default) {
        ("logLevel", _) => json!("debug"),
        ("webhookMode", _) => json!("disabled"),
        ("validationFailurePolicy", _) => json!("Ignore"),
        ("pullPolicy", _) => json!("Always"),
        ("type", _) if path.starts_with("controller") => json!("Recreate"),
        ("type", _) => json!("OnDelete"),
        ("thresholds", _) => json!([{ "percent": 50 }]),
        ("interval", _) => json!("30s"),
        ("tag", _) => json!("v1"),
        ("mlSecretKeyPath", _) => json!("/etc/elsewhere"),
        ("minVersion", _) => json!("VersionTLS12"),
        (_, Value::Null) => json!(7),
        (_, Value::Bool(is)) => json!(!is),
        (_, Value::Number(number)) => json!(number.as_i64().unwrap() + 1),
        (_, Value::String(_)) => json!("another"),
        (_, Value::Array(_)) => json!([{ "name": "another" }]),
        (_, Value::Object(_)) => json!({ "another": "one" }),
    }
}

/// The values that NOTES name.
fn named(documents: &[Value]) -> BTreeSet<String> {
    let notes = helm::find(documents, "Notes", "notes")["text"].as_str().unwrap();
    let lines = notes
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(": "));
    lines.map(|(name, _)| name.to_owned()).collect()
}

fn without_notes(documents: &[Value]) -> Vec<&Value> {
    documents.iter().filter(|one| one["kind"] != "Notes").collect()
}

fn workload<'a>(documents: &'a [Value], kind: &str, component: &str) -> &'a Value {
    let found = documents.iter().find(|one| {
        one["kind"] == kind
            && one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == component
    });
    found.unwrap_or_else(|| panic!("no {kind} of {component}"))
}

fn account(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["serviceAccountName"]
}

fn names<'a>(documents: &'a [Value], kind: &str) -> BTreeSet<&'a str> {
    let of_kind = documents.iter().filter(|one| one["kind"] == kind);
    of_kind
        .map(|one| one["metadata"]["name"].as_str().unwrap())
        .collect()
}
