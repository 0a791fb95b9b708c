//! The metrics registry, with the process's own numbers, and its text form.

#[cfg(any(test, feature = "fake"))]
pub mod page;

use std::fs;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::logs;

pub use prometheus_client::registry::Registry;

/// The path of [`render`]'s text.
pub const PATH: &str = "/metrics";

/// The content type of [`render`]'s text (OpenMetrics 1.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry that holds the process's own metrics, under the names that every Prometheus client library gives them:
/// `process_resident_memory_bytes` and `process_open_fds`.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process));
    registry
}

/// The registry's text. A scrape cannot fail: what cannot be encoded is left out.
#[must_use]
pub fn render(registry: &Registry) -> String {
    let mut out = String::new();
    text::encode(&mut out, registry).expect("writing to a String cannot fail");
    out
}

/// Reads `/proc/self` when scraped. A number that cannot be read is left out.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut gauge = |name, help, unit: Option<&Unit>, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        if let Some(bytes) = resident_bytes() {
            gauge(
                "process_resident_memory",
                "Resident memory size.",
                Some(&Unit::Bytes),
                bytes as f64,
            )?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            gauge(
                "process_open_fds",
                "Number of open file descriptors.",
                None,
                open.count() as f64,
            )?;
        }
        let dropped = ConstCounter::new(logs::dropped() as u64);
        let help = "Lines of the log that were dropped because they came faster than they could be written";
        dropped.encode(encoder.encode_descriptor(
            "cortenlb_log_lines_dropped",
            help,
            None,
            dropped.metric_type(),
        )?)?;
        Ok(())
    }
}

/// `VmRSS` of proc_pid_status(5), which counts in KiB.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests;
