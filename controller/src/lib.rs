//! Services and pools in, addresses out.

pub mod announced;
