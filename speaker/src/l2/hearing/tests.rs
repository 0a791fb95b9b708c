use super::*;

const T0: Instant = Instant(1_000_000_000_000);
const TICK: Duration = Duration::from_millis(100);

/// Looks every 100 ms for so long after `from`: what is told, and when.
fn looks(heard: &mut Heard, from: Instant, duration: Duration, expected: bool) -> Vec<(Duration, Hearing)> {
    let mut now = from;
    let mut told = Vec::new();
    while now < from + duration {
        now = now + TICK;
        told.extend(heard.look(now, expected).map(|hearing| (now - from, hearing)));
    }
    told
}

#[test]
fn ten_seconds_of_silence_are_told_once_and_again_after_somebody_was_heard() {
    let mut heard = Heard::new(T0);
    let lost = [(SILENCE, Hearing::Lost)];
    assert!(!heard.is_lost());
    assert_eq!(looks(&mut heard, T0, 6 * SILENCE, true), lost);
    assert!(heard.is_lost());
    let back = T0 + 6 * SILENCE;
    assert_eq!(heard.hear(back), Some(Hearing::Back));
    assert!(!heard.is_lost());
    assert_eq!(heard.hear(back), None);
    assert_eq!(looks(&mut heard, back, 2 * SILENCE, true), lost);
}

#[test]
fn nobody_is_missed_where_nobody_is_expected() {
    let mut heard = Heard::new(T0);
    assert_eq!(looks(&mut heard, T0, 2 * SILENCE, false), []);
    let joined = T0 + 2 * SILENCE;
    assert_eq!(
        looks(&mut heard, joined, 2 * SILENCE, true),
        [(SILENCE, Hearing::Lost)]
    );
}

#[test]
fn a_process_that_was_stopped_has_missed_nobody() {
    let mut heard = Heard::new(T0);
    assert_eq!(looks(&mut heard, T0, SILENCE / 2, true), []);
    let woken = T0 + 10 * SILENCE;
    assert_eq!(heard.look(woken, true), None);
    assert_eq!(looks(&mut heard, woken, SILENCE / 2, true), []);
}

/// Looks every 100 ms for so long after `from` that these are not heard: who is missing then.
fn missed(missing: &mut Missing, from: Instant, duration: Duration, unheard: &[NodeId]) -> Vec<NodeId> {
    let mut now = from;
    while now < from + duration {
        now = now + TICK;
        missing.look(now, unheard.iter().copied());
    }
    missing.ids().collect()
}

#[test]
fn one_that_is_not_heard_for_ten_seconds_is_missing_until_it_is_heard_or_nobody_waits_for_it() {
    let (one, other) = (NodeId::of("n1"), NodeId::of("n2"));
    let mut missing = Missing::new(T0);
    assert_eq!(missed(&mut missing, T0, SILENCE, &[one]), []);
    let begun = T0 + SILENCE;
    assert_eq!(missed(&mut missing, begun, TICK, &[one, other]), [one]);
    let later = begun + TICK;
    assert_eq!(missed(&mut missing, later, TICK, &[other]), []);
    // What has been is forgotten.
    assert_eq!(
        missed(&mut missing, later + TICK, SILENCE, &[one, other]),
        [other]
    );
}

#[test]
fn nobody_is_missing_because_the_process_was_stopped() {
    let one = NodeId::of("n1");
    let mut missing = Missing::new(T0);
    assert_eq!(missed(&mut missing, T0, 2 * SILENCE, &[one]), [one]);
    let woken = T0 + 4 * SILENCE;
    missing.look(woken, [one].into_iter());
    assert_eq!(missing.ids().collect::<Vec<_>>(), []);
    assert_eq!(missed(&mut missing, woken, SILENCE / 2, &[one]), []);
    assert_eq!(
        missed(&mut missing, woken + SILENCE / 2, SILENCE / 2, &[one]),
        [one]
    );
}
