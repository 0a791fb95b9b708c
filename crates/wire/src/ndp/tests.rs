use proptest::prelude::*;

use super::*;

const NODE_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x11]);
const CLIENT_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x64]);

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// "Who has fd00:5::240?" from fd00:5::100, as it is on the wire.
#[rustfmt::skip]
const SOLICITATION_FRAME: [u8; 86] = [
    0x33, 0x33, 0xff, 0x00, 0x02, 0x40, 0x02, 0x00, 0x00, 0x00, 0x00, 0x64, 0x86, 0xdd, // Ethernet
    0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 58, 255, // IPv6: 32 bytes of ICMPv6, hop limit 255
    0xfd, 0x00, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
    0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0x00, 0x02, 0x40,
    135, 0, 0x77, 0xaf, 0, 0, 0, 0, // type, code, checksum, reserved
    0xfd, 0x00, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x40,
    1, 1, 0x02, 0x00, 0x00, 0x00, 0x00, 0x64, // source link-layer address
];

const MESSAGE: usize = 54;

fn solicitation() -> Solicitation {
    Solicitation::multicast(CLIENT_MAC, ip("fd00:5::100"), ip("fd00:5::240"))
}

/// The frame after a change, with a checksum that holds again.
fn changed(frame: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = frame.to_vec();
    change(&mut frame);
    let octets = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap());
    let (source, destination) = (octets(22), octets(38));
    let length = frame.len() - MESSAGE;
    frame[18..20].copy_from_slice(&(length as u16).to_be_bytes());
    let envelope = Envelope {
        destination_mac: MacAddr(frame[..6].try_into().unwrap()),
        source_mac: MacAddr(frame[6..12].try_into().unwrap()),
        source,
        destination,
    };
    let message = frame[MESSAGE..].to_vec();
    ipv6::emit(&envelope, length as u16, |buffer| {
        buffer.copy_from_slice(&message);
    })
}

#[test]
fn a_solicitation_as_it_is_on_the_wire() {
    assert_eq!(solicitation().emit(), SOLICITATION_FRAME);
    assert_eq!(
        Repr::parse(&SOLICITATION_FRAME),
        Ok(Repr::Solicitation(solicitation()))
    );
    let mut padded = SOLICITATION_FRAME.to_vec();
    padded.extend([0xee; 10]);
    assert_eq!(
        Repr::parse(&padded),
        Ok(Repr::Solicitation(solicitation())),
        "padding is ignored"
    );
}

#[test]
fn the_answer_is_solicited_and_overrides() {
    let answer = solicitation().answer(NODE_MAC, ip("fe80::11"));
    let expected = Advertisement {
        envelope: Envelope {
            destination_mac: CLIENT_MAC,
            source_mac: NODE_MAC,
            source: ip("fe80::11"),
            destination: ip("fd00:5::100"),
        },
        router: false,
        solicited: true,
        override_cached: true,
        target: ip("fd00:5::240"),
        target_link_layer: Some(NODE_MAC),
    };
    assert_eq!(answer, expected);
    let frame = answer.emit();
    assert_eq!((frame[20], frame[21]), (58, 255), "ICMPv6, hop limit 255");
    assert_eq!(frame[MESSAGE], ADVERTISEMENT);
    assert_eq!(frame[MESSAGE + 4..MESSAGE + 8], [0b0110_0000, 0, 0, 0]);
    assert_eq!(frame[MESSAGE + 24..], [2, 1, 2, 0, 0, 0, 0, 0x11]);
    assert_eq!(Repr::parse(&frame), Ok(Repr::Advertisement(expected)));
}

#[test]
fn a_unicast_probe_without_option_is_answered_to_its_sender() {
    let mut probe = solicitation().unicast(NODE_MAC);
    assert_eq!(
        (probe.envelope.destination, probe.envelope.destination_mac),
        (ip("fd00:5::240"), NODE_MAC)
    );
    probe.source_link_layer = None;
    assert_eq!(Repr::parse(&probe.emit()), Ok(Repr::Solicitation(probe)));
    assert_eq!(
        probe.answer(NODE_MAC, ip("fe80::11")).envelope.destination_mac,
        CLIENT_MAC
    );
}

#[test]
fn duplicate_address_detection_is_answered_to_all_nodes() {
    let probe = Solicitation::multicast(CLIENT_MAC, Ipv6Addr::UNSPECIFIED, ip("fd00:5::240"));
    assert_eq!(Repr::parse(&probe.emit()), Ok(Repr::Solicitation(probe)));
    let answer = probe.answer(NODE_MAC, ip("fe80::11"));
    assert_eq!(
        answer,
        Advertisement::unsolicited(NODE_MAC, ip("fe80::11"), ip("fd00:5::240"))
    );
    assert_eq!(answer.envelope.destination, ipv6::ALL_NODES);
    assert_eq!(answer.envelope.destination_mac.to_string(), "33:33:00:00:00:01");
    assert!(!answer.solicited && answer.override_cached);
}

#[test]
fn a_dirty_buffer_leaves_no_trace() {
    for advertisement in [
        solicitation().answer(NODE_MAC, ip("fe80::11")),
        Advertisement {
            target_link_layer: None,
            ..solicitation().answer(NODE_MAC, ip("fe80::11"))
        },
    ] {
        let clean = advertisement.emit();
        let mut frame = vec![0xa5; clean.len()];
        let length = length(advertisement.target_link_layer);
        ipv6::emit_into(&mut frame, &advertisement.envelope, length, |message| {
            advertisement.fill(message);
        });
        assert_eq!(frame, clean);
    }
    let mut frame = [0xa5; SOLICITATION_FRAME.len()];
    ipv6::emit_into(&mut frame, &solicitation().envelope, 32, |message| {
        solicitation().fill(message);
    });
    assert_eq!(frame, SOLICITATION_FRAME);
}

#[test]
fn what_rfc_4861_has_discarded_is_refused() {
    let refused = |change: fn(&mut Vec<u8>)| Repr::parse(&changed(&SOLICITATION_FRAME, change)).unwrap_err();
    assert_eq!(refused(|frame| frame[MESSAGE] = 133), Error::Type(133));
    assert_eq!(refused(|frame| frame[MESSAGE + 1] = 1), Error::Code(1));
    assert_eq!(
        refused(|frame| frame.truncate(MESSAGE + 23)),
        Error::Truncated(23)
    );
    assert_eq!(
        refused(|frame| frame[MESSAGE + 8] = 0xff),
        Error::TargetGroup(ip("ff00:5::240"))
    );
    assert_eq!(refused(|frame| frame[MESSAGE + 25] = 0), Error::OptionLength);
    assert_eq!(refused(|frame| frame[MESSAGE + 25] = 2), Error::OptionLength);
    assert_eq!(refused(|frame| frame[MESSAGE + 25] = 255), Error::OptionLength);
    assert_eq!(refused(|frame| frame.push(14)), Error::OptionLength);
    assert_eq!(
        refused(|frame| frame.extend([14, 0, 0, 0, 0, 0, 0, 0])),
        Error::OptionLength,
        "after the one that counts"
    );
    assert_eq!(refused(|frame| frame[MESSAGE + 26] = 0x33), Error::LinkLayer);
    assert_eq!(
        refused(|frame| frame[22..38].fill(0)),
        Error::UnspecifiedSource,
        "with an option"
    );
    assert_eq!(
        refused(|frame| {
            frame.truncate(MESSAGE + 24);
            frame[22..38].fill(0);
            frame[53] = 0x41;
        }),
        Error::UnspecifiedSource,
        "to another group"
    );
    let mut advertisement = solicitation().answer(NODE_MAC, ip("fe80::11"));
    advertisement.envelope.destination = ipv6::ALL_NODES;
    assert_eq!(Repr::parse(&advertisement.emit()), Err(Error::SolicitedGroup));
}

#[test]
fn a_packet_that_is_not_from_a_neighbour_is_refused() {
    let with = |at: usize, byte: u8| {
        let mut frame = SOLICITATION_FRAME;
        frame[at] = byte;
        match Repr::parse(&frame) {
            Err(Error::Ipv6(error)) => error,
            other => panic!("byte {at}: {other:?}"),
        }
    };
    assert_eq!(with(14, 0x40), ipv6::Error::Version(4));
    assert_eq!(with(20, 0), ipv6::Error::NextHeader(0));
    assert_eq!(with(21, 64), ipv6::Error::HopLimit(64));
    assert_eq!(with(19, 0x21), ipv6::Error::Truncated);
    assert_eq!(with(22, 0xff), ipv6::Error::SourceGroup(ip("ff00:5::100")));
    for (at, byte) in SOLICITATION_FRAME.into_iter().enumerate().skip(38) {
        assert_eq!(with(at, byte ^ 0x10), ipv6::Error::Checksum, "byte {at}");
    }
}

proptest! {
    #[test]
    fn round_trip(
        macs: [[u8; 6]; 3], addresses: [[u8; 16]; 3], flags: [bool; 3], option: bool, solicit: bool,
    ) {
        let [destination_mac, source_mac, mut link_layer] = macs.map(MacAddr);
        link_layer.0[0] = link_layer.0[0] & 0xfe | 2;
        let link_layer = option.then_some(link_layer);
        let [source, destination, target] = addresses.map(|mut octets| {
            octets[0] %= 0xff;
            Ipv6Addr::from(octets)
        });
        let envelope = Envelope { destination_mac, source_mac, source, destination };
        let [router, solicited, override_cached] = flags;
        let (message, frame) = if solicit {
            prop_assume!(!source.is_unspecified());
            let message = Solicitation { envelope, target, source_link_layer: link_layer };
            (Repr::Solicitation(message), message.emit())
        } else {
            let message = Advertisement { envelope, router, solicited, override_cached, target, target_link_layer: link_layer };
            (Repr::Advertisement(message), message.emit())
        };
        prop_assert_eq!(Repr::parse(&frame), Ok(message));
    }

    /// Random options behind a valid head, checksum included, so that the walk is reached.
    #[test]
    fn no_options_make_it_panic(options in prop::collection::vec(any::<u8>(), 0..64), advertisement: bool) {
        let frame = changed(&SOLICITATION_FRAME, |frame| {
            frame.truncate(MESSAGE + 24);
            frame.extend(&options);
            frame[MESSAGE] = if advertisement { ADVERTISEMENT } else { SOLICITATION };
        });
        let _ = Repr::parse(&frame);
    }

    #[test]
    fn no_bytes_make_it_panic(
        mut frame in prop::collection::vec(any::<u8>(), 0..128), plausible in 0_usize..=MESSAGE,
    ) {
        let head = plausible.min(frame.len());
        frame[..head].copy_from_slice(&SOLICITATION_FRAME[..head]);
        let _ = Repr::parse(&frame);
    }
}
