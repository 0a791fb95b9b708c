use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Result<LabelSelector, SelectorError> {
    LabelSelector::default().and_expression(key, operator, values.iter().map(|value| (*value).to_owned()))
}

#[test]
fn empty_selector_matches_everything() {
    assert!(LabelSelector::default().matches(&labels(&[])));
    assert!(LabelSelector::default().matches(&labels(&[("a", "b")])));
}

#[test]
fn operators_follow_kubernetes() {
    let rows: &[(&str, &[&str], bool, bool, bool)] = &[
        // operator, values, label absent, value "x", value "y"
        ("In", &["x"], false, true, false),
        ("NotIn", &["x"], true, false, true),
        ("Exists", &[], false, true, true),
        ("DoesNotExist", &[], true, false, false),
    ];
    for (operator, values, absent, x, y) in rows {
        let selector = expression("k", operator, values).unwrap();
        assert_eq!(selector.matches(&labels(&[])), *absent, "{operator} absent");
        assert_eq!(selector.matches(&labels(&[("k", "x")])), *x, "{operator} x");
        assert_eq!(selector.matches(&labels(&[("k", "y")])), *y, "{operator} y");
    }
}

#[test]
fn all_requirements_must_hold() {
    let selector = LabelSelector::from_labels(&labels(&[("a", "1")]))
        .and_expression("b", "Exists", [])
        .unwrap();
    assert!(selector.matches(&labels(&[("a", "1"), ("b", "")])));
    assert!(!selector.matches(&labels(&[("a", "1")])));
    assert!(!selector.matches(&labels(&[("b", "")])));
}

#[test]
fn malformed_expressions_are_refused() {
    assert_eq!(
        expression("k", "Is", &["x"]).unwrap_err().to_string(),
        "\"Is\" is not a valid label selector operator (In, NotIn, Exists, DoesNotExist)"
    );
    assert_eq!(
        expression("k", "In", &[]).unwrap_err().to_string(),
        "matchExpressions on key \"k\": operator In needs values"
    );
    assert_eq!(
        expression("k", "Exists", &["x"]).unwrap_err().to_string(),
        "matchExpressions on key \"k\": operator Exists takes no values"
    );
}

#[test]
fn labels_are_what_they_were_made_from() {
    let none: [(&str, &str); 0] = [];
    assert_eq!(Labels::from(none), Labels::new());
    let all = Labels::from([
        ("b", ""),
        ("a", "1"),
        ("", "empty"),
        ("a/b-c.d_e", "x"),
        ("a", "2"),
    ]);
    let listed: Vec<(&str, &str)> = all.iter().collect();
    assert_eq!(listed, [("", "empty"), ("a", "2"), ("a/b-c.d_e", "x"), ("b", "")]);
    assert_eq!(all.get("b"), Some(""));
    assert_eq!(all.get("1"), None, "a value is no key");
    assert_eq!(Labels::from([("a\0b", "c\0")]), Labels::from([("ab", "c")]));
}
