//! Services and pools in, addresses out.
