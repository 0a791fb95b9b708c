use super::*;

const SERVICE: &str = "/api/v1/namespaces/e2e/services/web/status";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/metallb-controller";

fn fates(faults: &Faults, path: &str, count: usize) -> Vec<(Duration, Fate)> {
    let mut dice = Dice::new(faults.clone());
    (0..count).map(|_| dice.throw(path)).collect()
}

#[test]
fn no_faults_hand_everything_on_at_once() {
    let fates = fates(&Faults::default(), SERVICE, 1000);
    assert!(fates.iter().all(|fate| *fate == (Duration::ZERO, Fate::HandOn)));
}

#[test]
fn shares_are_kept_and_the_seed_repeats_them() {
    let faults = Faults {
        contested: 10,
        conflict: 10,
        throttled: 20,
        failed: 20,
        lost: 40,
        seed: 7,
        ..Faults::default()
    };
    let thrown = fates(&faults, SERVICE, 10_000);
    assert_eq!(thrown, fates(&faults, SERVICE, 10_000));
    let share = |wanted| thrown.iter().filter(|(_, fate)| *fate == wanted).count() / 100;
    assert!((9..=11).contains(&share(Fate::Contest)));
    assert!((9..=11).contains(&share(Fate::Refuse(Answer::Conflict))));
    assert!((19..=21).contains(&share(Fate::Refuse(Answer::Throttled))));
    assert!((19..=21).contains(&share(Fate::Refuse(Answer::Failed))));
    assert!((39..=41).contains(&share(Fate::Lose)));
    assert_eq!(share(Fate::HandOn), 0);
}

#[test]
fn leases_are_spared() {
    let mut faults = Faults {
        delay: Duration::from_secs(2),
        failed: 100,
        ..Faults::default()
    };
    assert_eq!(fates(&faults, LEASE, 1), [(Duration::ZERO, Fate::HandOn)]);
    faults.leases = true;
    assert_eq!(fates(&faults, LEASE, 1), [(Duration::from_secs(2), Fate::HandOn)]);
}

#[test]
fn an_answer_is_a_status_with_its_code_and_that_of_who_sheds_load_is_plain() {
    for answer in [Answer::Conflict, Answer::Failed] {
        let (kind, body) = answer.body();
        let status: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(kind, "application/json");
        assert_eq!(status["code"], answer.code());
        assert_eq!(status["kind"], "Status");
    }
    assert!(Answer::Throttled.body().0.starts_with("text/plain"));
    assert_eq!(Answer::Throttled.retry_after(), Some(1));
}
