//! Tables for the state machine; its task is in `task`, the simulation in `sim`.

mod sim;
mod task;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use tokio::time::Instant;

use super::{Action, Claim, LeaseState, Predecessor, Timing};

const SECOND: Duration = Duration::from_secs(1);

fn mk_spec(holder: &str, transitions: i32) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(5),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    }
}

/// A candidate that has just read a Lease of version 1.
fn mk_state(now: Instant, lease: Option<LeaseSpec>) -> LeaseState {
    let mut state = LeaseState::new("me", Timing::default());
    assert_eq!(state.poll(now), Action::Read);
    state.read(now, lease.map(|spec| ("1".to_owned(), spec)));
    state
}

/// The transitions of the update that `action` is.
fn taken(action: &Action) -> Option<i32> {
    match action {
        Action::Update {
            resource_version,
            spec,
        } => {
            assert_eq!(resource_version, "1");
            assert_eq!(spec.holder_identity.as_deref(), Some("me"));
            spec.lease_transitions
        }
        _ => None,
    }
}

fn accept(state: &mut LeaseState, now: Instant, action: Action) {
    match action {
        Action::Create(spec) | Action::Update { spec, .. } => state.written(now, now, "1".to_owned(), spec),
        other => panic!("a write: {other:?}"),
    }
}

#[test]
fn what_is_found_decides_how_the_lease_is_taken() {
    let table = [
        (None, 0, Predecessor::Fresh),
        (Some(mk_spec("", 4)), 5, Predecessor::Released),
        (Some(LeaseSpec::default()), 1, Predecessor::Released),
        (Some(mk_spec("me", 4)), 5, Predecessor::Expired),
    ];
    for (found, transitions, predecessor) in table {
        let now = Instant::now();
        let mut state = mk_state(now, found.clone());
        assert!(!state.claim().held);
        let action = state.poll(now);
        accept(&mut state, now, action);
        let until = Some(now + 7 * SECOND / 2);
        assert_eq!(
            state.claim(),
            Claim {
                held: true,
                transitions,
                predecessor,
                until
            },
            "{found:?}"
        );
    }
}

/// The deletion ends nobody's writes; and transitions that began anew would look like an earlier term's.
#[test]
fn a_deleted_lease_does_not_hide_its_holder() {
    for held in ["other", "me"] {
        let start = Instant::now();
        let mut state = mk_state(start, Some(mk_spec(held, 4)));
        state.read(start + 2 * SECOND, None);
        let action = state.poll(start + 2 * SECOND);
        assert!(matches!(action, Action::Create(_)), "{action:?}");
        accept(&mut state, start + 2 * SECOND, action);
        let Claim {
            transitions,
            predecessor,
            ..
        } = state.claim();
        assert_eq!((transitions, predecessor), (5, Predecessor::Expired), "{held}");
    }
    let start = Instant::now();
    let mut state = mk_state(start, None);
    let action = state.poll(start);
    accept(&mut state, start, action);
    state.read(start + SECOND, None);
    assert!(!state.claim().held);
    let action = state.poll(start + SECOND);
    accept(&mut state, start + SECOND, action);
    assert_eq!(
        (state.claim().transitions, state.claim().predecessor),
        (1, Predecessor::Expired),
        "its own term"
    );
}

#[test]
fn a_silent_holder_is_followed_after_its_duration_as_we_saw_it() {
    let start = Instant::now();
    let mut state = mk_state(start, Some(mk_spec("other", 4)));
    // A second look at the same Lease does not make the holder any younger.
    for seconds in 1..5 {
        let now = start + seconds * SECOND;
        assert_eq!(state.poll(now), Action::Read);
        state.read(now, Some(("1".to_owned(), mk_spec("other", 4))));
        assert!(matches!(state.poll(now), Action::Wait(_)));
    }
    let action = state.poll(start + 5 * SECOND);
    assert_eq!(taken(&action), Some(5));
    accept(&mut state, start + 5 * SECOND, action);
    assert_eq!(state.claim().predecessor, Predecessor::Expired);
}

#[test]
fn a_renewal_starts_the_wait_anew_and_a_longer_duration_is_respected() {
    let start = Instant::now();
    let mut state = mk_state(start, Some(mk_spec("other", 4)));
    let renewed = LeaseSpec {
        lease_duration_seconds: Some(60),
        ..mk_spec("other", 5)
    };
    state.read(start + 4 * SECOND, Some(("1".to_owned(), renewed.clone())));
    assert_eq!(taken(&state.poll(start + 6 * SECOND)), None);
    state.read(start + 63 * SECOND, Some(("1".to_owned(), renewed)));
    assert_eq!(taken(&state.poll(start + 63 * SECOND)), None);
    assert_eq!(taken(&state.poll(start + 64 * SECOND)), Some(6));
}

#[test]
fn a_holder_renews_and_keeps_its_term() {
    let start = Instant::now();
    let mut state = mk_state(start, Some(mk_spec("", 4)));
    let action = state.poll(start);
    accept(&mut state, start, action);
    assert_eq!(state.poll(start), Action::Wait(start + SECOND));
    let action = state.poll(start + SECOND);
    assert_eq!(taken(&action), Some(5), "a renewal is no transition");
    accept(&mut state, start + SECOND, action);
    assert_eq!(state.claim().until, Some(start + 9 * SECOND / 2));
}

/// A holder for whom every request of the first `seconds` after its last renewal has failed.
fn mk_suspended(start: Instant, seconds: u32) -> (LeaseState, Instant) {
    let mut state = mk_state(start, Some(mk_spec("", 4)));
    let action = state.poll(start);
    accept(&mut state, start, action);
    for halves in 2..2 * seconds {
        let now = start + halves * SECOND / 2;
        assert_eq!(taken(&state.poll(now)), Some(5));
        state.failed(now);
        assert_eq!(state.poll(now), Action::Wait(now + SECOND / 2));
    }
    let now = start + seconds * SECOND;
    assert!(state.claim().held && !state.claim().holds(now));
    (state, now)
}

#[test]
fn a_late_renewal_goes_on_with_the_term() {
    for seconds in [4, 60] {
        let (mut state, now) = mk_suspended(Instant::now(), seconds);
        let action = state.poll(now);
        assert_eq!(taken(&action), Some(5));
        accept(&mut state, now, action);
        let until = Some(now + 7 * SECOND / 2);
        assert_eq!(
            state.claim(),
            Claim {
                held: true,
                transitions: 5,
                predecessor: Predecessor::Released,
                until
            }
        );
    }
}

/// After a conflict, or a word of the watch, the Lease is read: our own unanswered renewal may be what changed it.
#[test]
fn a_suspended_term_ends_when_the_lease_is_not_as_it_was_left() {
    let table = [
        (Some(mk_spec("me", 5)), true),
        (Some(mk_spec("me", 6)), false),
        (Some(mk_spec("other", 6)), false),
        (Some(mk_spec("", 5)), false),
        (None, false),
    ];
    for (found, goes_on) in table {
        let (mut state, now) = mk_suspended(Instant::now(), 4);
        state.conflict(now);
        assert_eq!(state.poll(now), Action::Read);
        assert!(state.claim().held, "{found:?}: a conflict alone tells nothing");
        state.read(now, found.clone().map(|spec| ("1".to_owned(), spec)));
        assert_eq!(state.claim().held, goes_on, "{found:?}");
        assert!(
            !state.claim().holds(now),
            "{found:?}: nothing is renewed by reading"
        );
        let action = state.poll(now);
        if goes_on {
            assert_eq!(taken(&action), Some(5));
        } else if found != Some(mk_spec("other", 6)) {
            accept(&mut state, now, action);
            let claim = state.claim();
            assert!(claim.transitions > 5, "{found:?}: {claim:?}");
        }
    }
    let (mut state, now) = mk_suspended(Instant::now(), 4);
    state.told(now, Some(("9".to_owned(), mk_spec("other", 6))));
    assert_eq!(state.poll(now), Action::Read);
}

/// Twice while the claim holds, and for all of that time when answers are slow: the times of [`LeaseState::give_up`].
#[test]
fn a_request_is_given_up_before_it_is_worthless() {
    let (half, whole) = (7 * SECOND / 4, 7 * SECOND / 2);
    let start = Instant::now();
    let mut state = mk_state(start, None);
    let create = state.poll(start);
    assert_eq!(state.give_up(start, &create), start + whole);
    assert_eq!(state.give_up(start, &Action::Read), start + half);
    accept(&mut state, start, create);
    let renewal = state.poll(start + SECOND);
    for action in [&renewal, &Action::Read] {
        assert_eq!(state.give_up(start, action), start + half);
    }
    state.failed(start + SECOND);
    for action in [&renewal, &Action::Read] {
        assert_eq!(state.give_up(start, action), start + whole);
    }
    state.written(start, start + half, "2".to_owned(), mk_spec("me", 0));
    assert_eq!(state.give_up(start, &renewal), start + whole, "answered late");
    state.written(start, start + SECOND, "3".to_owned(), mk_spec("me", 0));
    assert_eq!(state.give_up(start, &renewal), start + half);
}

#[test]
fn a_conflict_is_looked_into_at_once_and_may_end_the_term() {
    let start = Instant::now();
    let mut state = mk_state(start, None);
    let action = state.poll(start);
    accept(&mut state, start, action);
    state.conflict(start + 2 * SECOND);
    assert_eq!(state.poll(start + 2 * SECOND), Action::Read);
    assert!(state.claim().held, "somebody may only have put a label on it");
    state.read(start + 2 * SECOND, Some(("7".to_owned(), mk_spec("other", 1))));
    assert!(!state.claim().held);
}

/// Whoever answers so, a holder as well as a candidate: at once, then after up to 100 ms, and in the end after a second.
#[test]
fn conflicts_without_end_are_looked_into_ever_more_slowly() {
    let ours = mk_spec("me", 5);
    for found in [mk_spec("", 4), ours.clone()] {
        let mut now = Instant::now();
        let mut state = mk_state(now, Some(mk_spec("", 4)));
        if found == ours {
            let action = state.poll(now);
            accept(&mut state, now, action);
            now += SECOND;
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(taken(&state.poll(now)).is_some());
            state.conflict(now);
            let mut wait = Duration::ZERO;
            if let Action::Wait(until) = state.poll(now) {
                wait = until - now;
                now = until;
            }
            assert_eq!(state.poll(now), Action::Read);
            state.read(now, Some(("1".to_owned(), found.clone())));
            waits.push(wait);
        }
        assert_eq!(waits[0], Duration::ZERO);
        for (wait, longest) in waits[1..].iter().zip([100, 200, 400, 800, 1000, 1000, 1000]) {
            let longest = Duration::from_millis(longest);
            assert!((longest.mul_f64(0.62)..=longest).contains(wait), "{waits:?}");
        }
        let action = state.poll(now);
        accept(&mut state, now, action);
        now += SECOND;
        state.conflict(now);
        assert_eq!(state.poll(now), Action::Read, "what was accepted forgives");
    }
}

#[test]
fn what_the_watch_tells_is_believed_by_who_has_nothing_to_lose() {
    let start = Instant::now();
    let mut state = mk_state(start, Some(mk_spec("other", 4)));
    state.told(start + SECOND, Some(("1".to_owned(), mk_spec("", 4))));
    let action = state.poll(start + SECOND);
    assert_eq!(taken(&action), Some(5));
    accept(&mut state, start + SECOND, action);
    assert_eq!(state.claim().predecessor, Predecessor::Released);
    let renewal = Action::Wait(start + 2 * SECOND);
    state.told(start + SECOND, Some(("1".to_owned(), mk_spec("me", 5))));
    assert_eq!(state.poll(start + SECOND), renewal);
    for lease in [Some(("0".to_owned(), mk_spec("", 4))), None] {
        state.told(start + SECOND, lease);
        assert_eq!(
            state.poll(start + SECOND),
            Action::Read,
            "it may be old, or a thief"
        );
        assert!(state.claim().held);
        state.read(start + SECOND, Some(("1".to_owned(), mk_spec("me", 5))));
        assert_eq!(state.poll(start + SECOND), renewal);
    }
}

#[test]
fn a_lease_that_the_watch_tells_of_is_not_read_until_a_renewal_is_missed() {
    let start = Instant::now();
    let mut state = mk_state(start, Some(mk_spec("other", 4)));
    state.told(start + SECOND, Some(("1".to_owned(), mk_spec("other", 5))));
    assert_eq!(state.poll(start + SECOND), Action::Wait(start + 3 * SECOND));
    assert_eq!(state.poll(start + 3 * SECOND), Action::Read);
    state.read(start + 3 * SECOND, Some(("1".to_owned(), mk_spec("other", 5))));
    assert_eq!(state.poll(start + 3 * SECOND), Action::Wait(start + 4 * SECOND));
    assert_eq!(
        taken(&state.poll(start + 6 * SECOND)),
        Some(6),
        "5 s after it was told"
    );
}

#[test]
fn a_release_names_nobody_and_happens_once() {
    let start = Instant::now();
    let mut state = mk_state(start, None);
    assert_eq!(state.release(), None);
    let action = state.poll(start);
    accept(&mut state, start, action);
    let Some(Action::Update { spec, .. }) = state.release() else {
        panic!("a release is an update")
    };
    assert_eq!(spec.holder_identity.as_deref(), Some(""));
    assert_eq!(spec.lease_transitions, Some(0));
    assert!(!state.claim().held);
    assert_eq!(state.release(), None);
}
