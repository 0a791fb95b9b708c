use super::*;

/// An IPv4 packet with an UDP datagram to port 7946 that holds "hello", and padding behind.
fn mk_packet() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 33, 0, 1, 0x40, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    packet.extend([0x30, 0x39, 0x1f, 0x0a, 0, 13, 0, 0]);
    packet.extend(b"hello padding");
    packet
}

#[test]
fn a_datagram_to_the_port_is_read_without_padding() {
    assert_eq!(payload(&mk_packet(), 7946), Some(&b"hello"[..]));
}

#[test]
fn everything_else_is_passed_over() {
    assert_eq!(payload(&mk_packet(), 53), None);
    let mut tcp = mk_packet();
    tcp[9] = 6;
    assert_eq!(payload(&tcp, 7946), None);
    let mut fragment = mk_packet();
    fragment[7] = 1;
    assert_eq!(payload(&fragment, 7946), None);
    for length in 0..28 + 5 {
        assert_eq!(payload(&mk_packet()[..length], 7946), None, "{length} bytes");
    }
}
