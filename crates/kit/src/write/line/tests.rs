use super::*;

const LONGEST: Duration = LONGEST_OF_FEW;

#[test]
fn nothing_stands_in_the_way_until_an_answer_is_missing() {
    let now = Instant::now();
    let mut line = Line::default();
    assert!(line.is_open(now));
    assert_eq!((line.sent(now), line.opens()), (None, None));
    line.unanswered(now, None);
    assert!(!line.is_open(now));
    let opens = line.opens().unwrap();
    assert!(
        opens - now <= Duration::from_millis(100),
        "a connection may only have broken"
    );
    assert!(line.is_open(opens));
}

#[test]
fn one_probe_is_under_way_at_a_time_and_the_first_answer_opens_the_line() {
    let mut now = Instant::now();
    let mut line = Line::default();
    line.unanswered(now, None);
    for failures in 1..10 {
        now = line.opens().unwrap();
        let probe = line.sent(now);
        assert!(probe.is_some() && !line.is_open(now + 60 * LONGEST) && line.opens().is_none());
        line.unanswered(now, None);
        assert!(line.opens().is_none(), "it was sent before the silence");
        line.unanswered(now, probe);
        let gap = line.opens().unwrap() - now;
        assert!(
            gap <= LONGEST && (failures < 3 || gap >= LONGEST * 5 / 8),
            "{failures}: {gap:?}"
        );
    }
    line.answered();
    assert!(line.is_open(now));
}

/// A gap is counted from the sending: a probe that hung is followed by the next at once.
#[test]
fn a_probe_that_hung_is_followed_at_once() {
    let now = Instant::now();
    let mut line = Line::default();
    line.unanswered(now, None);
    let probe = line.sent(line.opens().unwrap());
    line.unanswered(now + 10 * LONGEST, probe);
    assert!(line.is_open(now + 10 * LONGEST));
}

#[test]
fn a_probe_of_an_earlier_silence_says_nothing_of_this_one() {
    let now = Instant::now();
    let mut line = Line::default();
    line.unanswered(now, None);
    let earlier = line.sent(now + LONGEST);
    line.answered();
    line.unanswered(now + LONGEST, None);
    let probe = line.sent(now + 2 * LONGEST);
    line.unanswered(now + 2 * LONGEST, earlier);
    assert!(line.opens().is_none());
    line.unanswered(now + 2 * LONGEST, probe);
    assert!(line.opens().is_some());
}
