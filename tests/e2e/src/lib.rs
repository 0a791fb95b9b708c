//! Scenarios against the lab.
