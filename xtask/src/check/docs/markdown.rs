//! What is read of a page: as much Markdown as the pages use.

use std::collections::BTreeMap;

/// The lines of a page that are no code block, from 1.
fn lines(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    page.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        (!in_code && !fence).then_some((at + 1, line))
    })
}

/// What the headings are linked by: as GitHub and mdBook make it from their text.
pub(super) fn anchors(page: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = lines(page).filter_map(|(_, line)| {
        let text = line.trim_start_matches('#');
        let is_heading = text.len() < line.len() && text.starts_with(' ');
        is_heading.then(|| anchor(text.trim()))
    });
    headings
        .map(|anchor| {
            let count = seen.entry(anchor.clone()).or_default();
            *count += 1;
            match *count {
                1 => anchor,
                more => format!("{anchor}-{}", more - 1),
            }
        })
        .collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        _ => character.is_alphanumeric().then_some(character),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// The targets of links, with their lines.
pub(super) fn links(page: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (at, line) in lines(page) {
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            links.push((at, target.to_owned()));
            rest = after;
        }
    }
    links
}

/// The line, with what stands between backticks left out.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .filter(|(place, _)| place % 2 == 0)
        .map(|(_, part)| part)
        .collect()
}

/// What stands between backticks.
pub(super) fn code(page: &str) -> impl Iterator<Item = &str> {
    lines(page).flat_map(|(_, line)| {
        let parts = line.split('`').enumerate();
        parts.filter(|(place, _)| place % 2 == 1).map(|(_, part)| part)
    })
}

/// What stands between backticks in the first cell of each row, of the tables whose first column is called `name`.
pub(super) fn first_column<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let mut is_ours = false;
    let mut in_table = false;
    lines(page).flat_map(move |(_, line)| {
        let cell = line.strip_prefix("| ").and_then(|rest| rest.split(" |").next());
        if !in_table {
            is_ours = cell == Some(name);
        }
        in_table = line.starts_with('|');
        let words = cell.filter(|_| is_ours).into_iter();
        words.flat_map(|cell| cell.split('`').skip(1).step_by(2))
    })
}
