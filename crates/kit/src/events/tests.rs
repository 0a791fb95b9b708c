use k8s_openapi::api::core::v1::{Event, ObjectReference};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Duration, Instant, advance, sleep},
};

use super::{EventHandle, Note, QUEUE, QUEUE_BYTES, REPEAT, Recorder, Severity, YIELD};
use crate::{
    fake::{Fake, Fault},
    logs::tests::Captured,
    metrics::render,
};

const EVENTS: &str = "/api/v1/namespaces/traefik/events/";

fn mk_note(message: &str) -> Note {
    Note {
        involved: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Service".to_owned()),
            namespace: Some("traefik".to_owned()),
            name: Some("traefik".to_owned()),
            uid: Some("9a1c".to_owned()),
            ..ObjectReference::default()
        },
        severity: Severity::Warning,
        reason: "AllocationFailed".to_owned(),
        message: message.to_owned(),
    }
}

struct Bench {
    fake: Fake,
    handle: EventHandle,
    task: JoinHandle<()>,
}

impl Bench {
    fn new() -> Self {
        let fake = Fake::new();
        let (handle, recorder) = Recorder::new(fake.client(), "metallb-controller", &mut Registry::default());
        Self {
            fake,
            handle,
            task: tokio::spawn(recorder.run()),
        }
    }

    /// Records the notes one after another, with `pause` after each.
    async fn publish(&self, messages: &[&str], pause: Duration) {
        for message in messages {
            self.handle.publish(&mk_note(message));
            // Wakes when the recorder waits again, the clock being paused.
            sleep(Duration::from_millis(1)).await;
            advance(pause).await;
        }
    }

    async fn finish(self) -> Vec<Event> {
        drop(self.handle);
        self.task.await.unwrap();
        self.fake
            .objects(EVENTS)
            .into_iter()
            .map(|event| serde_json::from_value(event).unwrap())
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_what_kubectl_describe_looks_for() {
    let bench = Bench::new();
    bench.publish(&["no address left"], Duration::ZERO).await;
    let events = bench.finish().await;
    let [event] = events.as_slice() else {
        panic!("one event: {events:?}")
    };
    assert_eq!(event.involved_object, mk_note("").involved);
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(event.reason.as_deref(), Some("AllocationFailed"));
    assert_eq!(event.message.as_deref(), Some("no address left"));
    assert_eq!(
        event.source.as_ref().unwrap().component.as_deref(),
        Some("metallb-controller")
    );
    assert_eq!(event.reporting_component.as_deref(), Some("metallb-controller"));
    assert_eq!(event.count, Some(1));
    assert!(event.first_timestamp.is_some() && event.first_timestamp == event.last_timestamp);
    let suffix = event
        .metadata
        .name
        .as_deref()
        .unwrap()
        .strip_prefix("traefik.")
        .unwrap();
    assert!(u64::from_str_radix(suffix, 16).is_ok(), "{suffix}");
}

#[tokio::test(start_paused = true)]
async fn an_event_is_logged_in_the_same_words() {
    let captured = Captured::new();
    let bench = Bench::new();
    bench.handle.publish(&mk_note("no address left"));
    bench.handle.publish(&Note {
        severity: Severity::Normal,
        reason: "IPAllocated".to_owned(),
        ..mk_note("assigned \"10.0.0.1\"")
    });
    let mut recorded: Vec<_> = bench
        .finish()
        .await
        .into_iter()
        .map(|event| (event.reason.unwrap(), event.message.unwrap()))
        .collect();
    recorded.sort();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = captured.lines();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (text(&line["event"]), text(&line["msg"])))
        .collect();
    assert_eq!(told, recorded);
    assert!(
        lines
            .iter()
            .all(|line| line["namespace"] == "traefik" && line["object"] == "traefik"),
        "{lines:?}"
    );
    let levels: Vec<_> = lines.iter().map(|line| text(&line["level"])).collect();
    assert_eq!(levels, ["warn", "info"]);
}

#[tokio::test(start_paused = true)]
async fn repeats_count_up_one_event_until_they_are_rare() {
    let bench = Bench::new();
    bench.publish(&["a", "a", "b", "a"], REPEAT / 4).await;
    bench.publish(&["a"], REPEAT * 2).await;
    bench.publish(&["a"], Duration::ZERO).await;
    let mut counts: Vec<_> = bench
        .finish()
        .await
        .into_iter()
        .map(|event| (event.message.unwrap(), event.count.unwrap()))
        .collect();
    counts.sort();
    assert_eq!(
        counts,
        [("a".to_owned(), 1), ("a".to_owned(), 4), ("b".to_owned(), 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_has_expired_is_made_anew() {
    let bench = Bench::new();
    bench.publish(&["a"], Duration::ZERO).await;
    let name = bench.fake.objects(EVENTS)[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    bench.fake.remove(&format!("{EVENTS}{name}"));
    bench.publish(&["a"], Duration::ZERO).await;
    let events = bench.finish().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].count, Some(1));
    assert_ne!(events[0].metadata.name.as_ref(), Some(&name));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_holds_up_no_other() {
    let bench = Bench::new();
    bench.fake.script([Some(Fault::Code(403)), Some(Fault::Silence)]);
    for message in ["a", "b", "c"] {
        bench.handle.publish(&mk_note(message));
    }
    let events = bench.finish().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].message.as_deref(), Some("c"));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_counts() {
    let fake = Fake::with_a_door();
    let mut registry = Registry::default();
    let (handle, recorder) = Recorder::new(fake.client(), "test", &mut registry);
    for number in 0..QUEUE + 3 {
        handle.publish(&mk_note(&number.to_string()));
    }
    drop(recorder);
    assert!(
        render(&registry).contains("cortenlb_events_dropped_total 3"),
        "{}",
        render(&registry)
    );
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_in_bytes_as_well() {
    let mut registry = Registry::default();
    let (handle, recorder) = Recorder::new(Fake::new().client(), "test", &mut registry);
    let long = "x".repeat(QUEUE_BYTES / 4);
    for _ in 0..5 {
        handle.publish(&mk_note(&long));
    }
    handle.publish(&mk_note("short"));
    drop(recorder);
    assert!(
        render(&registry).contains("cortenlb_events_dropped_total 2"),
        "{}",
        render(&registry)
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_a_busy_writer_but_not_for_ever() {
    let fake = Fake::new();
    let (handle, recorder) = Recorder::new(fake.client(), "test", &mut Registry::default());
    let (busy, writer) = watch::channel(true);
    let task = tokio::spawn(recorder.yielding_to(writer).run());
    let start = Instant::now();
    for number in 0..20 {
        handle.publish(&mk_note(&number.to_string()));
    }
    sleep(YIELD * 10 + YIELD / 2).await;
    assert_eq!(fake.objects(EVENTS).len(), 10);
    busy.send(false).unwrap();
    drop(handle);
    task.await.unwrap();
    assert_eq!(fake.objects(EVENTS).len(), 20);
    assert!(start.elapsed() < YIELD * 11, "the pause is used");
}

mod queue {
    use super::super::queue::queue;
    use super::*;

    #[tokio::test]
    async fn a_note_comes_out_as_it_went_in() {
        let note = Note {
            involved: ObjectReference {
                resource_version: Some("7".to_owned()),
                field_path: Some("spec".to_owned()),
                ..mk_note("").involved
            },
            ..mk_note("assigned \"10.0.0.1\"\n")
        };
        let (sender, mut receiver) = queue(2, QUEUE_BYTES);
        assert!(sender.push(&note) && sender.push(&mk_note("b")));
        assert_eq!(receiver.next().await, Some(note));
        assert_eq!(receiver.next().await, Some(mk_note("b")));
    }
}

mod cache {
    use tokio::time::{Duration, Instant};

    use super::super::cache::{Cache, ENTRIES};
    use super::mk_note;

    #[test]
    fn a_full_cache_forgets_the_longest_silent() {
        let mut cache = Cache::default();
        let start = Instant::now();
        let at = |number: usize| start + Duration::from_millis(number as u64);
        for number in 0..ENTRIES {
            cache.insert(&mk_note(&number.to_string()), number.to_string(), at(number));
        }
        assert!(
            cache.repeat(&mk_note("0"), at(ENTRIES)).is_some(),
            "0 has spoken again"
        );
        cache.insert(&mk_note("new"), "new".to_owned(), at(ENTRIES + 1));
        assert!(cache.repeat(&mk_note("1"), at(ENTRIES + 2)).is_none());
        for kept in ["0", "2", "new"] {
            assert!(cache.repeat(&mk_note(kept), at(ENTRIES + 2)).is_some(), "{kept}");
        }
    }
}
