use proptest::prelude::*;

use super::*;

const VIP: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 240);
const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 100);
const NODE_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x11]);
const CLIENT_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x64]);

/// "Who has 172.21.5.240? Tell 172.21.5.100", as it is on the wire.
const REQUEST: [u8; 42] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x64, 0x08, 0x06, // Ethernet
    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, // Ethernet, IPv4, 6, 4, request
    0x02, 0x00, 0x00, 0x00, 0x00, 0x64, 172, 21, 5, 100, // sender
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 172, 21, 5, 240, // target
];

fn padded(packet: &[u8]) -> Vec<u8> {
    let mut frame = packet.to_vec();
    frame.resize(LEAST_FRAME, 0);
    frame
}

#[test]
fn a_request_as_it_is_on_the_wire() {
    let request = Repr::request(CLIENT_MAC, CLIENT, VIP);
    assert_eq!(Repr::parse(&REQUEST), Ok(request));
    assert_eq!(request.emit(), padded(&REQUEST));
    let mut noisy = padded(&REQUEST);
    noisy[42..].fill(0xee);
    assert_eq!(Repr::parse(&noisy), Ok(request), "padding is ignored");
}

#[test]
fn the_answer_goes_to_the_asker_alone() {
    #[rustfmt::skip]
    let wire = [
        0x02, 0x00, 0x00, 0x00, 0x00, 0x64, 0x02, 0x00, 0x00, 0x00, 0x00, 0x11, 0x08, 0x06,
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02,
        0x02, 0x00, 0x00, 0x00, 0x00, 0x11, 172, 21, 5, 240,
        0x02, 0x00, 0x00, 0x00, 0x00, 0x64, 172, 21, 5, 100,
    ];
    assert_eq!(
        Repr::request(CLIENT_MAC, CLIENT, VIP).answer(NODE_MAC).emit(),
        padded(&wire)
    );
}

#[test]
fn gratuitous_in_both_forms() {
    #[rustfmt::skip]
    let mut wire = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x11, 0x08, 0x06,
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
        0x02, 0x00, 0x00, 0x00, 0x00, 0x11, 172, 21, 5, 240,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 172, 21, 5, 240,
    ];
    let [request, reply] = Repr::gratuitous(NODE_MAC, VIP);
    assert_eq!(request.emit(), padded(&wire));
    wire[21] = 2;
    wire[32..38].copy_from_slice(&NODE_MAC.0);
    assert_eq!(reply.emit(), padded(&wire));
}

#[test]
fn a_dirty_buffer_leaves_no_trace() {
    let reply = Repr::request(CLIENT_MAC, CLIENT, VIP).answer(NODE_MAC);
    let mut frame = [0xa5; LEAST_FRAME];
    reply.emit_into(&mut frame);
    assert_eq!(frame.as_slice(), reply.emit());
}

#[test]
fn what_is_not_arp_for_ipv4_is_refused() {
    let with = |at: usize, byte: u8| {
        let mut frame = REQUEST;
        frame[at] = byte;
        Repr::parse(&frame)
    };
    assert_eq!(
        Repr::parse(&REQUEST[..13]),
        Err(Error::Ethernet(ethernet::Error::Truncated))
    );
    assert_eq!(Repr::parse(&REQUEST[..41]), Err(Error::Truncated(27)));
    assert_eq!(
        with(13, 0x00),
        Err(Error::Ethernet(ethernet::Error::EtherType(0x0800)))
    );
    for at in 14..20 {
        assert_eq!(with(at, 0x77), Err(Error::NotIpv4OverEthernet), "byte {at}");
    }
    assert_eq!(with(21, 3), Err(Error::Operation(3)));
    assert_eq!(
        with(22, 0x03),
        Err(Error::SenderGroup(MacAddr([3, 0, 0, 0, 0, 0x64])))
    );
}

proptest! {
    #[test]
    fn round_trip(
        macs: [[u8; 6]; 4], ips: [[u8; 4]; 2], reply: bool,
    ) {
        let [destination, source, mut sender_mac, target_mac] = macs.map(MacAddr);
        sender_mac.0[0] &= 0xfe;
        let [sender_ip, target_ip] = ips.map(Ipv4Addr::from);
        let operation = if reply { Operation::Reply } else { Operation::Request };
        let packet = Repr { destination, source, operation, sender_mac, sender_ip, target_mac, target_ip };
        prop_assert_eq!(Repr::parse(&packet.emit()), Ok(packet));
    }

    #[test]
    fn no_bytes_make_it_panic(
        mut frame in prop::collection::vec(any::<u8>(), 0..80), plausible in prop::bool::weighted(0.7),
    ) {
        if plausible && frame.len() >= 22 {
            frame[12..22].copy_from_slice(&REQUEST[12..22]);
        }
        let _ = Repr::parse(&frame);
    }
}
