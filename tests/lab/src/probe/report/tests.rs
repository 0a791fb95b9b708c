use super::*;

const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A report of ten questions, one each 100 ms, with answers given as (question, milliseconds, who).
fn mk_report(answers: &[(usize, u64, MacAddr)]) -> Report {
    let mut report = Report::new(ms(100));
    report.length = ms(1000);
    report.asked = (0..10).map(|question| ms(question * 100)).collect();
    report.answers = answers
        .iter()
        .map(|&(question, at, mac)| Answer {
            at: ms(at),
            question,
            mac,
            marked: false,
        })
        .collect();
    report
}

#[test]
fn silence_is_one_gap() {
    let report = mk_report(&[]);
    assert_eq!(report.longest_gap(), ms(1000));
    assert_eq!(report.gaps(ms(200)), [(ms(0), ms(1000))]);
    assert_eq!(report.changes(), []);
    assert_eq!(report.delay(50), None);
    assert_eq!(report.two_answerers(), ms(0));
}

#[test]
fn a_move_is_a_gap_and_a_change_but_not_two_answerers() {
    let report = mk_report(&[
        (1, 1, A),
        (2, 101, A),
        (3, 201, A),
        (7, 650, B),
        (8, 701, B),
        (9, 801, B),
        (10, 901, B),
    ]);
    assert_eq!(report.gaps(ms(200)), [(ms(201), ms(650))]);
    assert_eq!(report.longest_gap(), ms(449));
    assert_eq!(report.changes(), [(ms(1), A), (ms(650), B)]);
    assert_eq!(report.two_answerers(), ms(0));
    assert_eq!(report.delay(0), Some(ms(1)));
    assert_eq!(report.delay(99), Some(ms(50)));
}

#[test]
fn a_question_without_an_answer_is_unanswered_unless_it_was_asked_at_the_end() {
    let mut report = mk_report(&[(1, 1, A), (3, 201, A), (2, 210, A), (5, 450, A)]);
    report.asked.truncate(6);
    assert_eq!(report.unanswered(), [4, 6]);
    report.length = ms(699);
    assert_eq!(report.unanswered(), [4]);
    assert_eq!(mk_report(&[]).unanswered(), (1..10).collect::<Vec<_>>());
}

#[test]
fn the_time_before_the_first_and_after_the_last_answer_counts() {
    let report = mk_report(&[(5, 450, A), (6, 501, A)]);
    assert_eq!(report.gaps(ms(100)), [(ms(0), ms(450)), (ms(501), ms(1000))]);
}

#[test]
fn two_answerers_are_two_addresses_for_one_question() {
    let report = mk_report(&[
        (1, 1, A),
        (1, 2, B),
        (2, 101, B),
        (2, 102, A),
        (3, 201, A),
        (3, 202, A),
        (4, 301, B),
    ]);
    assert_eq!(report.two_answerers(), ms(200));
}
