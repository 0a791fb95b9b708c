//! Kubernetes objects as the facts that `core` decides by: pure functions, one file a use.
//!
//! | module | owns |
//! | --- | --- |
//! | [`announce`] | the facts that decide who announces |
//! | [`selector`] | label selectors |

pub mod announce;
pub mod selector;
