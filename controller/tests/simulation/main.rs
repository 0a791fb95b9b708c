//! Whole controllers against an API server in memory, under tokio's paused clock: minutes pass in milliseconds.
//!
//! | module | owns |
//! | --- | --- |
//! | `cluster` | the API server, the controllers' pods, the time |
//! | `objects` | what users create, and how it is read |
//! | `observer` | looks at every change: no address is held twice, none is moved or lost unasked |
//! | `oracle` | whether what the API server holds is what should be there |
//! | `user` | changes Services all the time, from a seed |
//! | `replicas` | several replicas, of which one is killed, stopped or paused |
//! | `schedule` | the write of a deposed leader that lands late |
//! | `faults` | random sequences of changes and faults |
//! | `cost` | how many writes what happens costs |
//!
//! A seed makes the same changes at the same times. The order in which tasks run and the jitter of delays are the
//! product's own and differ from run to run: what fails with a seed fails soon when it is repeated.
#![allow(clippy::unwrap_used, reason = "a test")]

mod cluster;
mod cost;
mod faults;
mod objects;
mod observer;
mod oracle;
mod replicas;
mod schedule;
mod user;
