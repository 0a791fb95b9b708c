//! What the flags of a program say of themselves, for the page of the documentation that lists them.

use clap::{Arg, Command};

/// The flags of `program` as a table in Markdown, those without effect last.
pub fn table(program: &Command) -> String {
    let (without, with): (Vec<&Arg>, Vec<&Arg>) = program
        .get_arguments()
        .partition(|flag| flag.get_help_heading().is_some());
    let rows = with.into_iter().chain(without).map(row);
    let head = "| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n";
    std::iter::once(head.to_owned()).chain(rows).collect()
}

fn row(flag: &Arg) -> String {
    let name = flag.get_long().map(|name| format!("--{name}"));
    let variable = flag.get_env().map(|name| name.to_string_lossy().into_owned());
    let default = flag
        .get_default_values()
        .first()
        .map(|value| value.to_string_lossy().into_owned());
    let default = if flag.is_required_set() {
        "required".to_owned()
    } else {
        code(default)
    };
    let meaning = match flag.get_help() {
        Some(help) if flag.get_help_heading().is_none() => help.to_string(),
        _ => "accepted, without effect".to_owned(),
    };
    format!(
        "| {} | {} | {default} | {meaning} |\n",
        code(name),
        code(variable)
    )
}

fn code(text: Option<String>) -> String {
    let text = text.filter(|text| !text.is_empty());
    text.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"))
}
