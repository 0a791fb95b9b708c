//! The Helm chart, rendered without a cluster: it says what the manifests say, is named as MetalLB's, and takes its values.
//!
//! | module | owns |
//! | --- | --- |
//! | `helm` | running Helm, reading what it writes |
//! | `manifests` | the chart against `deploy/manifests/cortenlb.yaml` |
//! | `metallb` | the chart against MetalLB's: names, selectors, values |
//! | `monitors` | what the chart's monitors find |
//! | `values` | our values: what each changes, and what is refused |
//! | `snapshots` | what comes out, committed below `rendered` |
//!
//! Needs Go, for Helm and MetalLB's chart.

#![allow(
    clippy::unwrap_used,
    reason = "the lint spares #[test] functions only, not their helpers"
)]

mod helm;
mod manifests;
mod metallb;
mod monitors;
mod snapshots;
mod values;
