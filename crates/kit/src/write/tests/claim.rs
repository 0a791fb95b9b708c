//! What the writer does when a term is suspended, goes on or ends.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn mk_term(transitions: i32) -> Claim {
    Claim {
        transitions,
        ..Claim::unconditional()
    }
}

/// A claim on this term that ceases to hold after `time`.
fn mk_claim(transitions: i32, time: Duration) -> Claim {
    Claim {
        until: Some(Instant::now() + time),
        ..mk_term(transitions)
    }
}

fn mk_fake(names: &[&str]) -> Fake {
    let fake = Fake::new();
    for name in names {
        fake.put(&path(name), mk_map(name));
    }
    fake
}

/// What waits was decided before the Lease was lost, and what was won back is a new start.
#[tokio::test(start_paused = true)]
async fn what_one_term_decided_is_not_sent_in_the_next() {
    let fake = Fake::with_a_door();
    let objects = 2 * CONCURRENCY;
    for number in 0..objects {
        fake.put(&path(&number.to_string()), mk_map(&number.to_string()));
    }
    let mut bench = Bench::new(&fake);
    // The first request comes to nothing, and would be sent again.
    fake.script([Some(Fault::Code(503))]);
    for number in 0..objects {
        bench.handle.send(mk_patch(&number.to_string(), 1));
    }
    tokio::time::sleep(SECOND / 1000).await;
    bench.claims.send(Claim::none()).unwrap();
    bench.claims.send(mk_term(2)).unwrap();
    let last = (objects - 1).to_string();
    bench.handle.send(mk_patch(&last, 2));
    fake.let_in(objects * 2);
    for _ in 0..CONCURRENCY {
        assert!(bench.outcome().await.result.is_ok());
    }
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(fake.log().len(), CONCURRENCY + 1);
    assert_eq!(value(&fake, &last), 2);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_term_keeps_its_writes_until_it_goes_on() {
    let fake = mk_fake(&["a", "b"]);
    let mut bench = Bench::new(&fake);
    bench.claims.send(mk_claim(1, SECOND)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    bench.handle.send(mk_patch("a", 1));
    bench.handle.send(mk_patch("b", 2));
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(fake.log().len(), 0, "the claim does not hold");
    // Renewals that come too late to be of use change nothing.
    bench.claims.send(mk_claim(1, Duration::ZERO)).unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(fake.log().len(), 0);
    bench.claims.send(mk_claim(1, SECOND)).unwrap();
    let start = Instant::now();
    for _ in 0..2 {
        assert!(bench.outcome().await.result.is_ok());
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(!bench.counted("Dropped"));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_term_that_ends_takes_its_writes_along() {
    for next in [Claim::none(), mk_term(3)] {
        let fake = mk_fake(&["a", "b"]);
        let mut bench = Bench::new(&fake);
        bench.claims.send(mk_claim(1, Duration::ZERO)).unwrap();
        bench.handle.send(mk_patch("a", 1));
        tokio::time::sleep(SECOND).await;
        bench.claims.send(next).unwrap();
        tokio::time::sleep(SECOND).await;
        assert!(bench.counted("Dropped"), "{next:?}");
        bench.claims.send(mk_term(4)).unwrap();
        bench.handle.send(mk_patch("b", 1));
        assert_eq!(bench.outcome().await.write.key, "b");
        assert_eq!(fake.log().len(), 1, "{next:?}");
    }
}

/// What is under way is answered as usual; what was not answered waits for the claim like the rest.
#[tokio::test(start_paused = true)]
async fn requests_under_way_outlast_the_claim() {
    let fake = mk_fake(&["a", "b"]);
    fake.policy(|_| Some(Fault::Slow(2 * SECOND)));
    fake.script([Some(Fault::Slow(2 * SECOND)), Some(Fault::AnswerLost)]);
    let mut bench = Bench::new(&fake);
    bench.claims.send(mk_claim(1, SECOND / 100)).unwrap();
    bench.handle.send(mk_patch("a", 1));
    bench.handle.send(mk_patch("b", 2));
    let outcome = bench.outcome().await;
    assert_eq!(outcome.write.key, "a");
    assert!(outcome.result.is_ok());
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(fake.log().len(), 2, "the retry waits");
    bench.claims.send(mk_claim(1, SECOND)).unwrap();
    assert_eq!(bench.outcome().await.write.key, "b");
    assert_eq!(fake.log().len(), 3);
}

/// An election that is gone renews nothing, and is not asked without end either.
#[tokio::test(start_paused = true)]
async fn a_suspended_term_without_an_election_ends_with_the_process() {
    let fake = mk_fake(&["a"]);
    let bench = Bench::new(&fake);
    bench.claims.send(mk_claim(1, Duration::ZERO)).unwrap();
    bench.handle.send(mk_patch("a", 1));
    drop(bench.claims);
    tokio::time::sleep(SECOND).await;
    bench.shutdown.cancel();
    assert_eq!(bench.task.await.unwrap(), Drained::Clean);
    assert_eq!(fake.log().len(), 0);
}
