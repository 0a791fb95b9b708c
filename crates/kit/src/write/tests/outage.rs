//! What the writer does while the API server is away, and how soon all is right when it is back.

use std::sync::{Arc, Mutex};

use super::*;
use crate::{fake::Call, logs::tests::Captured};

const OBJECTS: usize = 200;
const SECOND: Duration = Duration::from_secs(1);

/// A server with [`OBJECTS`] objects.
fn mk_fake() -> Fake {
    let fake = Fake::new();
    for number in 0..OBJECTS {
        fake.put(&path(&number.to_string()), mk_map(&number.to_string()));
    }
    fake
}

impl Bench {
    fn send_all(&self, value: u32) {
        for number in 0..OBJECTS {
            self.send(mk_patch(&number.to_string(), value));
        }
    }

    /// Waits until every object has been written; returns how long that took.
    async fn all_written(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..OBJECTS {
            assert!(self.outcome().await.result.is_ok());
        }
        start.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_asked_at_most_twice_a_second_and_found_within_one() {
    let fake = mk_fake();
    let mut bench = Bench::new(&fake);
    fake.stop();
    bench.send_all(1);
    tokio::time::sleep(3 * SECOND).await;
    let before = fake.log().len();
    tokio::time::sleep(60 * SECOND).await;
    let asked = fake.log().len() - before;
    assert!((60..=120).contains(&asked), "{asked} requests in a minute");
    fake.start();
    let took = bench.all_written().await;
    assert!(took < SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn thousands_of_writes_that_are_not_done_are_one_line_a_minute() {
    for (fault, minutes) in [(Fault::Busy(1), 3), (Fault::Code(500), 3), (Fault::Reset, 0)] {
        let captured = Captured::new();
        let fake = mk_fake();
        let bench = Bench::new(&fake);
        fake.policy(move |_| Some(fault));
        bench.send_all(1);
        tokio::time::sleep(150 * SECOND).await;
        let told = captured.told();
        assert_eq!(told.len(), minutes, "{fault:?}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_answers_when_it_goes_on() {
    let fake = mk_fake();
    let mut bench = Bench::new(&fake);
    fake.freeze();
    bench.send_all(1);
    tokio::time::sleep(180 * SECOND).await;
    let asked = fake.log().len();
    assert!(asked < CONCURRENCY + 30, "{asked} requests in three minutes");
    fake.thaw();
    let took = bench.all_written().await;
    assert!(took <= SECOND / 10, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_frozen_is_found_within_a_second() {
    let fake = mk_fake();
    let mut bench = Bench::new(&fake);
    fake.freeze();
    bench.send_all(1);
    tokio::time::sleep(60 * SECOND).await;
    fake.stop();
    tokio::time::sleep(5 * SECOND).await;
    fake.start();
    let took = bench.all_written().await;
    assert!(took < SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn after_refusals_all_is_right_within_a_second() {
    for code in [429, 500, 503] {
        let fake = mk_fake();
        fake.policy(move |_| Some(Fault::Code(code)));
        let mut bench = Bench::new(&fake);
        bench.send_all(1);
        tokio::time::sleep(5 * SECOND).await;
        fake.policy(|_| None);
        let took = bench.all_written().await;
        assert!(took < SECOND, "{code}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_delays_nothing_beyond_its_own_time() {
    let fake = mk_fake();
    fake.policy(|_| Some(Fault::Slow(2 * SECOND)));
    let mut bench = Bench::new(&fake);
    bench.send_all(1);
    let took = bench.all_written().await;
    let rounds = u32::try_from(OBJECTS.div_ceil(CONCURRENCY)).unwrap();
    assert!(took < rounds * 2 * SECOND + SECOND / 10, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_servers_wish_outlasts_an_answer_to_others() {
    let fake = mk_fake();
    fake.script([Some(Fault::Busy(7)), Some(Fault::Reset)]);
    let mut bench = Bench::new(&fake);
    let start = Instant::now();
    for key in ["0", "1", "2"] {
        bench.send(mk_patch(key, 1));
    }
    for _ in 0..2 {
        assert_ne!(bench.outcome().await.write.key, "0");
    }
    assert!(start.elapsed() < SECOND);
    assert_eq!(bench.outcome().await.write.key, "0");
    assert_eq!(start.elapsed().as_secs(), 7);
}

/// Its connections break, those of others do not: neither they nor the server suffer from it.
#[tokio::test(start_paused = true)]
async fn a_write_that_alone_is_never_answered_holds_nobody_up() {
    let fake = mk_fake();
    let bad = path("0");
    let breaks = bad.clone();
    fake.policy(move |call: &Call| (call.path == breaks).then_some(Fault::Reset));
    let mut bench = Bench::new(&fake);
    let start = Instant::now();
    for value in 0..5 {
        bench.send_all(value);
    }
    for _ in 0..5 * (OBJECTS - 1) {
        assert!(bench.outcome().await.result.is_ok());
    }
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    tokio::time::sleep(10 * SECOND).await;
    let tries = fake.log().iter().filter(|line| line.ends_with(&bad)).count();
    assert!(tries < 30, "{tries}");
}

#[tokio::test(start_paused = true)]
async fn an_apply_takes_the_fields_over_in_its_managers_name() {
    let fake = Fake::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    fake.policy(move |call| {
        noted.lock().unwrap().push(call.clone());
        None
    });
    let mut bench = Bench::new(&fake);
    for subresource in [None, Some("status")] {
        bench.send(Write {
            op: Op::Apply {
                subresource,
                manager: "poolReconciler",
                body: mk_map("a").into(),
            },
            ..mk_patch("a", 0)
        });
        assert!(bench.outcome().await.result.unwrap().is_some());
    }
    let paths = [path("a"), format!("{}/status", path("a"))];
    for (call, path) in calls.lock().unwrap().iter().zip(paths) {
        assert_eq!((call.method.as_str(), &call.path), ("PATCH", &path));
        assert_eq!(call.content_type, "application/apply-patch+yaml");
        assert!(call.query.contains("fieldManager=poolReconciler") && call.query.contains("force=true"));
        assert_eq!(call.body, mk_map("a"));
    }
}
