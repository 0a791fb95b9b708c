//! Running Helm, and reading what it writes.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use cortenlb_lab::Helm;
use serde_json::Value;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static HELM: LazyLock<Helm> = LazyLock::new(|| RUNTIME.block_on(Helm::ensure()).unwrap());
static METALLB: LazyLock<PathBuf> =
    LazyLock::new(|| RUNTIME.block_on(cortenlb_lab::metallb_chart()).unwrap());

/// A copy of the chart that renders its NOTES as an object: `helm template` leaves them out.
static WITH_NOTES: LazyLock<PathBuf> = LazyLock::new(|| {
    let copy = copy_of_chart("with-notes");
    let template = "kind: Notes\nmetadata:\n  name: notes\ntext: {{ include (print $.Template.BasePath \"/NOTES.txt\") . | toJson }}\n";
    std::fs::write(copy.join("templates/zz-notes.yaml"), template).unwrap();
    copy
});

/// Runs Helm, whatever comes of it.
pub(crate) fn run(words: &[&str]) -> Output {
    RUNTIME.block_on(HELM.run(words)).unwrap()
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn chart() -> PathBuf {
    workspace().join("deploy/chart")
}

pub(crate) fn with_notes() -> &'static Path {
    &WITH_NOTES
}

/// MetalLB's chart.
pub(crate) fn metallb() -> &'static Path {
    &METALLB
}

/// A file of values below this folder.
pub(crate) fn values(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/chart/values")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// A copy of the chart in a folder of its own, to change.
pub(crate) fn copy_of_chart(name: &str) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chart").join(name);
    let _ = std::fs::remove_dir_all(&copy);
    copy_folder(&chart(), &copy);
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What release `release` of a chart is made of, or what Helm says instead.
pub(crate) fn template(release: &str, chart: &Path, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let chart = chart.to_str().unwrap();
    let words = ["template", release, chart, "--namespace", "metallb-system"];
    let output = run(&[&words[..], arguments].concat());
    if output.status.success() {
        Ok(documents(&String::from_utf8(output.stdout).unwrap()))
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// Release `metallb` of our chart.
pub(crate) fn ours(arguments: &[&str]) -> Vec<Value> {
    template("metallb", &chart(), arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// The documents of a file, without those that are empty.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line == "---" {
            documents.push(String::new());
        } else {
            let last = documents.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
    }
    documents
        .iter()
        .filter(|document| {
            document
                .lines()
                .any(|line| !line.is_empty() && !line.starts_with('#'))
        })
        .map(|document| {
            serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}:\n{document}"))
        })
        .collect()
}

/// The one object of this kind whose name ends so.
pub(crate) fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found: Vec<&Value> = documents
        .iter()
        .filter(|one| one["kind"] == kind && one["metadata"]["name"].as_str().unwrap().ends_with(name))
        .collect();
    assert_eq!(found.len(), 1, "{kind} …{name}");
    found[0]
}

/// The pod of a workload.
pub(crate) fn pod<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    &find(documents, kind, name)["spec"]["template"]["spec"]
}

/// An environment variable of a pod's first container.
pub(crate) fn variable<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let found = variables.iter().find(|variable| variable["name"] == name)?;
    found["value"].as_str()
}

/// The arguments of a pod's first container.
pub(crate) fn arguments(pod: &Value) -> Vec<&str> {
    let arguments = pod["containers"][0]["args"].as_array().unwrap();
    arguments
        .iter()
        .map(|argument| argument.as_str().unwrap())
        .collect()
}
