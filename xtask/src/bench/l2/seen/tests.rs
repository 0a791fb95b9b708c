use std::time::Duration;

use cortenlb_lab::probe::Answer;

use super::*;

const A: &str = "02:00:00:00:00:01";
const B: &str = "02:00:00:00:00:02";

/// Five questions, one each 10 ms; answers as (the question before it, who).
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
fn a_question_without_an_answer_is_lost_but_for_the_last() {
    assert_eq!(lost(&mk_report(&[(1, A), (2, A), (3, A), (4, A)])), 0);
    assert_eq!(lost(&mk_report(&[(1, A), (4, A), (5, A)])), 2);
    assert_eq!(lost(&mk_report(&[])), 4);
}

#[test]
fn a_late_answer_is_an_answer() {
    assert_eq!(lost(&mk_report(&[(1, A), (3, A), (3, A), (4, A), (5, A)])), 0);
}

#[test]
fn the_answer_of_another_station_replaces_none() {
    assert_eq!(lost(&mk_report(&[(1, A), (3, A), (3, B), (4, B), (5, B)])), 1);
    assert_eq!(moves(&mk_report(&[(1, A), (3, A), (3, B), (4, B), (5, B)])), 1);
}

#[test]
fn a_busy_station_answers_several_questions_at_once() {
    let late = [(1, A), (4, B), (5, B), (5, B), (5, B)];
    assert_eq!(lost(&mk_report(&late)), 0);
    assert_eq!(lost(&mk_report(&[(1, A), (4, B), (5, B), (5, B)])), 1);
}
