//! Pure policy: which address a Service gets, and which node announces it.
//!
//! | module | owns |
//! | --- | --- |
//! | [`addr`] | addresses, ranges, sets of free addresses |
//! | [`announce`] | which node announces which address, and why |
//! | [`few`] | sets that mostly have one element |
//! | [`ipam`] | which Service holds which address, and who waits for one |
//! | [`name`] | the names of objects |
//! | [`placement`] | which of several able nodes |
//! | [`pool`] | pools: validity, overlap, whom they serve |
//! | [`selector`] | label selectors |
//! | [`time`] | instants, handed in by the caller |
//!
//! Never imports a clock, a socket, tokio or kube: the controller, the speaker and the command line call the
//! same functions, so that all three say the same thing.

pub mod addr;
pub mod announce;
pub mod few;
pub mod ipam;
pub mod name;
pub mod placement;
pub mod pool;
pub mod selector;
pub mod time;
