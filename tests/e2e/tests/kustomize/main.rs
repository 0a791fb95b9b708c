//! The kustomize base and its overlays, built without a cluster: each is the manifests and what it adds or changes, and
//! nothing else.
//!
//! Needs Go, for kubectl.

#![allow(
    clippy::unwrap_used,
    reason = "the lint spares #[test] functions only, not their helpers"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cortenlb_e2e::cluster::manifest;
use cortenlb_lab::Kubectl;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static KUBECTL: LazyLock<Kubectl> = LazyLock::new(|| RUNTIME.block_on(Kubectl::ensure()).unwrap());

const MANIFEST: &str = "manifests/cortenlb.yaml";
const MONITORS: &str = "monitoring/monitors.yaml";
const RULES: &str = "monitoring/rules.yaml";
const POLICY: &str = "network-policy/controller.yaml";

/// The namespace of the overlay `other-namespace`.
const OTHER: &str = "loadbalancers";

/// Objects by kind, namespace and name.
type Objects = BTreeMap<String, Value>;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn read(file: &str) -> String {
    let path = deploy().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What kustomize makes of a folder.
fn build(folder: &Path) -> String {
    let words = ["kustomize", folder.to_str().unwrap()];
    let output = RUNTIME.block_on(KUBECTL.run(&words)).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}: {said}", folder.display());
    String::from_utf8(output.stdout).unwrap()
}

fn objects(text: &str) -> Objects {
    let found = manifest::parse(text).unwrap_or_else(|error| panic!("{error:#}:\n{text}"));
    let count = found.len();
    let named = |object: Value| {
        let metadata = &object["metadata"];
        let name = format!(
            "{} {} {}",
            object["kind"], metadata["namespace"], metadata["name"]
        );
        (name, object)
    };
    let found: Objects = found.into_iter().map(named).collect();
    assert_eq!(found.len(), count, "an object is there twice");
    found
}

/// The objects of these files.
fn files(files: &[&str]) -> Objects {
    let texts: Vec<String> = files.iter().map(|file| read(file)).collect();
    objects(&texts.join("\n---\n"))
}

/// The same in another namespace, wherever that is named.
fn elsewhere(objects_of: &[&str]) -> Objects {
    let texts: Vec<String> = objects_of
        .iter()
        .map(|file| read(file).replace("metallb-system", OTHER))
        .collect();
    objects(&texts.join("\n---\n"))
}

fn compare(is: &Objects, should: &Objects) {
    assert_eq!(is.keys().collect::<Vec<_>>(), should.keys().collect::<Vec<_>>());
    for (name, object) in is {
        let [is, should] = [object, &should[name]].map(|one| serde_json::to_string_pretty(one).unwrap());
        assert_eq!(is, should, "{name}");
    }
}

fn find<'a>(objects: &'a mut Objects, kind: &str, name: &str) -> &'a mut Value {
    let mut found = objects
        .values_mut()
        .filter(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.next().unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// A copy of `deploy`, without the chart, to change.
fn copy() -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kustomize");
    let _ = std::fs::remove_dir_all(&copy);
    for part in [
        "manifests",
        "monitoring",
        "network-policy",
        "kustomize/other-namespace",
    ] {
        let (from, to) = (deploy().join(part), copy.join(part));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// Also what is null: applying it over MetalLB takes MetalLB's away.
#[test]
fn the_base_is_the_manifest() {
    compare(&objects(&build(&deploy().join("manifests"))), &files(&[MANIFEST]));
}

#[test]
fn one_replica() {
    let mut should = files(&[MANIFEST]);
    find(&mut should, "Deployment", "controller")["spec"]["replicas"] = json!(1);
    compare(&objects(&build(&deploy().join("kustomize/one-replica"))), &should);
}

#[test]
fn monitoring() {
    let is = objects(&build(&deploy().join("kustomize/monitoring")));
    compare(&is, &files(&[MANIFEST, MONITORS, RULES]));
    for kind in ["PodMonitor", "PrometheusRule"] {
        assert!(is.values().any(|one| one["kind"] == kind), "no {kind}");
    }
}

/// It is about the controller's pods, and lets through to what they listen on: metrics, probes.
#[test]
fn network_policy() {
    let mut is = objects(&build(&deploy().join("kustomize/network-policy")));
    compare(&is, &files(&[MANIFEST, POLICY]));
    let policy = find(&mut is, "NetworkPolicy", "controller").clone();
    let selected = policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap();
    assert!(!selected.is_empty());
    let mut pod_of = |kind: &str, name: &str| find(&mut is, kind, name)["spec"]["template"].clone();
    let selects = |pod: &Value| {
        let labels = &pod["metadata"]["labels"];
        selected.iter().all(|(label, value)| labels[label] == *value)
    };
    let controller = pod_of("Deployment", "controller");
    assert!(selects(&controller));
    assert!(!selects(&pod_of("DaemonSet", "speaker")));
    let container = &controller["spec"]["containers"][0];
    let ports = container["ports"].as_array().unwrap().iter();
    let mut listens: Vec<&Value> = ports.map(|port| &port["containerPort"]).collect();
    listens.push(&container["readinessProbe"]["httpGet"]["port"]);
    let open = policy["spec"]["ingress"][0]["ports"].as_array().unwrap();
    let open: Vec<&Value> = open.iter().map(|port| &port["port"]).collect();
    assert_eq!(open, listens);
}

/// Nothing names the old namespace any more, and apart from the name nothing changes.
#[test]
fn other_namespace() {
    let text = build(&deploy().join("kustomize/other-namespace"));
    assert!(!text.contains("metallb-system"), "{text}");
    compare(&objects(&text), &elsewhere(&[MANIFEST]));
}

/// What is added to that overlay goes there, too.
#[test]
fn everything_in_another_namespace() {
    let overlay = copy().join("kustomize/other-namespace");
    let file = overlay.join("kustomization.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let base = "  - ../../manifests\n";
    let more = format!("{base}  - ../../monitoring\n  - ../../network-policy\n");
    assert!(text.contains(base));
    std::fs::write(&file, text.replacen(base, &more, 1)).unwrap();
    let text = build(&overlay);
    assert!(!text.contains("metallb-system"), "{text}");
    compare(&objects(&text), &elsewhere(&[MANIFEST, MONITORS, RULES, POLICY]));
}
