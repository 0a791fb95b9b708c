use super::*;

fn mk_pages<const N: usize>(pages: [(&str, &str); N]) -> Pages {
    let pages = pages.into_iter();
    pages
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect()
}

/// What is wrong with the links of these pages, beside which there is a file `deploy/a.yaml`.
fn wrong_links<const N: usize>(pages: [(&str, &str); N]) -> Vec<String> {
    links::wrong(&mk_pages(pages), &|path| path == "deploy/a.yaml")
}

#[test]
fn every_page_is_listed_once() {
    assert_eq!(
        wrong_links([
            (
                "docs/SUMMARY.md",
                "- [A](a.md)\n- [B](sub/b.md)\n- [B again](sub/b.md)\n"
            ),
            ("docs/a.md", ""),
            ("docs/sub/b.md", ""),
            ("docs/sub/c.md", ""),
            ("README.md", ""),
        ]),
        [
            "docs/sub/b.md is 2 times in docs/SUMMARY.md: once is enough",
            "docs/sub/c.md is not in docs/SUMMARY.md: give it a place there",
        ]
    );
    assert_eq!(
        wrong_links([("README.md", "")]),
        ["docs/SUMMARY.md is not there: it lists the pages of the book"]
    );
}

#[test]
fn links_lead_to_files_and_headings() {
    let page = "\
# A page
[up](../README.md#two-words) [file](../deploy/a.yaml) [here](#a-page) [out](https://example.org/x#y)
`[no](link.md)`
```
[no](link.md)
```
[gone](gone.md), [heading](../README.md#three), [both](#there)
[of a file](../deploy/a.yaml#x)
";
    assert_eq!(
        wrong_links([
            ("docs/SUMMARY.md", "[A](a.md)"),
            ("docs/a.md", page),
            ("README.md", "# One\n## Two words\n"),
        ]),
        [
            "docs/a.md:7: link \"gone.md\": there is no such file",
            "docs/a.md:7: link \"../README.md#three\": the page has no such heading",
            "docs/a.md:7: link \"#there\": the page has no such heading",
            "docs/a.md:8: link \"../deploy/a.yaml#x\": a heading of a file that is no page",
        ]
    );
}

#[test]
fn headings_are_linked_as_github_and_mdbook_do() {
    let page = "# What it is: `a/b`, and more\n```\n# no heading\n```\n## Twice\n## Twice\n#none\n### Two_words - three\n";
    assert_eq!(
        markdown::anchors(page),
        ["what-it-is-ab-and-more", "twice", "twice-1", "two_words---three"]
    );
}

#[test]
fn the_first_column_is_that_of_the_tables_of_this_name() {
    let page = "\
| reason | meaning |
| --- | --- |
| `One`, `Two` | `no` |

| cause | meaning |
| --- | --- |
| `Other` | |
";
    let reasons: Vec<_> = markdown::first_column(page, "reason").collect();
    assert_eq!(reasons, ["One", "Two"]);
    let causes: Vec<_> = markdown::first_column(page, "cause").collect();
    assert_eq!(causes, ["Other"]);
}

#[test]
fn texts_are_those_of_the_code_and_not_of_comments_and_tests() {
    let source = r##"
        // A "comment".
        let first = ["one", "with \" and \\"]; /// "another"
        let quote = ('"', "after a quote");
        let raw = r#"raw " text"#;
        self.note(key, Severity::Normal,
            "reason", "message");
        warning("bad", text);
#[cfg(test)]
mod tests {
        let none = "test";
"##;
    let texts = rust::texts(source);
    let all: Vec<&str> = texts.iter().map(|text| text.text).collect();
    assert_eq!(
        all,
        [
            "one",
            "with \\\" and \\\\",
            "after a quote",
            "raw \" text",
            "reason",
            "message",
            "bad"
        ]
    );
    let events: Vec<&str> = texts
        .iter()
        .filter(|text| text.is_event)
        .map(|text| text.text)
        .collect();
    assert_eq!(events, ["reason", "bad"]);
}

/// A page for each list, with these names.
fn mk_reference(labels: &str, conditions: &str, events: &str) -> Pages {
    let table = |head: &str, name: &str| format!("| {head} | meaning |\n| --- | --- |\n| `{name}` | |\n");
    mk_pages([
        ("docs/reference-annotations.md", &format!("`{labels}: value`")),
        (
            "docs/reference-conditions.md",
            &format!("# `cortenlb.io/Kind`\n{}", table("reason", conditions)),
        ),
        (
            "docs/reference-events.md",
            &format!("{}\n{}", table("reason", events), table("cause", "Lost")),
        ),
    ])
}

#[test]
fn the_pages_have_the_names_that_the_code_has_and_no_others() {
    let mut code = names::Code::default();
    code.read(
        "controller/src/a.rs",
        r#"a("metallb.io/a", "metallb.io/v1beta1", "cortenlb.io/Kind", "Full", "True"); b(Severity::Normal, "told");"#,
    );
    code.read("crates/proto/src/a.rs", r#"("Lost", None)"#);
    code.read("crds/src/a.rs", r#"kind("Thing")"#);
    assert!(names::wrong(&mk_reference("metallb.io/a", "Full", "told"), &code).is_empty());
    assert_eq!(
        names::wrong(&mk_reference("metallb.io/b", "Empty", "said"), &code),
        [
            "docs/reference-annotations.md lacks `metallb.io/a`, which is in the code",
            "docs/reference-events.md lacks `told`, which is in the code",
            "docs/reference-conditions.md lacks `Full`, which is in the code",
            "docs/reference-annotations.md has `metallb.io/b`, which is not in the code",
            "docs/reference-conditions.md has `Empty`, which is not in the code",
            "docs/reference-events.md has `said`, which is not in the code",
        ]
    );
}

#[test]
fn code_for_tests_has_no_names() {
    for path in [
        "controller/src/args/tests.rs",
        "crates/core/src/ipam/tests/a.rs",
        "crates/kit/src/fake/state.rs",
    ] {
        assert!(is_for_tests(path), "{path}");
    }
    assert!(!is_for_tests("controller/src/args.rs"));
}
