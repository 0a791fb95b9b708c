use cortenlb_proto::cluster::NodeId;

use super::*;

const T0: Instant = Instant(1_000_000_000_000);

fn at(milliseconds: u64) -> Instant {
    T0 + Duration::from_millis(milliseconds)
}

fn vip(last: u8) -> IpAddr {
    IpAddr::from([172, 21, 5, last])
}

fn n1() -> NodeId {
    NodeId::of("n1")
}

/// A former owner that was heard at 0 ms last.
fn lost(suspected: Option<u64>, confirmed: Option<u64>) -> Option<(String, Former)> {
    let former = Former {
        node: n1(),
        heard: Some(at(0)),
        suspected: suspected.map(at),
        confirmed: confirmed.map(at),
        given: None,
    };
    Some(("n1".to_owned(), former))
}

/// A former owner that lives and gave it away.
fn gave(confirmed: Option<u64>, why: Given) -> Option<(String, Former)> {
    let (node, former) = lost(None, confirmed)?;
    let given = Some(why);
    Some((node, Former { given, ..former }))
}

fn mk_taken(last: u8, cause: Cause, former: Option<(String, Former)>) -> Taken {
    Taken {
        group: vip(last),
        addresses: BTreeSet::from([vip(last)]),
        in_name_of: None,
        cause,
        former,
    }
}

fn dead(last: u8) -> Taken {
    mk_taken(last, Cause::OwnerDead(n1()), lost(Some(300), Some(401)))
}

fn ms(phase: Phase, milliseconds: u64) -> (Phase, Duration) {
    (phase, Duration::from_millis(milliseconds))
}

#[test]
fn a_fail_over_is_measured_from_the_last_sign_of_life() {
    let mut timeline = Timeline::default();
    let measured = timeline.taken(at(432), Timestamp::UNIX_EPOCH, dead(240));
    let expected = [
        ms(Phase::Suspected, 300),
        ms(Phase::Confirmed, 401),
        ms(Phase::Taken, 432),
    ];
    assert_eq!(measured, expected);
    let announced = timeline.reached(at(433), vip(240), Phase::Announced);
    assert_eq!(announced, Some(ms(Phase::Announced, 433)));
    let again = timeline.reached(at(500), vip(240), Phase::Announced);
    assert_eq!(again, None, "on another interface");
    let gateway = timeline.reached(at(434), vip(240), Phase::Gateway);
    assert_eq!(gateway, Some(ms(Phase::Gateway, 434)));
    assert_eq!(
        timeline.reached(at(434), vip(241), Phase::Gateway),
        None,
        "never taken"
    );
}

#[test]
fn an_owner_that_lived_is_no_fail_over() {
    let mut timeline = Timeline::default();
    for taken in [
        mk_taken(240, Cause::Placed, None),
        mk_taken(241, Cause::HandedOver, gave(Some(20), Given::Drained)),
        mk_taken(242, Cause::OwnerAway(n1()), lost(None, Some(20))),
    ] {
        assert_eq!(timeline.taken(at(30), Timestamp::UNIX_EPOCH, taken), []);
    }
    assert_eq!(timeline.reached(at(31), vip(241), Phase::Announced), None);
}

#[test]
fn users_are_told_once_when_the_segment_has_been() {
    let mut timeline = Timeline::default();
    timeline.taken(at(432), Timestamp::UNIX_EPOCH, dead(240));
    assert_eq!(timeline.news(), []);
    timeline.reached(at(433), vip(240), Phase::Announced);
    let expected = Takeover {
        group: vip(240),
        message: "took over 172.21.5.240 from n1, which is gone: suspected 300 ms, confirmed 401 ms, taken 432 ms, \
                  announced 433 ms after its last sign of life"
            .to_owned(),
    };
    assert_eq!(timeline.news(), [expected]);
    assert_eq!(timeline.news(), []);
}

#[test]
fn of_an_owner_whose_speaker_is_away_it_is_not_said_that_it_is_gone() {
    let mut timeline = Timeline::default();
    let taken = mk_taken(240, Cause::OwnerAway(n1()), lost(None, Some(20)));
    timeline.taken(at(50), Timestamp::UNIX_EPOCH, taken);
    assert_eq!(timeline.reached(at(51), vip(240), Phase::Announced), None);
    let expected = Takeover {
        group: vip(240),
        message: "took over 172.21.5.240 from n1, whose speaker is away: confirmed 20 ms, taken 50 ms, announced 51 ms \
                  after its last sign of life"
            .to_owned(),
    };
    assert_eq!(timeline.news(), [expected]);
}

#[test]
fn what_was_given_away_is_told_with_the_reason_and_with_times_only_after_a_drain() {
    for (confirmed, why, told) in [
        (
            Some(20),
            Given::Drained,
            "which is being drained: confirmed 20 ms, taken 30 ms, announced 31 ms after its last sign of life",
        ),
        (None, Given::NoCandidate, "which can no longer announce it"),
        (
            None,
            Given::NoCarrier,
            "whose interface towards it has no carrier",
        ),
        (
            None,
            Given::Unanswered,
            "whose answers do not come through on the segment",
        ),
        (None, Given::Preferred, "which is preferred less"),
        (None, Given::Rebalanced, "which had more addresses"),
        (None, Given::Other, "which gave it away"),
    ] {
        let mut timeline = Timeline::default();
        let taken = mk_taken(240, Cause::HandedOver, gave(confirmed, why));
        timeline.taken(at(30), Timestamp::UNIX_EPOCH, taken);
        timeline.reached(at(31), vip(240), Phase::Announced);
        let messages: Vec<String> = timeline.news().into_iter().map(|news| news.message).collect();
        assert_eq!(messages, [format!("took over 172.21.5.240 from n1, {told}")]);
    }
}

#[test]
fn who_stands_in_and_who_has_it_first_are_no_news() {
    let mut timeline = Timeline::default();
    let stands_in = Taken {
        in_name_of: Some("n1".to_owned()),
        ..mk_taken(240, Cause::OwnerAway(n1()), lost(None, Some(20)))
    };
    for taken in [stands_in, mk_taken(241, Cause::Placed, None)] {
        let group = taken.group;
        timeline.taken(at(30), Timestamp::UNIX_EPOCH, taken);
        timeline.reached(at(31), group, Phase::Announced);
    }
    assert_eq!(timeline.news(), []);
}

#[test]
fn who_was_not_watched_counts_from_the_verdict() {
    let mut timeline = Timeline::default();
    let mut taken = dead(240);
    let (_, former) = taken.former.as_mut().unwrap();
    (former.heard, former.suspected) = (None, None);
    assert_eq!(timeline.taken(at(432), Timestamp::UNIX_EPOCH, taken), []);
    timeline.reached(at(433), vip(240), Phase::Announced);
    let message = &timeline.news()[0].message;
    assert!(
        message.ends_with(": taken 31 ms, announced 32 ms after that was known here"),
        "{message}"
    );
}

#[test]
fn the_newest_are_kept_and_shown_first() {
    let mut timeline = Timeline::default();
    for number in 0..=MOST {
        let last = u8::try_from(number % 256).unwrap();
        let taken = mk_taken(last, Cause::Placed, None);
        timeline.taken(at(number as u64), Timestamp::UNIX_EPOCH, taken);
    }
    timeline.taken(at(432), Timestamp::UNIX_EPOCH, dead(240));
    let shown = timeline.to_json();
    let changes = shown["changes"].as_array().unwrap();
    assert_eq!(changes.len(), MOST);
    let expected = json!({
        "time": "1970-01-01T00:00:00Z",
        "group": "172.21.5.240",
        "addresses": ["172.21.5.240"],
        "cause": "OwnerDead",
        "from": "n1",
        "inNameOf": null,
        "milliseconds": { "heard": 0, "suspected": 300, "confirmed": 401, "taken": 432 },
    });
    assert_eq!(changes[0], expected);
}

#[test]
fn of_a_thousand_groups_taken_in_one_turn_each_is_told_and_measured() {
    let mut timeline = Timeline::default();
    let groups: Vec<IpAddr> = (0..1_000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            IpAddr::from([172, 22, high, low])
        })
        .collect();
    for group in &groups {
        let taken = Taken {
            group: *group,
            addresses: BTreeSet::from([*group]),
            ..dead(0)
        };
        timeline.taken(at(432), Timestamp::UNIX_EPOCH, taken);
    }
    for group in &groups {
        let announced = timeline.reached(at(433), *group, Phase::Announced);
        assert_eq!(announced, Some(ms(Phase::Announced, 433)), "{group}");
    }
    let told: Vec<IpAddr> = timeline.news().into_iter().map(|news| news.group).collect();
    assert_eq!(told, groups);
    for group in &groups {
        let gateway = timeline.reached(at(3_000), *group, Phase::Gateway);
        assert_eq!(gateway, Some(ms(Phase::Gateway, 3_000)), "{group}");
    }
    assert_eq!(timeline.to_json()["changes"].as_array().unwrap().len(), MOST);
}

#[test]
fn what_nobody_was_told_of_for_a_minute_is_not_kept_beyond_the_newest() {
    let mut timeline = Timeline::default();
    for _ in 0..1_000 {
        timeline.taken(at(432), Timestamp::UNIX_EPOCH, dead(240));
    }
    let later = |milliseconds: u64| at(432 + milliseconds);
    timeline.taken(later(59_999), Timestamp::UNIX_EPOCH, dead(241));
    assert_eq!(timeline.0.len(), 1_001);
    timeline.taken(later(60_000), Timestamp::UNIX_EPOCH, dead(241));
    assert_eq!(timeline.0.len(), MOST);
}
