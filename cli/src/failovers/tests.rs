use super::*;
use crate::facts::tests::NOW;
use crate::gather::speakers::understood;
use crate::page::tests::{lines, shown, wide_lines};

/// As a speaker shows it (docs/who-answers-for-a-vip.md).
pub(crate) const DEAD: &str = r#"{"changes": [{"time": "2026-03-01T11:57:00.43Z", "group": "172.21.5.240",
    "addresses": ["172.21.5.240", "172.21.5.241"], "cause": "OwnerDead", "from": "n1", "inNameOf": null,
    "milliseconds": {"heard": 0, "suspected": 300, "confirmed": 401, "taken": 432, "announced": 433, "gateway": 434}},
    {"time": "2026-03-01T11:50:00Z", "group": "172.21.5.245", "addresses": ["172.21.5.245"], "cause": "OwnerAway",
    "from": "n3", "inNameOf": "n3", "milliseconds": {"taken": 0}}]}"#;

const PLACED: &str = r#"{"changes": [{"time": "2026-03-01T11:58:30Z", "group": "172.21.5.242",
    "addresses": ["172.21.5.242"], "cause": "Placed", "from": null, "inNameOf": null, "milliseconds": {"taken": 0,
    "announced": 1}}]}"#;

pub(crate) fn mk_told(node: &str, answer: &str) -> Told {
    Told {
        pod: format!("speaker-{node}"),
        node: node.to_owned(),
        answer: understood(answer).map(|Answer { changes }| changes),
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

#[test]
fn the_time_lines_of_all_speakers_are_one_the_newest_first() {
    let told = [mk_told("n2", DEAD), mk_told("n3", PLACED)];
    let report = report(now(), &told);
    assert_eq!(
        lines(&report),
        [
            "AGO ADDRESSES NODE FROM CAUSE MILLISECONDS",
            "90s 172.21.5.242 n3 - Placed taken 0, announced 1",
            "3m 172.21.5.240, 172.21.5.241 n2 n1 OwnerDead heard 0, suspected 300, confirmed 401, taken 432, \
             announced 433, gateway 434",
            "10m 172.21.5.245 n2 n3 OwnerAway taken 0",
        ]
    );
    assert!(!report.has_findings());
}

#[test]
fn wide_has_the_time_and_the_owner_in_whose_name_a_node_answers() {
    assert_eq!(
        wide_lines(&report(now(), &[mk_told("n2", DEAD)])),
        [
            "TIME ADDRESSES NODE FROM CAUSE IN NAME OF MILLISECONDS",
            "2026-03-01T11:57:00.43Z 172.21.5.240, 172.21.5.241 n2 n1 OwnerDead - heard 0, suspected 300, confirmed \
             401, taken 432, announced 433, gateway 434",
            "2026-03-01T11:50:00Z 172.21.5.245 n2 n3 OwnerAway n3 taken 0",
        ]
    );
}

#[test]
fn who_cannot_be_asked_is_named() {
    let told = [
        mk_told("n2", "<html>"),
        Told {
            answer: Err("503 Service Unavailable".to_owned()),
            ..mk_told("n3", PLACED)
        },
    ];
    let text = shown(&report(now(), &told));
    assert!(text.starts_with("nothing has been taken over"), "{text}");
    assert!(
        text.contains("the speaker on n2 (speaker-n2) could not be asked: its answer makes no sense"),
        "{text}"
    );
    assert!(
        text.contains("the speaker on n3 (speaker-n3) could not be asked: 503"),
        "{text}"
    );
}

#[test]
fn a_move_is_a_change_of_owner() {
    let told = [mk_told("n2", DEAD), mk_told("n3", PLACED)];
    let from = |address: &str| {
        let change = last_move(&told, address.parse().unwrap())?;
        Some((change.from.clone().unwrap(), change.ago(now())))
    };
    assert_eq!(from("172.21.5.241"), Some(("n1".to_owned(), "3m".to_owned())));
    assert_eq!(from("172.21.5.242"), None, "nobody had it before");
    assert_eq!(
        from("172.21.5.245"),
        None,
        "it is answered for in the owner's name"
    );
}
