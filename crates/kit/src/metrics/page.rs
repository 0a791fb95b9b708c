//! The registry as a table of `docs/reference-metrics.md`, for the tests that hold one against the other.

use prometheus_client::registry::Registry;

use super::render;

/// What is wrong with the page's section `heading`: the table of `registry` differs from the one that is there. `None`: it is
/// the same. Give every family a sample before: those without one are not in a registry's text.
#[must_use]
pub fn differs(page: &str, heading: &str, registry: &Registry) -> Option<String> {
    let is_row = |line: &&str| line.starts_with("| `");
    let begin = format!("## {heading}");
    let section = page.lines().skip_while(|line| **line != begin).skip(1);
    let there: Vec<&str> = section
        .take_while(|line| !line.starts_with("## "))
        .filter(is_row)
        .collect();
    let wanted = rows(&render(registry));
    (there != wanted).then(|| format!("the table below {begin:?} is to be:\n{}\n", wanted.join("\n")))
}

/// A row for each metric of an exposition: name, type, labels, unit, meaning. A counter has the name of its samples, by which
/// it is asked for.
fn rows(text: &str) -> Vec<String> {
    let mut rows: Vec<String> = text.split("# HELP ").skip(1).filter_map(row).collect();
    rows.sort();
    rows
}

fn row(family: &str) -> Option<String> {
    let mut lines = family.lines();
    let (name, help) = lines.next()?.split_once(' ')?;
    let kind = lines.next()?.strip_prefix("# TYPE ")?.split_once(' ')?.1;
    let labels = lines
        .find(|line| !line.starts_with('#'))
        .map(labels)
        .unwrap_or_default();
    let labels = if labels.is_empty() {
        "–".to_owned()
    } else {
        labels
    };
    let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit));
    let total = if kind == "counter" { "_total" } else { "" };
    Some(format!(
        "| `{name}{total}` | {kind} | {labels} | {} | {help} |",
        unit.unwrap_or("–")
    ))
}

/// The names of a sample's labels, but for the bound of a histogram's bucket.
fn labels(sample: &str) -> String {
    let labels = sample.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let labels = labels.map_or("", |(labels, _)| labels);
    // Between two values stands `,name=`.
    let names = labels
        .split('"')
        .step_by(2)
        .map(|name| name.trim_matches([',', '=']));
    let names = names.filter(|name| !name.is_empty() && *name != "le");
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
