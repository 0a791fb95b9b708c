use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    pool: &'static str,
    family: &'static str,
}

fn mk_registry() -> Registry {
    let mut registry = Registry::default();
    let family = Family::<Of, Counter>::default();
    let of = Of {
        pool: "a, b",
        family: "IPv4",
    };
    family.get_or_create(&of).inc();
    registry.register("things", "Things counted", family);
    registry.register("wait_seconds", "Time waited", Histogram::new([1.0]));
    registry
}

const PAGE: &str = "# Metrics
## Program

| metric | type |
| --- | --- |
| `things_total` | counter | `pool`, `family` | – | Things counted. |
| `wait_seconds` | histogram | – | seconds | Time waited. |

## Other

| `another` | gauge | – | – | Another. |
";

#[test]
fn the_same_is_the_same() {
    assert_eq!(differs(PAGE, "Program", &mk_registry()), None);
}

#[test]
fn what_is_missing_changed_or_too_much_is_noticed() {
    let pages = [
        PAGE.replace("Things counted", "Things"),
        PAGE.replace("`pool`, `family`", "`pool`"),
        PAGE.replace("histogram", "gauge"),
        PAGE.replace("## Other", "| `gone` | gauge | – | – | Gone. |\n## Other"),
        PAGE.replace(
            "| `wait_seconds` | histogram | – | seconds | Time waited. |\n",
            "",
        ),
    ];
    for page in pages {
        let differs = differs(&page, "Program", &mk_registry()).expect(&page);
        assert!(
            differs.contains("| `things_total` | counter | `pool`, `family` | – |"),
            "{differs}"
        );
    }
    assert!(differs(PAGE, "Elsewhere", &mk_registry()).is_some());
}
