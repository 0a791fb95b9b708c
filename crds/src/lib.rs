//! The API types of group metallb.io, and their translation into core's.
