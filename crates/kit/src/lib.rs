//! The Kubernetes shell around a pure index: watch → index → writes, gated by leadership.
//!
//! | module | owns |
//! | --- | --- |
//! | [`client`] | the connection to the API server: keep-alive, no hidden retries |
//! | [`watch`] | a watch stream as [`Change`](watch::Change)s on a bounded channel |
//! | [`mod@write`] | the one task that writes: order per object, priorities, retries, the gate |
//! | [`flags`] | the flags and the start that both programs have in common |
//! | [`lease`] | leader election; publishes a [`Claim`](lease::Claim) |
//! | [`events`] | core/v1 Events: aggregated, never in the way of a status |
//! | [`admin`] | `/healthz` and `/readyz`; by HTTPS `/metrics`, for who may |
//! | [`metrics`] | the registry, with the process's own numbers |
//! | [`logs`] | JSON lines on standard output |
//! | [`shutdown`] | SIGTERM and SIGINT as a cancellation token |
//! | `fake` | an API server in memory, for tests; behind the feature `fake` |
//!
//! Never imports a domain type: it knows `kube` and `k8s-openapi`, and neither Services nor pools.

pub mod admin;
mod backoff;
pub mod client;
pub mod events;
pub mod flags;
pub mod lease;
pub mod logs;
pub mod metrics;
mod outage;
mod retry_after;
pub mod shutdown;
pub mod watch;
pub mod write;

#[cfg(any(test, feature = "fake"))]
pub mod fake;
