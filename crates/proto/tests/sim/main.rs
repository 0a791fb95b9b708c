//! Whole clusters of machines in one process, under a virtual clock, from a seed: who answers for what, whatever the
//! network, the processes and the nodes do. What a seed does it does again, to the last datagram.
//!
//! | module | owns |
//! | --- | --- |
//! | `dice` | random numbers |
//! | `fault` | what can go wrong, and what people do |
//! | `schedule` | what happens in a run |
//! | `world` | the nodes, what happens to them, and the time |
//! | `node` | a machine with its clock, and its process |
//! | `network` | what lies between the nodes |
//! | `observer` | looks at every change of who answers: the properties |
//! | `play` | plays schedules, and tells how to play one again that failed |
//! | `log` | what happened last |
//! | `random` | thousands of random schedules |
//! | `silenced` | something of which nobody can hear in time |
//! | `scenarios` | one thing at a time |
//! | `behind` | a node that sees other candidates |
//! | `cut_off` | a node that was cut off gains nothing |
//! | `calm` | nothing moves while nothing happens, and what that costs |
//! | `takeover` | how long it takes until another one answers |
//! | `unplugged` | a node without carrier where the addresses are |
//! | `check` | an owner that answers nobody on the segment |
//! | `conflict` | somebody else has the address of a new group |
//! | `wishes` | preferred nodes, and how often a group moves for them |
//!
//! `CORTENLB_SIM_CASES=10` plays ten times as many schedules, `CORTENLB_SIM_SEED=7` just that one, and
//! `CORTENLB_SIM_LINES=500` shows more of what happened before, `CORTENLB_SIM_DATAGRAMS=1` what was sent as well.
#![allow(clippy::unwrap_used, reason = "a test")]

mod behind;
mod calm;
mod check;
mod conflict;
mod cut_off;
mod dice;
mod fault;
mod log;
mod network;
mod node;
mod observer;
mod play;
mod random;
mod scenarios;
mod schedule;
mod silenced;
mod takeover;
mod unplugged;
mod wishes;
mod world;
