//! What the writer does when a term is suspended, goes on or ends; by hand, and with a real election on a slow server.

use std::sync::{Arc, Mutex};

use super::*;
use crate::lease::{Candidate, Predecessor, Timing, run};

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
        bench.send(mk_patch(&number.to_string(), 1));
    }
    tokio::time::sleep(SECOND / 1000).await;
    bench.claims.send(Claim::none()).unwrap();
    bench.claims.send(mk_term(2)).unwrap();
    let last = (objects - 1).to_string();
    bench.send(mk_patch(&last, 2));
    fake.let_in(objects * 2);
    for _ in 0..CONCURRENCY {
        assert!(bench.outcome().await.result.is_ok());
    }
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(fake.log().len(), CONCURRENCY + 1);
    assert_eq!(value(&fake, &last), 2);
}

/// Who decides may be slower to learn of a new term than who writes.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_term_decided_is_not_sent_although_it_comes_late() {
    let fake = mk_fake(&["a"]);
    let mut bench = Bench::new(&fake);
    for (decided, now) in [(1, mk_term(2)), (2, Claim::none())] {
        bench.claims.send(now).unwrap();
        bench.handle.send_in(decided, mk_patch("a", 1));
        tokio::time::sleep(SECOND).await;
        assert!(bench.counted("Dropped"));
        assert_eq!(fake.log().len(), 0, "{now:?}");
    }
    bench.claims.send(mk_term(3)).unwrap();
    bench.handle.send_in(3, mk_patch("a", 2));
    assert_eq!(bench.outcome().await.term, 3);
}

/// The answer to what was under way comes in another term, and says so.
#[tokio::test(start_paused = true)]
async fn an_answer_names_the_term_of_its_write() {
    let fake = mk_fake(&["a"]);
    let mut bench = Bench::new(&fake);
    fake.script([Some(Fault::Slow(SECOND))]);
    bench.claims.send(mk_term(1)).unwrap();
    bench.send(mk_patch("a", 1));
    tokio::time::sleep(SECOND / 2).await;
    bench.claims.send(mk_term(2)).unwrap();
    bench.send(mk_patch("a", 2));
    for (term, value) in [(1, 1), (2, 2)] {
        let outcome = bench.outcome().await;
        assert_eq!((outcome.term, outcome.write), (term, mk_patch("a", value)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_suspended_term_keeps_its_writes_until_it_goes_on() {
    let fake = mk_fake(&["a", "b"]);
    let mut bench = Bench::new(&fake);
    bench.claims.send(mk_claim(1, SECOND)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    bench.send(mk_patch("a", 1));
    bench.send(mk_patch("b", 2));
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
        bench.send(mk_patch("a", 1));
        tokio::time::sleep(SECOND).await;
        bench.claims.send(next).unwrap();
        tokio::time::sleep(SECOND).await;
        assert!(bench.counted("Dropped"), "{next:?}");
        bench.claims.send(mk_term(4)).unwrap();
        bench.send(mk_patch("b", 1));
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
    bench.send(mk_patch("a", 1));
    bench.send(mk_patch("b", 2));
    let outcome = bench.outcome().await;
    assert_eq!(outcome.write.key, "a");
    assert!(outcome.result.is_ok());
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(fake.log().len(), 2, "the retry waits");
    bench.claims.send(mk_claim(1, SECOND)).unwrap();
    assert_eq!(bench.outcome().await.write.key, "b");
    assert_eq!(fake.log().len(), 3);
}

/// What an earlier term left under way is fenced off, and does not keep this one from giving the Lease back.
#[tokio::test(start_paused = true)]
async fn only_what_this_term_left_open_makes_its_end_ambiguous() {
    for (another, drained) in [(false, Drained::Clean), (true, Drained::Ambiguous)] {
        let fake = mk_fake(&["a", "b"]);
        let bench = Bench::new(&fake);
        // One answer is lost within the term, the other one only after it.
        fake.script([Some(Fault::AnswerLost), Some(Fault::Silence)]);
        bench.send(mk_patch("a", 1));
        bench.send(mk_patch("b", 1));
        tokio::time::sleep(SECOND / 1000).await;
        assert_eq!(fake.log().len(), 2);
        bench.claims.send(Claim::none()).unwrap();
        tokio::time::sleep(SECOND).await;
        bench.claims.send(mk_term(2)).unwrap();
        tokio::time::sleep(20 * SECOND).await;
        if another {
            fake.script([Some(Fault::Silence)]);
            bench.send(mk_patch("a", 2));
            tokio::time::sleep(SECOND / 1000).await;
        }
        bench.shutdown.cancel();
        assert_eq!(bench.task.await.unwrap(), drained);
    }
}

/// An election that is gone renews nothing, and is not asked without end either.
#[tokio::test(start_paused = true)]
async fn a_suspended_term_without_an_election_ends_with_the_process() {
    let fake = mk_fake(&["a"]);
    let bench = Bench::new(&fake);
    bench.claims.send(mk_claim(1, Duration::ZERO)).unwrap();
    bench.send(mk_patch("a", 1));
    drop(bench.claims);
    tokio::time::sleep(SECOND).await;
    bench.shutdown.cancel();
    assert_eq!(bench.task.await.unwrap(), Drained::Clean);
    assert_eq!(fake.log().len(), 0);
}

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/metallb-controller";

/// An election and its writer.
struct Replica {
    bench: Bench,
    claim: watch::Receiver<Claim>,
}

impl Replica {
    fn start(fake: &Fake, identity: &str) -> Self {
        let bench = Bench::new(fake);
        bench.claims.send_replace(Claim::none());
        let candidate = Candidate {
            namespace: "metallb-system".to_owned(),
            name: "metallb-controller".to_owned(),
            identity: identity.to_owned(),
            timing: Timing::default(),
        };
        let claim = bench.claims.subscribe();
        let claims = bench.claims.clone();
        tokio::spawn(run(fake.client(), candidate, claims, CancellationToken::new()));
        Self { bench, claim }
    }
}

/// Every term that the Lease has named, as `holder/transitions`, in the order of its writes.
fn terms_of(fake: &Fake) -> Arc<Mutex<Vec<String>>> {
    let terms = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&terms);
    fake.observe(move |path, lease| {
        if let (LEASE, Some(lease)) = (path, lease) {
            let spec = &lease["spec"];
            let term = format!(
                "{}/{}",
                spec["holderIdentity"].as_str().unwrap(),
                spec["leaseTransitions"]
            );
            let mut terms = noted.lock().unwrap();
            if terms.last() != Some(&term) {
                terms.push(term);
            }
        }
    });
    terms
}

fn slow_writes(fake: &Fake, latency: Duration) {
    fake.policy(move |call| (call.method != "GET").then_some(Fault::Slow(latency)));
}

/// No renewal is answered before the next one should have been sent, yet nobody else leads, and that is known.
#[tokio::test(start_paused = true)]
async fn on_a_slow_server_one_term_lasts_and_writes_land_at_its_pace() {
    for slow_from_the_start in [true, false] {
        let fake = mk_fake(&["a"]);
        let terms = terms_of(&fake);
        if slow_from_the_start {
            slow_writes(&fake, 2 * SECOND);
        }
        let mut first = Replica::start(&fake, "first");
        first.claim.wait_for(|claim| claim.held).await.unwrap();
        let second = Replica::start(&fake, "second");
        tokio::time::sleep(5 * SECOND).await;
        slow_writes(&fake, 2 * SECOND);
        let start = Instant::now();
        let mut written = 0;
        while start.elapsed() < 600 * SECOND {
            first.bench.send(mk_patch("a", written));
            assert!(first.bench.outcome().await.result.is_ok());
            written += 1;
        }
        assert!(written > 200, "{written} writes of 2 s each in ten minutes");
        assert_eq!(*terms.lock().unwrap(), ["first/0"], "{slow_from_the_start}");
        assert_eq!(first.claim.borrow().predecessor, Predecessor::Fresh);
        assert!(!second.claim.borrow().held);
        assert!(!first.bench.counted("Dropped"));
    }
}

/// An answer takes longer than a claim holds: nobody may write, until somebody may again.
#[tokio::test(start_paused = true)]
async fn on_a_server_slower_than_a_claim_nothing_is_written() {
    for slow_from_the_start in [true, false] {
        let fake = mk_fake(&["a"]);
        if slow_from_the_start {
            slow_writes(&fake, 4 * SECOND);
        }
        let replicas = [Replica::start(&fake, "first"), Replica::start(&fake, "second")];
        tokio::time::sleep(SECOND / 2).await;
        slow_writes(&fake, 4 * SECOND);
        tokio::time::sleep(4 * SECOND).await;
        let leaders = || {
            let holds = |replica: &&Replica| replica.claim.borrow().holds(Instant::now());
            replicas.iter().filter(holds).count()
        };
        for second in 0..600 {
            assert_eq!(leaders(), 0, "after {second} s");
            for replica in &replicas {
                replica.bench.send(mk_patch("a", second));
            }
            tokio::time::sleep(SECOND).await;
        }
        assert!(value(&fake, "a").is_null());
        fake.policy(|_| None);
        tokio::time::sleep(5 * SECOND).await;
        assert_eq!(leaders(), 1, "{slow_from_the_start}");
    }
}
