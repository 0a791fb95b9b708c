//! Services and pools in, ARP and NDP out.
