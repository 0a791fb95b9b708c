//! Pure machines: the layer 2 responder.
//!
//! | module | owns |
//! | --- | --- |
//! | [`l2`] | answering ARP and neighbour solicitations, and gratuitous frames on taking over |
//! | [`seal`] | who of those who send datagrams is a speaker, and which datagrams are recordings |
//!
//! Never imports a clock, a socket or tokio.
//!
//! **One idiom for every machine.** `handle_input(now, Input)` cannot fail; `poll_output() -> Option<Output>` is
//! drained after every input; `poll_timeout() -> Option<Instant>` says when to hand in a timeout. Spurious calls do
//! nothing. Every effect is an `Output`.

pub mod cluster;
pub mod l2;
pub mod seal;
