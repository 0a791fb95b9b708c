//! Pure bytes: Ethernet, ARP, NDP and the packet filters for them.
