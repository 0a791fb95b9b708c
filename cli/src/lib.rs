//! `kubectl cortenlb`: what the cluster holds, and why it is as it is. Changes nothing.
//!
//! Every command goes the same way: `gather` lists objects (thin, the only part that knows a connection), the lists are
//! [`Facts`](facts::Facts) (plain data), a report is made of them (pure), and `page` prints it. What is said about addresses
//! and about who announces them is said by [`cortenlb_core`], from the same facts that controller and speakers decide by.
//!
//! | module | owns |
//! | --- | --- |
//! | [`args`] | commands and flags, and what is said about bad ones |
//! | `complete` | completion of the command line, for shells and for kubectl |
//! | [`run`] | the process: connection, exit code |
//! | `connect` | the way to the API server |
//! | `gather` | lists objects, asks pods through the API server |
//! | `facts` | what was listed |
//! | `model` | the facts as the allocator and the announcement's decision read them |
//! | `why`, `status`, `doctor`, `plan`, `failovers`, `migrate` | one report each, with its command |
//! | `page` | table, wide, JSON, YAML; colours |
//! | `screen` | where that goes: who is shown colours |
//! | `spinner` | the sign of life on a terminal |
//!
//! Never imports `netio`, `wire` or `proto`: what happens on the segment it knows from what the speakers say.

pub mod args;
mod complete;
mod connect;
mod doctor;
mod error;
mod facts;
mod failovers;
mod gather;
mod migrate;
mod model;
mod page;
mod plan;
pub mod run;
mod screen;
mod spinner;
mod status;
mod why;
