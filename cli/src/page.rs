//! A report as text: tables, fields, colours; or as JSON or YAML.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::CliError;

/// What `-o` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// The same with more columns, where there are more: why, status, failovers.
    Wide,
    /// For programs.
    Json,
    /// For programs.
    Yaml,
}

/// What a command found.
pub(crate) trait Report: Serialize {
    /// For people.
    fn print(&self, page: &mut Page);

    /// Whether it is something that should be looked at: exit code 2.
    fn has_findings(&self) -> bool {
        false
    }
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// What matters less.
    Dim,
    Good,
    Doubtful,
    Bad,
}

impl Tone {
    /// Select Graphic Rendition (ECMA-48 §8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Doubtful => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// A text and how it is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        Self { text, tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// A table with a head, in columns as wide as their widest text.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// One cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Text under way.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    colours: bool,
    wide: bool,
}

impl Page {
    pub(crate) fn new(colours: bool, wide: bool) -> Self {
        Self {
            text: String::new(),
            colours,
            wide,
        }
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.wide
    }

    /// A heading, with an empty line before it.
    pub(crate) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line([Cell::new(text, Tone::Bold)]);
    }

    /// One line.
    pub(crate) fn line(&mut self, cells: impl IntoIterator<Item = Cell>) {
        for cell in cells {
            self.put(&cell, 0);
        }
        self.end_line();
    }

    /// One line of plain text.
    pub(crate) fn text(&mut self, text: &str) {
        self.line([Cell::from(text)]);
    }

    /// Names and values, a line each. A value that is empty is left out with its name.
    pub(crate) fn fields(&mut self, fields: impl IntoIterator<Item = (&'static str, Cell)>) {
        let fields: Vec<_> = fields
            .into_iter()
            .filter(|(_, cell)| !cell.text.is_empty())
            .collect();
        let width = fields
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        for (name, value) in fields {
            self.put(&Cell::new(format!("  {name:width$}  "), Tone::Dim), 0);
            self.put(&value, 0);
            self.end_line();
        }
    }

    pub(crate) fn table(&mut self, table: &Table) {
        let head = table
            .head
            .iter()
            .map(|text| Cell::new(*text, Tone::Dim))
            .collect();
        let rows: Vec<&Vec<Cell>> = std::iter::once(&head).chain(&table.rows).collect();
        let width = |column: usize| {
            let texts = rows.iter().filter_map(|row| row.get(column));
            texts
                .map(|cell| cell.text.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..table.head.len()).map(width).collect();
        for row in rows {
            for (cell, width) in row.iter().zip(&widths) {
                self.put(cell, width + 3);
            }
            self.end_line();
        }
    }

    /// The table, or this text if it has no rows.
    pub(crate) fn table_or(&mut self, table: &Table, empty: &str) {
        if table.is_empty() {
            self.text(empty);
        } else {
            self.table(table);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// `width` is filled up with blanks, outside of the colours.
    fn put(&mut self, cell: &Cell, width: usize) {
        let code = cell.tone.code();
        if self.colours && !code.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "{code}{}\x1b[0m", cell.text);
        } else {
            self.text.push_str(&cell.text);
        }
        let blanks = width.saturating_sub(cell.text.chars().count());
        self.text.extend(std::iter::repeat_n(' ', blanks));
    }

    fn end_line(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
        self.text.push('\n');
    }
}

/// The whole report in this format. Only tables have colours.
pub(crate) fn render(report: &impl Report, format: Format, colours: bool) -> Result<String, CliError> {
    let failed = |why: String| CliError::Write(why);
    match format {
        Format::Table | Format::Wide => {
            let mut page = Page::new(colours, format == Format::Wide);
            report.print(&mut page);
            Ok(page.into_text())
        }
        Format::Json => {
            let text = serde_json::to_string_pretty(report).map_err(|error| failed(error.to_string()))?;
            Ok(text + "\n")
        }
        Format::Yaml => serde_saphyr::to_string(report).map_err(|error| failed(error.to_string())),
    }
}

/// `items`, or a dash.
pub(crate) fn joined(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        return "-".to_owned();
    }
    items.join(", ")
}

/// The first few of `items`, and how many more there are.
pub(crate) fn some(items: impl IntoIterator<Item = impl ToString>) -> String {
    const SHOWN: usize = 5;
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.split_at_checked(SHOWN) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => joined(&items),
    }
}

/// A time that has passed, as kubectl writes ages: `12s`, `5m`, `3h`, `9d`.
pub(crate) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
pub(crate) mod tests;
