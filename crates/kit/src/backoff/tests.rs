use std::time::Duration;

use tokio::time::Instant;

use super::{Backoff, CALM, delay};

const LONGEST: Duration = Duration::from_secs(10);

#[test]
fn a_delay_stays_between_five_eighths_and_the_whole() {
    for (failures, whole) in [
        (0, 100),
        (1, 200),
        (3, 800),
        (6, 6_400),
        (7, 10_000),
        (u32::MAX, 10_000),
    ] {
        let got = delay(failures, LONGEST);
        let whole = Duration::from_millis(whole);
        assert!(
            got >= whole * 5 / 8 && got <= whole,
            "{failures} failures: {got:?}"
        );
    }
}

#[test]
fn failures_are_forgotten_after_a_calm_time_only() {
    let mut backoff = Backoff::default();
    let mut now = Instant::now();
    for _ in 0..10 {
        now += backoff.failed(now, LONGEST);
    }
    assert!(backoff.failed(now, LONGEST) >= LONGEST / 2);
    now += CALM;
    assert!(backoff.failed(now, LONGEST) >= LONGEST / 2, "not yet calm");
    now += CALM + Duration::from_millis(1);
    assert!(backoff.failed(now, LONGEST) <= Duration::from_millis(100));
}
