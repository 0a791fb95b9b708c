//! Our CustomResourceDefinitions against MetalLB's, field by field.
//!
//! MetalLB's come out of its Go module, which `go` fetches. Every difference must be a row of `docs/crds-differences.md`,
//! and every row must still be a difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const MODULE: &str = "go.universe.tf/metallb@v0.16.2";

/// One difference: the kind, the path below `spec` of its definition, MetalLB's value and ours.
#[derive(Debug)]
struct Difference {
    kind: String,
    path: String,
    theirs: Option<Value>,
    ours: Option<Value>,
}

/// One row of the table; `*` in a kind or path stands for anything, `…` in a value for any value.
struct Row {
    kinds: Vec<String>,
    path: String,
    theirs: String,
    ours: String,
}

#[test]
fn differs_from_metallb_only_as_documented() {
    let theirs = definitions_of_metallb();
    let ours = definitions();
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>(),
        "kinds"
    );
    let mut differences = Vec::new();
    for (kind, ours) in &ours {
        compare(kind, "", Some(&theirs[kind]), Some(ours), &mut differences);
    }
    let table = include_str!("../../docs/crds-differences.md");
    let rows: Vec<Row> = table.lines().filter_map(Row::parse).collect();
    let unlisted: Vec<_> = differences
        .iter()
        .filter(|one| !rows.iter().any(|row| row.covers(one)))
        .collect();
    let stale: Vec<_> = rows
        .iter()
        .flat_map(|row| row.kinds.iter().map(move |kind| (row, kind)))
        .filter(|(row, kind)| {
            !differences
                .iter()
                .any(|one| like(kind, &one.kind) && row.covers(one))
        })
        .map(|(row, kind)| format!("{kind} {}", row.path))
        .collect();
    assert!(
        unlisted.is_empty(),
        "differences that docs/crds-differences.md does not list:\n{unlisted:#?}"
    );
    assert!(
        stale.is_empty(),
        "rows of docs/crds-differences.md that are no difference: {stale:#?}"
    );
}

/// Our definitions of MetalLB's kinds, by kind.
fn definitions() -> BTreeMap<String, Value> {
    let all = cortenlb_crds::definitions::all();
    all.iter()
        .filter(|crd| crd.spec.group == cortenlb_crds::names::GROUP)
        .map(|crd| shape(serde_json::to_value(crd).expect("a definition is JSON")))
        .collect()
}

/// MetalLB's definitions, by kind.
fn definitions_of_metallb() -> BTreeMap<String, Value> {
    let folder = module().join("config/crd/bases");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| {
            let text = std::fs::read_to_string(file.expect("the folder is readable").path())
                .expect("a definition is a file");
            shape(serde_saphyr::from_str(text.trim_start_matches("---\n")).expect("a definition is YAML"))
        })
        .collect()
}

/// The folder of the Go module, fetched if it is not there.
fn module() -> PathBuf {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", MODULE])
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    let output = go
        .output()
        .expect("`go` fetches MetalLB's definitions: install Go 1.24 or later");
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("go mod download: {error}: {text}"));
    let dir = answer["Dir"]
        .as_str()
        .unwrap_or_else(|| panic!("go mod download {MODULE}: {answer}"));
    Path::new(dir).to_owned()
}

/// The kind and what to compare: `spec` with its versions by name, without descriptions, lists that are sets sorted.
fn shape(mut crd: Value) -> (String, Value) {
    let kind = crd["spec"]["names"]["kind"]
        .as_str()
        .expect("a definition has a kind")
        .to_owned();
    let mut spec = crd["spec"].take();
    // What the API server fills in (Kubernetes API, CustomResourceDefinition): both spellings mean the same.
    spec["names"]["listKind"] = json!(format!("{kind}List"));
    if spec["conversion"].is_null() {
        spec["conversion"] = json!({ "strategy": "None" });
    }
    let versions = spec["versions"]
        .as_array()
        .expect("a definition has versions")
        .clone();
    spec["versions"] = versions
        .into_iter()
        .map(|v| (v["name"].as_str().expect("a version has a name").to_owned(), v))
        .collect();
    tidy(&mut spec, false);
    (kind, spec)
}

fn tidy(value: &mut Value, names_are_fields: bool) {
    match value {
        Value::Object(fields) => {
            if !names_are_fields {
                fields.remove("description");
                if let Some(Value::Array(required)) = fields.get_mut("required") {
                    required.sort_by_key(Value::to_string);
                }
            }
            for (name, value) in fields {
                tidy(value, name == "properties" && !names_are_fields);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, false)),
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0) {
                *value = json!(float);
            }
        }
        Value::String(text) => *text = text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Null | Value::Bool(_) => {}
    }
}

fn compare(
    kind: &str,
    path: &str,
    theirs: Option<&Value>,
    ours: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match (theirs, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names {
                compare(kind, &below(name), a.get(name), b.get(name), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b)))
            if !path.ends_with("required") && !path.ends_with("enum") =>
        {
            for index in 0..a.len().max(b.len()) {
                compare(
                    kind,
                    &below(&index.to_string()),
                    a.get(index),
                    b.get(index),
                    found,
                );
            }
        }
        _ if theirs == ours => {}
        _ => found.push(Difference {
            kind: kind.to_owned(),
            path: path.to_owned(),
            theirs: theirs.cloned(),
            ours: ours.cloned(),
        }),
    }
}

impl Row {
    /// Reads `| kinds | path | MetalLB | CortenLB | why |`; other lines are prose.
    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<_> = line
            .strip_prefix('|')?
            .strip_suffix('|')?
            .split('|')
            .map(str::trim)
            .collect();
        let [kinds, path, theirs, ours, why] = cells[..] else {
            panic!("not five cells: {line}")
        };
        if kinds == "kinds" || kinds.starts_with('-') {
            return None;
        }
        assert!(!why.is_empty(), "no reason: {line}");
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        let kinds = kinds.split(", ").map(str::to_owned).collect();
        Some(Self {
            kinds,
            path: plain(path),
            theirs: plain(theirs),
            ours: plain(ours),
        })
    }

    fn covers(&self, one: &Difference) -> bool {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "–".to_owned(), Value::to_string);
        let value = |cell: &str, value: &Option<Value>| match cell {
            "…" => value.is_some(),
            cell => cell == text(value),
        };
        self.kinds.iter().any(|kind| like(kind, &one.kind))
            && like(&self.path, &one.path)
            && value(&self.theirs, &one.theirs)
            && value(&self.ours, &one.ours)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && like(tail, &rest[at..]))
        }),
    }
}

#[test]
fn patterns_match_whole_texts() {
    assert!(like("a*c", "abc") && like("*", "") && like("a.*.d*", "a.b.c.d.e"));
    assert!(!like("a*c", "abcd") && !like("a", "ab"));
}
