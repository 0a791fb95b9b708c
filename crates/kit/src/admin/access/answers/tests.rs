use super::*;

fn mk_key(token: &str) -> Key {
    Key::new(token, mk_asked("/metrics"))
}

fn mk_asked(path: &str) -> Asked<'_> {
    Asked { verb: "get", path }
}

fn no() -> Verdict {
    Verdict::Forbidden { user: "u".to_owned() }
}

#[test]
fn a_yes_holds_for_a_minute_and_a_no_for_seconds() {
    let now = Instant::now();
    let mut answers = Answers::default();
    answers.keep(mk_key("yes"), Verdict::Granted, now);
    answers.keep(mk_key("no"), no(), now);
    let fresh = |token: &str, after| answers.fresh(&mk_key(token), now + after);
    let moment = Duration::from_millis(1);
    assert_eq!(fresh("yes", YES - moment), Some(Verdict::Granted));
    assert_eq!(fresh("yes", YES), None);
    assert_eq!(fresh("no", NO - moment), Some(no()));
    assert_eq!(fresh("no", NO), None);
}

#[test]
fn an_answer_is_for_one_token_and_one_path() {
    let now = Instant::now();
    let mut answers = Answers::default();
    answers.keep(mk_key("a"), Verdict::Granted, now);
    assert_eq!(answers.fresh(&mk_key("b"), now), None);
    let head = Asked {
        verb: "head",
        path: "/metrics",
    };
    for other in [mk_asked("/failovers"), head] {
        assert_eq!(answers.fresh(&Key::new("a", other), now), None, "{other:?}");
    }
}

#[test]
fn only_a_yes_is_prolonged_and_not_without_end() {
    let now = Instant::now();
    let mut answers = Answers::default();
    answers.keep(mk_key("yes"), Verdict::Granted, now);
    answers.keep(mk_key("no"), no(), now);
    assert!(!answers.prolong(&mk_key("no"), now + NO));
    assert!(!answers.prolong(&mk_key("never seen"), now));

    let late = now + LONGEST - Duration::from_secs(1);
    assert!(answers.prolong(&mk_key("yes"), late));
    assert_eq!(answers.fresh(&mk_key("yes"), late), Some(Verdict::Granted));
    assert!(!answers.prolong(&mk_key("yes"), now + LONGEST));
}

#[test]
fn guesses_displace_each_other_and_no_yes() {
    let now = Instant::now();
    let mut answers = Answers::default();
    answers.keep(mk_key("yes"), Verdict::Granted, now);
    for guess in 0..2 * MOST as u64 {
        let later = now + Duration::from_millis(guess);
        answers.keep(mk_key(&guess.to_string()), no(), later);
    }
    assert_eq!(answers.0.len(), MOST);
    assert_eq!(answers.fresh(&mk_key("yes"), now), Some(Verdict::Granted));
    let newest = 2 * MOST - 1;
    assert_eq!(answers.fresh(&mk_key(&newest.to_string()), now), Some(no()));
    assert_eq!(answers.fresh(&mk_key("0"), now), None);
}
