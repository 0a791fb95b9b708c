mod monitors;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cortenlb_e2e::cluster::manifest;
use serde_json::{Value, json};

use super::*;

/// Where the pages of the alerts are, before their paths in the repository.
const REPOSITORY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// What begins the names of our metrics.
const PREFIXES: [&str; 3] = ["metallb_", "cortenlb_", "process_"];

fn read(file: &str) -> String {
    let path = crate::workspace_root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of a file in YAML.
fn yaml(file: &str) -> Vec<Value> {
    manifest::read(&crate::workspace_root().join(file)).unwrap()
}

/// The groups of the PrometheusRule.
fn groups() -> Vec<Value> {
    let [rule]: [Value; 1] = yaml("deploy/monitoring/rules.yaml").try_into().unwrap();
    let Value::Array(groups) = rule["spec"]["groups"].clone() else {
        panic!("no groups: {rule}")
    };
    groups
}

fn rules() -> Vec<Value> {
    let groups = groups();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.cloned().collect()
}

/// Every `expr` in a dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").map(|expr| expr.as_str().unwrap().to_owned()));
            fields.values().for_each(|value| queries(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// The metrics that a query asks for.
fn metrics(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    ours.map(str::to_owned).collect()
}

/// The metrics that the page has, and the series of a histogram. The page is held against the programs where those are.
fn known() -> BTreeSet<String> {
    let page = read("docs/reference-metrics.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
    rows.flat_map(|(name, rest)| {
        let series = if rest.starts_with("histogram ") {
            &["_bucket", "_count", "_sum"][..]
        } else {
            &[""]
        };
        series.iter().map(move |ending| format!("{name}{ending}"))
    })
    .collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let mut asked: Vec<String> = rules()
        .iter()
        .map(|rule| rule["expr"].as_str().unwrap().to_owned())
        .collect();
    let alerts = asked.len();
    let dashboard: Value = serde_json::from_str(&read("deploy/dashboards/cortenlb.json")).unwrap();
    queries(&dashboard, &mut asked);
    assert!(asked.len() > alerts, "the dashboard has no query");
    let known = known();
    for query in asked {
        let metrics = metrics(&query);
        assert!(!metrics.is_empty(), "{query} asks for nothing of ours");
        for metric in metrics {
            assert!(known.contains(&metric), "{query}: there is no {metric}");
        }
    }
}

#[test]
fn each_alert_has_its_page_and_each_page_an_alert() {
    let mut pages = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        for annotation in ["summary", "description"] {
            assert!(
                rule["annotations"][annotation].is_string(),
                "{name} has no {annotation}"
            );
        }
        assert!(rule["labels"]["severity"].is_string(), "{name} has no severity");
        let url = rule["annotations"]["runbook_url"].as_str().unwrap();
        let page = url.strip_prefix(REPOSITORY);
        let page = page.unwrap_or_else(|| panic!("{name}: {url} does not begin with {REPOSITORY}"));
        let text = read(page);
        let title = Path::new(page).file_stem().unwrap().to_str().unwrap();
        assert!(text.starts_with(&format!("# {title}\n")), "{page}");
        assert!(text.contains("**What to do:**"), "{page} says nothing to do");
        pages.insert(page.to_owned());
    }
    let folder = crate::workspace_root().join("docs/runbooks");
    let there = std::fs::read_dir(folder).unwrap();
    let there = there.map(|entry| format!("docs/runbooks/{}", entry.unwrap().file_name().to_str().unwrap()));
    assert_eq!(there.collect::<BTreeSet<_>>(), pages);
}

/// Each alert goes off in one of the tests for promtool, and stays silent in another.
#[test]
fn each_alert_is_tested() {
    let [tests]: [Value; 1] = yaml("deploy/monitoring/tests.yaml").try_into().unwrap();
    let cases = tests["tests"].as_array().unwrap().iter();
    let cases: Vec<&Value> = cases
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for rule in rules() {
        let of = |fires: bool| {
            let mut cases = cases.iter().filter(|case| case["alertname"] == rule["alert"]);
            cases.any(|case| case["exp_alerts"].is_array() == fires)
        };
        assert!(of(true), "{} goes off in no test", rule["alert"]);
        assert!(of(false), "{} is silent in no test", rule["alert"]);
    }
}

/// Runs promtool on groups of alerts, and on the tests of them. JSON is YAML too.
fn promtool_passes(promtool: &Path, name: &str, groups: &[Value], tests: &str) {
    let folder = std::env::temp_dir().join(format!("cortenlb-alerts-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("groups.yaml"),
        json!({ "groups": groups }).to_string(),
    )
    .unwrap();
    std::fs::write(folder.join("tests.yaml"), tests).unwrap();
    for arguments in [["check", "rules", "groups.yaml"], ["test", "rules", "tests.yaml"]] {
        let output = Command::new(promtool)
            .args(arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{name}: promtool {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The groups that the chart makes with these values.
async fn groups_of_chart(values: &Value) -> Vec<Value> {
    let helm = cortenlb_lab::Helm::ensure().await.unwrap();
    let chart = crate::workspace_root().join(crate::r#gen::CHART);
    let values = format!("--set-json=prometheus.prometheusRule={values}");
    let words = ["template", "metallb", chart.to_str().unwrap(), &values];
    let only = ["--show-only", "templates/rules.yaml"];
    let output = helm.run(&[&words[..], &only].concat()).await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let [rule]: [Value; 1] = manifest::parse(text.trim_start_matches("---\n"))
        .unwrap()
        .try_into()
        .unwrap();
    rule["spec"]["groups"].as_array().unwrap().clone()
}

#[test]
fn promtool_accepts_the_alerts_and_they_go_off_as_they_are_to() {
    let Some(promtool) = promtool() else {
        eprintln!("SKIPPED: there is no promtool; `cargo xtask test` fetches it");
        return;
    };
    promtool_passes(
        &promtool,
        "manifest",
        &groups(),
        &read("deploy/monitoring/tests.yaml"),
    );
}

/// As they are, and with values of MetalLB's chart: other thresholds, and pools that raise no alert.
#[tokio::test]
async fn promtool_accepts_the_alerts_of_the_chart_and_they_go_off_as_they_are_to() {
    let Some(promtool) = promtool() else {
        eprintln!("SKIPPED: there is no promtool; `cargo xtask test` fetches it");
        return;
    };
    let default = groups_of_chart(&json!({ "enabled": true })).await;
    promtool_passes(
        &promtool,
        "chart",
        &default,
        &read("deploy/monitoring/tests.yaml"),
    );

    let values = json!({
        "enabled": true,
        "runbookUrl": "https://wiki.example.org/runbooks/",
        "addressPoolExhausted": { "excludePools": "test-.*" },
        "addressPoolUsage": {
            "excludePools": "test-.*",
            "thresholds": [{ "percent": 50, "labels": { "severity": "info" } }],
        },
    });
    let is_full = |pool: &str| {
        let of = |metric: &str| format!("metallb_allocator_addresses_{metric}{{pool=\"{pool}\"}}");
        [of("in_use_total"), of("total")].map(|series| json!({ "series": series, "values": "10x5" }))
    };
    let goes_off = |alert: &str, severity: &str, page: &str, summary: &str, description: &str| {
        json!({ "eval_time": "3m", "alertname": alert, "exp_alerts": [{
            "exp_labels": { "severity": severity, "pool": "a" },
            "exp_annotations": {
                "summary": summary,
                "description": description,
                "runbook_url": format!("https://wiki.example.org/runbooks/{page}.md"),
            },
        }] })
    };
    let series = [is_full("a"), is_full("test-1")].concat();
    let tests = json!({
        "rule_files": ["groups.yaml"],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": series,
            "alert_rule_test": [
                goes_off(
                    "MetalLBAddressPoolExhausted",
                    "critical",
                    "MetalLBAddressPoolExhausted",
                    "Pool a has no free address",
                    "The next Service that wants an address of it gets none.",
                ),
                goes_off(
                    "MetalLBAddressPoolUsage50Percent",
                    "info",
                    "MetalLBAddressPoolUsage",
                    "Pool a is 100 % full",
                    "More than 50 of 100 addresses are in use.",
                ),
            ],
        }],
    });
    let set = groups_of_chart(&values).await;
    promtool_passes(&promtool, "values", &set, &tests.to_string());
}
