//! Logs: one JSON object a line on standard output, with MetalLB's field names; plain text on a terminal, unless a flag says
//! otherwise.
//!
//! A thread of its own writes them: whoever reads the other end may stall, the container runtime while its disk is busy,
//! say, and nobody waits for that who answers neighbours or renews a Lease.

use std::{
    error::Error,
    fmt::{self, Write as _},
    io::IsTerminal,
    str::FromStr,
    sync::{Mutex, OnceLock, PoisonError},
};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error as ThisError;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt as _, Targets},
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format::Writer},
    layer::{Context, Filter, SubscriberExt},
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

/// The prefix of the project's own crates. Libraries below them speak from `warn` on.
const OURS: &str = "cortenlb";

/// Lines that wait to be written; later ones are dropped, and counted. A take-over of 2,000 groups makes three lines for
/// each, of 300 bytes.
const LINES: usize = 8_192;

/// Ends the thread that writes, once it has written everything.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The values of MetalLB's flag `--log-level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything, the libraries' debug output included.
    All,
    /// `debug` and worse.
    Debug,
    /// `info` and worse: the default.
    #[default]
    Info,
    /// `warn` and worse.
    Warn,
    /// `error` alone.
    Error,
    /// Nothing.
    None,
}

/// The value of `--log-level` is none of MetalLB's.
#[derive(Debug, PartialEq, Eq, ThisError)]
#[error("log level {0:?} does not exist: use all, debug, info, warn, error or none")]
pub struct UnknownLevel(String);

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Ok(match name {
            "all" => Self::All,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "none" => Self::None,
            _ => return Err(UnknownLevel(name.to_owned())),
        })
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::None => "none",
        })
    }
}

impl LogLevel {
    fn targets(self) -> Targets {
        let (ours, others) = match self {
            Self::All => (LevelFilter::TRACE, LevelFilter::DEBUG),
            Self::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
            Self::Info => (LevelFilter::INFO, LevelFilter::WARN),
            Self::Warn => (LevelFilter::WARN, LevelFilter::WARN),
            Self::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
            Self::None => (LevelFilter::OFF, LevelFilter::OFF),
        };
        let targets = Targets::new().with_target(OURS, ours).with_default(others);
        if self.shows_routine() {
            return targets;
        }
        // It warns at each 403 of a watch, of which `watch` tells once.
        targets.with_target("kube_runtime::watcher", others.min(LevelFilter::ERROR))
    }

    /// Whether what libraries call a warning and is none is shown too.
    const fn shows_routine(self) -> bool {
        matches!(self, Self::All | Self::Debug)
    }

    fn filter<S>(self) -> impl Filter<S> {
        self.targets().and(Routine {
            shown: self.shows_routine(),
        })
    }
}

/// The values of flag `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise: the default.
    #[default]
    Auto,
    /// A JSON object a line.
    Json,
    /// Text for people.
    Text,
}

/// The value of `--log-format` is none of these.
#[derive(Debug, PartialEq, Eq, ThisError)]
#[error("log format {0:?} does not exist: use auto, json or text")]
pub struct UnknownFormat(String);

impl FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Ok(match name {
            "auto" => Self::Auto,
            "json" => Self::Json,
            "text" => Self::Text,
            _ => return Err(UnknownFormat(name.to_owned())),
        })
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Text => "text",
        })
    }
}

impl LogFormat {
    /// Writes lines in this format. Only a terminal shows colours.
    fn layer<S, W>(self, is_terminal: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let lines = tracing_subscriber::fmt::layer::<S>().with_writer(writer);
        match self {
            Self::Auto | Self::Text if is_terminal => lines.boxed(),
            Self::Text => lines.with_ansi(false).boxed(),
            Self::Auto | Self::Json => lines.event_format(Json).boxed(),
        }
    }
}

/// Makes the process log to standard output from `level` on.
///
/// # Errors
/// Logging was set up before; the earlier set-up stays.
pub fn init(level: LogLevel, format: LogFormat) -> Result<(), TryInitError> {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("logs")
        .finish(std::io::stdout());
    let dropped = writer.error_counter();
    let lines = format.layer(std::io::stdout().is_terminal(), writer);
    tracing_subscriber::registry()
        .with(lines.with_filter(level.filter()))
        .try_init()?;
    DROPPED.get_or_init(|| dropped);
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    Ok(())
}

/// Waits, a second at most, until what was logged is written: for the end of a process. What is logged later is lost.
pub fn flush() {
    drop(WRITER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// How many lines were dropped because they came faster than they could be written.
#[must_use]
pub fn dropped() -> usize {
    DROPPED.get().map_or(0, ErrorCounter::dropped_lines)
}

/// Hides kube's lines about each watch whose connection ended, hundreds while an API server restarts. They can be told
/// from the other warnings of that module by their text alone. `watch` goes on where it was, and the
/// [`client`](crate::client) tells if nobody answers.
struct Routine {
    shown: bool,
}

impl Routine {
    const TARGET: &str = "kube_client::client";
    const TEXTS: [&str; 2] = ["eof in poll", "timeout in poll"];
}

impl<S> Filter<S> for Routine {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == Self::TARGET {
            Interest::sometimes()
        } else {
            Interest::always()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if self.shown || event.metadata().target() != Self::TARGET {
            return true;
        }
        let mut line = Map::new();
        event.record(&mut Fields(&mut line));
        let text = line.get("msg").and_then(Value::as_str).unwrap_or_default();
        !Self::TEXTS.iter().any(|routine| text.starts_with(routine))
    }
}

/// An error with all its causes in one line, outermost first.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // kube and hyper repeat their cause in their own text.
        if !text.ends_with(&cause_text) {
            write!(text, ": {cause_text}").expect("writing to a String cannot fail");
        }
        source = cause.source();
    }
    text
}

/// `{"ts":…,"level":…,"caller":"file.rs:12","msg":…}` with the event's fields beside them.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let meta = event.metadata();
        let mut line = Map::new();
        line.insert("ts".into(), format!("{:.3}", Timestamp::now()).into());
        line.insert("level".into(), level_name(*meta.level()).into());
        if let (Some(file), Some(number)) = (meta.file(), meta.line()) {
            let file = file.rsplit_once("/src/").map_or(file, |(_, file)| file);
            line.insert("caller".into(), format!("{file}:{number}").into());
        }
        event.record(&mut Fields(&mut line));
        let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(out, "{line}")
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Collects an event's fields; the message is called `msg`, as in MetalLB's lines.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = if field.name() == "message" {
            "msg"
        } else {
            field.name()
        };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, chain(value));
    }
}

#[cfg(test)]
pub(crate) mod tests;
