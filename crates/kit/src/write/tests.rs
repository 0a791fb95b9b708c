//! The writer against the fake API server. The clock is tokio's paused one: it moves on when every task waits.

mod claim;
mod outage;
mod queue;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    task::JoinHandle,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{CONCURRENCY, Drained, Op, Outcome, Priority, Refusal, Target, Write, WriteHandle, Writer};
use crate::{
    fake::{Fake, Fault},
    lease::Claim,
    metrics::{Registry, render},
};

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";

fn path(name: &str) -> String {
    format!("{COLLECTION}/{name}")
}

fn mk_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

pub(super) fn mk_patch(key: &str, value: u32) -> Write<String> {
    Write {
        key: key.to_owned(),
        priority: Priority::Normal,
        supersede: false,
        target: Target::of::<ConfigMap>(Some("default"), key),
        op: Op::Patch {
            subresource: None,
            body: json!({ "data": { "value": value } }).into(),
        },
    }
}

struct Bench {
    handle: WriteHandle<String>,
    outcomes: UnboundedReceiver<Outcome<String>>,
    claims: watch::Sender<Claim>,
    shutdown: CancellationToken,
    task: JoinHandle<Drained>,
    registry: Registry,
}

impl Bench {
    fn new(fake: &Fake) -> Self {
        let mut registry = Registry::default();
        let (claims, claim) = watch::channel(Claim::unconditional());
        let (handle, outcomes, writer) = Writer::new(fake.client(), "test", claim, &mut registry);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(writer.run(shutdown.clone()));
        Self {
            handle,
            outcomes,
            claims,
            shutdown,
            task,
            registry,
        }
    }

    /// Hands over what was decided in the present term.
    fn send(&self, write: Write<String>) {
        self.handle.send_in(self.claims.borrow().transitions, write);
    }

    async fn outcome(&mut self) -> Outcome<String> {
        self.outcomes.recv().await.expect("the writer runs")
    }

    fn counted(&self, result: &str) -> bool {
        let name = format!("cortenlb_api_writes_total{{result=\"{result}\"}} ");
        let text = render(&self.registry);
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.expect("each result is shown from the start") != "0"
    }
}

fn value(fake: &Fake, name: &str) -> Value {
    fake.object(&path(name)).expect("the object exists")["data"]["value"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_write_comes_back_with_the_object() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    let mut bench = Bench::new(&fake);
    bench.send(mk_patch("a", 7));
    let outcome = bench.outcome().await;
    let object = outcome.result.unwrap().expect("a patch returns the object");
    assert_eq!(object.metadata.resource_version.as_deref(), Some("2"));
    assert_eq!(value(&fake, "a"), 7);
    assert_eq!(outcome.write, mk_patch("a", 7));
}

#[tokio::test(start_paused = true)]
async fn objects_are_created_and_deleted() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake);
    bench.send(Write {
        op: Op::Create {
            body: mk_map("a").into(),
        },
        ..mk_patch("a", 0)
    });
    bench.send(Write {
        op: Op::Create {
            body: mk_map("a").into(),
        },
        ..mk_patch("a", 0)
    });
    bench.send(Write {
        op: Op::Delete { preconditions: None },
        ..mk_patch("a", 0)
    });
    bench.send(Write {
        op: Op::Delete { preconditions: None },
        ..mk_patch("a", 0)
    });
    assert!(bench.outcome().await.result.unwrap().is_some());
    assert!(matches!(
        bench.outcome().await.result,
        Err(Refusal::AlreadyExists { .. })
    ));
    assert!(bench.outcome().await.result.unwrap().is_none());
    assert!(matches!(
        bench.outcome().await.result,
        Err(Refusal::NotFound { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_sent_again() {
    for (code, want) in [
        (403, "refused"),
        (422, "refused"),
        (400, "refused"),
        (409, "changed"),
        (404, "exist"),
    ] {
        let fake = Fake::new();
        fake.put(&path("a"), mk_map("a"));
        fake.script([Some(Fault::Code(code))]);
        let mut bench = Bench::new(&fake);
        bench.send(mk_patch("a", 1));
        let refusal = bench.outcome().await.result.expect_err("it is refused");
        assert!(refusal.to_string().contains(want), "{code}: {refusal}");
        assert!(refusal.to_string().contains("ConfigMap default/a"), "{refusal}");
        assert_eq!(fake.log().len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_judged_is_sent_again_until_it_is() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    let faults = [401, 429, 500, 502, 503].map(|code| Some(Fault::Code(code)));
    fake.script(
        faults
            .into_iter()
            .chain([Some(Fault::Silence), Some(Fault::AnswerLost)]),
    );
    let mut bench = Bench::new(&fake);
    bench.send(mk_patch("a", 1));
    assert!(bench.outcome().await.result.is_ok());
    assert_eq!(fake.log().len(), 8);
    assert!(bench.counted("Retried"), "{}", render(&bench.registry));
}

/// The answer to a write was lost: the second try finds the object changed, by ourselves.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_ends_as_a_conflict() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    fake.script([Some(Fault::AnswerLost)]);
    let mut bench = Bench::new(&fake);
    let body = json!({ "metadata": { "resourceVersion": "1" }, "data": { "value": 5 } });
    bench.send(Write {
        op: Op::Patch {
            subresource: None,
            body: body.clone().into(),
        },
        ..mk_patch("a", 0)
    });
    assert!(matches!(
        bench.outcome().await.result,
        Err(Refusal::Conflict { .. })
    ));
    assert_eq!(value(&fake, "a"), 5);
}

#[tokio::test(start_paused = true)]
async fn an_object_in_backoff_holds_nobody_up() {
    let fake = Fake::new();
    for name in ["a", "b"] {
        fake.put(&path(name), mk_map(name));
    }
    // The first request, which is `a`'s.
    fake.script([Some(Fault::Code(500))]);
    let mut bench = Bench::new(&fake);
    let start = Instant::now();
    bench.send(mk_patch("a", 1));
    bench.send(mk_patch("a", 2));
    bench.send(mk_patch("b", 1));
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(bench.outcome().await.write.key);
    }
    assert_eq!(order, ["b", "a", "a"]);
    assert_eq!(
        (value(&fake, "a"), value(&fake, "b")),
        (2.into(), 1.into()),
        "the order of `a` is kept"
    );
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn requests_are_many_but_bounded_and_one_per_object() {
    let fake = Fake::with_a_door();
    for number in 0..200 {
        fake.put(&path(&number.to_string()), mk_map(&number.to_string()));
    }
    let mut bench = Bench::new(&fake);
    for value in 0..3 {
        for number in 0..200 {
            bench.send(mk_patch(&number.to_string(), value));
        }
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    fake.let_in(600);
    for _ in 0..600 {
        assert!(bench.outcome().await.result.is_ok());
    }
    assert_eq!(fake.most_waiting(), CONCURRENCY);
    for number in 0..200 {
        assert_eq!(value(&fake, &number.to_string()), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_claim_writes_are_dropped_and_counted() {
    let fake = Fake::new();
    for name in ["a", "b"] {
        fake.put(&path(name), mk_map(name));
    }
    let mut bench = Bench::new(&fake);
    bench.claims.send(Claim::none()).unwrap();
    bench.send(mk_patch("a", 1));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(bench.counted("Dropped"));
    bench.claims.send(Claim::unconditional()).unwrap();
    bench.send(mk_patch("b", 3));
    assert_eq!(bench.outcome().await.write.key, "b");
    assert_eq!(fake.log(), [format!("PATCH {}", path("b"))]);
}

/// The claim is asked again before each try.
#[tokio::test(start_paused = true)]
async fn a_retry_stops_when_the_claim_is_lost() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    fake.put(&path("b"), mk_map("b"));
    fake.script([Some(Fault::Code(503))]);
    let mut bench = Bench::new(&fake);
    bench.send(mk_patch("a", 1));
    tokio::time::sleep(Duration::from_millis(10)).await;
    bench.claims.send(Claim::none()).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    bench.claims.send(Claim::unconditional()).unwrap();
    bench.send(mk_patch("b", 1));
    assert_eq!(bench.outcome().await.write.key, "b");
    assert_eq!(fake.log().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_requests_under_way() {
    let fake = Fake::with_a_door();
    fake.put(&path("a"), mk_map("a"));
    let mut bench = Bench::new(&fake);
    bench.send(mk_patch("a", 1));
    bench.send(mk_patch("a", 2));
    tokio::time::sleep(Duration::from_millis(1)).await;
    bench.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!bench.task.is_finished());
    fake.let_in(2);
    assert_eq!(bench.task.await.unwrap(), Drained::Clean);
    assert!(bench.outcomes.recv().await.unwrap().result.is_ok());
    assert!(bench.outcomes.recv().await.is_none(), "what waited is dropped");
    assert_eq!(value(&fake, "a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_admits_that_a_write_may_still_land() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    fake.script([Some(Fault::Silence)]);
    let bench = Bench::new(&fake);
    bench.send(mk_patch("a", 1));
    tokio::time::sleep(Duration::from_millis(1)).await;
    bench.shutdown.cancel();
    assert_eq!(bench.task.await.unwrap(), Drained::Ambiguous);
}

#[tokio::test(start_paused = true)]
async fn a_writer_says_when_it_is_busy() {
    let fake = Fake::with_a_door();
    fake.put(&path("a"), mk_map("a"));
    let (_claims, claim) = watch::channel(Claim::unconditional());
    let (handle, _outcomes, writer) = Writer::new(fake.client(), "test", claim, &mut Registry::default());
    let mut busy = writer.busy();
    assert!(!*busy.borrow());
    tokio::spawn(writer.run(CancellationToken::new()));
    handle.send(mk_patch("a", 1));
    busy.wait_for(|busy| *busy).await.unwrap();
    fake.let_in(1);
    busy.wait_for(|busy| !busy).await.unwrap();
    assert_eq!(value(&fake, "a"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_writer_ends_with_its_handles() {
    let Bench { handle, task, .. } = Bench::new(&Fake::new());
    drop(handle);
    assert_eq!(task.await.unwrap(), Drained::Clean);
}
