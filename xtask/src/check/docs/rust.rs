//! The texts in a Rust file: its string literals, without those in comments and in a test module at its end.

/// What the compiler is told before a module of tests.
const TESTS: &str = "#[cfg(test)]\nmod tests";

/// What stands, without blanks, before the reason of an Event.
const EVENT: [&str; 3] = ["Severity::Normal,", "Severity::Warning,", "warning("];

/// A string literal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text<'a> {
    /// As it is written, escapes included.
    pub(super) text: &'a str,
    /// Whether it is the reason of an Event: it comes right after the severity.
    pub(super) is_event: bool,
}

/// All texts of a file.
pub(super) fn texts(source: &str) -> Vec<Text<'_>> {
    let mut texts = Vec::new();
    // What has been read since the last text, without blanks.
    let mut before = String::new();
    let mut rest = source.split(TESTS).next().unwrap_or_default();
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some((text, after)) = literal(rest) {
            let is_event = EVENT.iter().any(|call| before.ends_with(call));
            texts.push(Text { text, is_event });
            before.clear();
            rest = after;
        } else if let Some(after) = rest.strip_prefix("'\"'") {
            rest = after;
        } else {
            if !first.is_whitespace() {
                before.push(first);
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    texts
}

/// The string literal that `source` begins with, and what comes after it.
fn literal(source: &str) -> Option<(&str, &str)> {
    if let Some(raw) = source.strip_prefix("r#\"") {
        return raw.split_once("\"#");
    }
    let text = source.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = text.find(|character| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}
