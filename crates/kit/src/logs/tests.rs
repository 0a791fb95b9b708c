use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
};

use serde_json::Value;
use thiserror::Error;
use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber},
};
use tracing_subscriber::{Layer as _, fmt::MakeWriter, layer::SubscriberExt};

use super::{Json, LogFormat, LogLevel, UnknownLevel, chain};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// While there is a single subscriber, a line that is met for the first time asks its own thread's alone, which may have
/// none, and is off for all threads from then on (`tracing-core`). So there are always more.
static OTHERS: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::default())));

/// What this thread logs while it lives, from `info` on: the tasks of a test run on its thread.
pub(crate) struct Captured {
    lines: Lines,
    _guard: DefaultGuard,
}

impl Captured {
    pub(crate) fn new() -> Self {
        Self::at(LogLevel::Info)
    }

    pub(crate) fn at(level: LogLevel) -> Self {
        LazyLock::force(&OTHERS);
        let lines = Lines::default();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Json)
            .with_writer(lines.clone());
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(level.filter()));
        let _guard = tracing::subscriber::set_default(subscriber);
        Self { lines, _guard }
    }

    /// A JSON object a line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let bytes = self.lines.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Level and message of each line.
    pub(crate) fn told(&self) -> Vec<String> {
        let lines = self.lines().into_iter();
        let text = |line: Value| {
            format!(
                "{}: {}",
                line["level"].as_str().unwrap(),
                line["msg"].as_str().unwrap()
            )
        };
        lines.map(text).collect()
    }
}

/// What `speak` logs at `level`, a JSON object a line.
fn logged(level: LogLevel, speak: impl FnOnce()) -> Vec<Value> {
    let captured = Captured::at(level);
    speak();
    captured.lines()
}

#[derive(Debug, Error)]
#[error("the pool is full")]
struct Full;

#[derive(Debug, Error)]
#[error("no address for a/b")]
struct NoAddress(#[source] Full);

#[test]
fn a_line_has_metallbs_fields() {
    let lines = logged(LogLevel::Info, || {
        let error: &(dyn std::error::Error + 'static) = &NoAddress(Full);
        tracing::info!(service = "a/b", ports = 2, shared = true, error, "no \"address\"");
    });
    let [line] = lines.as_slice() else {
        panic!("one line: {lines:?}")
    };
    assert_eq!(line["level"], "info");
    assert_eq!(line["msg"], "no \"address\"");
    assert_eq!(
        (&line["service"], &line["ports"], &line["shared"]),
        (&"a/b".into(), &2.into(), &true.into())
    );
    assert_eq!(line["error"], "no address for a/b: the pool is full");
    let caller = line["caller"].as_str().unwrap();
    assert!(caller.starts_with("logs/tests.rs:"), "{caller}");
    let ts = line["ts"].as_str().unwrap();
    assert!(
        ts.parse::<k8s_openapi::jiff::Timestamp>().is_ok() && ts.ends_with('Z'),
        "{ts}"
    );
}

#[test]
fn a_level_hides_what_is_below_it() {
    for (name, ours, others) in [
        ("all", 5, 4),
        ("debug", 4, 2),
        ("info", 3, 2),
        ("warn", 2, 2),
        ("error", 1, 1),
        ("none", 0, 0),
    ] {
        let level: LogLevel = name.parse().unwrap();
        assert_eq!(level.to_string(), name);
        let count = logged(level, || {
            tracing::error!("one");
            tracing::warn!("two");
            tracing::info!("three");
            tracing::debug!("four");
            tracing::trace!("five");
        })
        .len();
        assert_eq!(count, ours, "{name}: ours");
        let count = logged(level, || {
            tracing::error!(target: "hyper", "one");
            tracing::warn!(target: "hyper", "two");
            tracing::info!(target: "hyper", "three");
            tracing::debug!(target: "hyper", "four");
            tracing::trace!(target: "hyper", "five");
        })
        .len();
        assert_eq!(count, others, "{name}: others");
    }
}

#[test]
fn an_unknown_level_is_told_what_exists() {
    let error: UnknownLevel = "verbose".parse::<LogLevel>().unwrap_err();
    assert!(
        error.to_string().contains("verbose") && error.to_string().contains("all, debug, info"),
        "{error}"
    );
}

/// What one line looks like.
fn written(format: LogFormat, is_terminal: bool) -> String {
    LazyLock::force(&OTHERS);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(format.layer(is_terminal, lines.clone()));
    tracing::subscriber::with_default(subscriber, || tracing::info!(service = "a/b", "allocated"));
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn lines_are_text_on_a_terminal_and_json_elsewhere_unless_told_otherwise() {
    for (name, is_terminal, is_json) in [
        ("auto", true, false),
        ("auto", false, true),
        ("json", true, true),
        ("json", false, true),
        ("text", true, false),
        ("text", false, false),
    ] {
        let format: LogFormat = name.parse().unwrap();
        assert_eq!(format.to_string(), name);
        let line = written(format, is_terminal);
        assert!(
            line.contains("allocated") && line.contains("a/b"),
            "{name}: {line}"
        );
        assert_eq!(
            serde_json::from_str::<Value>(&line).is_ok(),
            is_json,
            "{name}: {line}"
        );
        let is_coloured = line.contains('\u{1b}');
        assert!(is_terminal || !is_coloured, "{name}: {line}");
    }
}

#[test]
fn a_cause_that_its_error_repeats_is_not_said_twice() {
    #[derive(Debug, Error)]
    #[error("no address: {0}")]
    struct Repeats(#[source] Full);
    assert_eq!(chain(&Repeats(Full)), "no address: the pool is full");
}

/// As kube says it of every watch whose connection ended; its other warnings are shown.
#[test]
fn kubes_routine_is_shown_to_who_asks_for_debug() {
    for (level, routine, refused) in [
        (LogLevel::Info, 0, 0),
        (LogLevel::Warn, 0, 0),
        (LogLevel::Debug, 2, 1),
        (LogLevel::All, 2, 1),
    ] {
        let count = logged(level, || {
            tracing::warn!(target: "kube_client::client", "eof in poll: {:?}", "unexpected EOF");
            tracing::warn!(target: "kube_client::client", "timeout in poll: {}", "timed out");
        })
        .len();
        assert_eq!(count, routine, "{level}");
        let count = logged(
            level,
            || tracing::warn!(target: "kube_runtime::watcher", "watcher error 403"),
        )
        .len();
        assert_eq!(count, refused, "{level}");
        let others = logged(level, || {
            tracing::warn!(target: "kube_client::client", "{}, {:?}", "{}", "no such field");
            tracing::warn!(target: "kube_client::config", "eof in poll");
            tracing::error!(target: "kube_runtime::watcher", "a defect");
        });
        assert_eq!(others.len(), 3, "{level}");
    }
}
