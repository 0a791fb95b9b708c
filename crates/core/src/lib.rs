//! Pure policy: which address a Service gets, and which node announces it.
//!
//! | module | owns |
//! | --- | --- |
//! | [`name`] | the names of objects |
//! | [`selector`] | label selectors |
//! | [`time`] | instants, handed in by the caller |
//!
//! Never imports a clock, a socket, tokio or kube: the controller, the speaker and the command line call the
//! same functions, so that all three say the same thing.

pub mod name;
pub mod selector;
pub mod time;
