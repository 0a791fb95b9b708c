//! The page of kinds: every field that a definition has, with its type, its default and its meaning.

use std::fmt::Write as _;

use serde_json::Value;

/// The page.
pub(super) const PAGE: &str = "docs/reference-kinds.md";

const HEAD: &str = "# Kinds

<!-- Made by `cargo xtask gen`: change the Rust it is made from. -->

What each kind can say, as the API server knows it. Objects of `metallb.io` are MetalLB's ([where the definitions
differ](crds-differences.md)); those for BGP are accepted and have no effect yet. All are read from our own namespace alone,
apart from `AddressReservation`, which is in the namespace of its Service. `[]` stands for each element of a list; a field in
**bold** must be there. What is at fault in an object is said when it is applied, or by a condition.
";

/// The page about these definitions.
pub(super) fn page(definitions: &[Value]) -> String {
    let mut page = HEAD.to_owned();
    for definition in definitions {
        let spec = &definition["spec"];
        let kind = text(&spec["names"]["kind"]);
        let versions = spec["versions"].as_array().into_iter().flatten();
        let stored = versions.clone().find(|version| version["storage"] == true);
        let Some(stored) = stored else { continue };
        let served: Vec<String> = versions
            .filter(|version| version["served"] == true)
            .map(|version| format!("`{}/{}`", text(&spec["group"]), text(&version["name"])))
            .collect();
        let schema = &stored["schema"]["openAPIV3Schema"];
        let _ = write!(
            page,
            "\n## {kind}\n\n{} {}; `kubectl get {}`.\n",
            text(&schema["description"]),
            served.join(" and "),
            text(&spec["names"]["plural"]),
        );
        page += "\n| field | type | default | meaning |\n| --- | --- | --- | --- |\n";
        for part in ["spec", "status"] {
            fields(&mut page, part, &schema["properties"][part]);
        }
    }
    page
}

/// The rows of the fields below `path`.
fn fields(page: &mut String, path: &str, schema: &Value) {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let shown = if required.contains(&name.as_str()) {
            format!("**`{path}`**")
        } else {
            format!("`{path}`")
        };
        let default = match &field["default"] {
            Value::Null => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(
            page,
            "| {shown} | {} | {default} | {} |",
            kind(field),
            cell(&field["description"])
        );
        if is_selector(field) {
            continue;
        }
        fields(page, &path, field);
        if !is_selector(&field["items"]) {
            fields(page, &format!("{path}[]"), &field["items"]);
        }
    }
}

/// Kubernetes's own, which everybody knows.
fn is_selector(schema: &Value) -> bool {
    !schema["properties"]["matchLabels"].is_null()
}

/// The type in words.
fn kind(schema: &Value) -> String {
    if is_selector(schema) {
        return "label selector".to_owned();
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", text(value))).collect();
        return values.join(", ");
    }
    match text(&schema["type"]) {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if !schema["additionalProperties"].is_null() => {
            format!("map to {}", kind(&schema["additionalProperties"]))
        }
        "" => "any".to_owned(),
        name => match text(&schema["format"]) {
            "" => name.to_owned(),
            format => format!("{name} ({format})"),
        },
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text in a table: on one line, and its bars no borders.
fn cell(value: &Value) -> String {
    let words: Vec<&str> = text(value).split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
