use std::time::Duration;

use cortenlb_lab::probe::{Announcement, Answer, Kind};

use super::*;

const A: &str = "02:00:00:00:00:01";
const B: &str = "02:00:00:00:00:02";

/// Five questions, one each 10 ms; answers as (its question, who).
fn mk_report(answers: &[(usize, &str)]) -> Report {
    let period = Duration::from_millis(10);
    Report {
        period,
        length: period * 5,
        asked: (0..5).map(|question| period * question).collect(),
        answers: answers
            .iter()
            .map(|&(question, mac)| Answer {
                at: period * u32::try_from(question).expect("few questions"),
                question,
                mac: mac.parse().expect("a MAC address"),
                marked: false,
            })
            .collect(),
        announcements: Vec::new(),
    }
}

#[test]
fn a_late_answer_is_an_answer_to_its_question() {
    assert_eq!(moves(&mk_report(&[(1, A), (3, B), (2, A), (4, B), (5, B)])), 1);
}

#[test]
fn while_one_hands_over_to_another_both_may_answer() {
    let handed_over = mk_report(&[(1, A), (2, B), (2, A), (3, B), (3, A), (4, B), (5, B)]);
    assert_eq!(moves(&handed_over), 1);
    let back = mk_report(&[(1, A), (2, B), (3, A), (4, B), (5, B)]);
    assert_eq!(moves(&back), 3);
}

#[test]
fn who_has_been_replaced_is_wrong_from_then_on() {
    assert_eq!(disowned(&mk_report(&[(1, A), (2, A), (3, A)])), 0);
    assert_eq!(disowned(&mk_report(&[(1, A), (2, B), (2, A), (3, B)])), 0);
    assert_eq!(
        disowned(&mk_report(&[(1, A), (2, B), (3, B), (3, A), (4, B), (4, A)])),
        2
    );
    let mut told = mk_report(&[(1, A), (2, B), (3, B)]);
    for (at, mac) in [(1, A), (3, B), (4, A)] {
        told.announcements.push(Announcement {
            at: told.period * at,
            kind: Kind::GratuitousReply,
            mac: mac.parse().unwrap(),
        });
    }
    assert_eq!(disowned(&told), 1);
}

#[test]
fn two_that_answer_every_question_are_two_answerers() {
    let both: Vec<(usize, &str)> = (1..=5)
        .flat_map(|question| [(question, A), (question, B)])
        .collect();
    let report = mk_report(&both);
    assert_eq!((report.answerers().len(), moves(&report)), (2, 0));
    assert_eq!(report.two_answerers(), 5 * report.period);
}

#[test]
fn an_answer_is_stale_when_its_question_has_waited() {
    let mut report = mk_report(&[(1, A), (2, A), (3, A)]);
    assert_eq!(stale(&report), 0);
    report.answers[1].at = report.asked[1] + Duration::from_millis(1000);
    assert_eq!(stale(&report), 0);
    report.answers[2].at = report.asked[2] + Duration::from_millis(1001);
    assert_eq!(stale(&report), 1);
}
