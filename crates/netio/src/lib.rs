//! Sockets and netlink: the only crate with unsafe code.
