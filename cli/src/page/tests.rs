use super::*;

/// The report as a table without colours, as tests read it.
pub(crate) fn shown(report: &impl Report) -> String {
    render(report, Format::Table, false).unwrap()
}

/// The lines that are not empty, each with single blanks: columns may become wider without another meaning.
pub(crate) fn lines(report: &impl Report) -> Vec<String> {
    lines_of(&shown(report))
}

/// The same of the wide form.
pub(crate) fn wide_lines(report: &impl Report) -> Vec<String> {
    lines_of(&render(report, Format::Wide, false).unwrap())
}

fn lines_of(text: &str) -> Vec<String> {
    let words = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|line| !line.is_empty()).collect()
}

#[derive(Serialize)]
struct Two {
    name: &'static str,
    number: u8,
}

impl Report for Two {
    fn print(&self, page: &mut Page) {
        let mut table = Table::new(&["NAME", "N"]);
        table.row([Cell::new(self.name, Tone::Good), self.number.to_string().into()]);
        page.heading("first");
        page.table(&table);
        page.heading("second");
        page.fields([
            ("long", Cell::from("x")),
            ("none", Cell::from("")),
            ("b", Cell::from("y")),
        ]);
        if page.is_wide() {
            page.text("more");
        }
    }
}

const TWO: Two = Two {
    name: "a name",
    number: 7,
};

#[test]
fn columns_are_as_wide_as_their_texts_and_lines_have_no_end_of_blanks() {
    let expected = "first\nNAME     N\na name   7\n\nsecond\n  long  x\n  b     y\n";
    assert_eq!(render(&TWO, Format::Table, false).unwrap(), expected);
    assert_eq!(
        render(&TWO, Format::Wide, false).unwrap(),
        format!("{expected}more\n")
    );
}

#[test]
fn colours_change_no_width() {
    let text = render(&TWO, Format::Table, true).unwrap();
    assert!(text.contains("\x1b[32ma name\x1b[0m   7\n"), "{text:?}");
    let mut plain = text;
    for tone in [Tone::Bold, Tone::Dim, Tone::Good] {
        plain = plain.replace(tone.code(), "");
    }
    assert_eq!(
        plain.replace("\x1b[0m", ""),
        render(&TWO, Format::Table, false).unwrap()
    );
}

#[test]
fn programs_get_the_same_without_colours() {
    let json = render(&TWO, Format::Json, true).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, serde_json::json!({ "name": "a name", "number": 7 }));
    let yaml = render(&TWO, Format::Yaml, true).unwrap();
    let yaml: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(yaml, json);
}

#[test]
fn ages_are_kubectls() {
    let ages = [-3, 5, 119, 120, 7_199, 7_200, 172_799, 172_800].map(age);
    assert_eq!(ages, ["0s", "5s", "119s", "2m", "119m", "2h", "47h", "2d"]);
}

#[test]
fn of_many_the_first_are_named() {
    assert_eq!(some(["a", "b"]), "a, b");
    assert_eq!(some(1..=5), "1, 2, 3, 4, 5");
    assert_eq!(some(1..=7), "1, 2, 3, 4, 5 and 2 more");
}
