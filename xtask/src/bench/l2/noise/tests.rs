use super::*;

const MAC: MacAddr = MacAddr([2, 0x21, 5, 0, 0, 0x64]);

fn mk_source() -> Source {
    Source {
        rng: SmallRng::seed_from_u64(7),
        mac: MAC,
        vips: vec![Ipv4Addr::new(172, 21, 5, 240)],
        vips6: vec![Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 0xf0)],
        hosts: vec![IpAddr::from([172, 21, 5, 11])],
    }
}

#[test]
fn no_frame_speaks_for_a_host() {
    for parcel in mk_source().take(20_000) {
        let Parcel::Frame(frame) = parcel else {
            continue;
        };
        assert_eq!(frame[6..12], MAC.0);
        if let Ok(packet) = arp::Repr::parse(&frame) {
            let [a, b, c, last] = packet.sender_ip.octets();
            let host = last != 9 && (last <= 15 || last == 100);
            assert!((a, b, c) != (172, 21, 5) || !host, "{packet:?}");
        }
    }
}

#[test]
fn some_frames_are_valid_and_some_are_not() {
    let frames = || {
        mk_source().take(1_000).filter_map(|parcel| match parcel {
            Parcel::Frame(frame) => Some(frame),
            Parcel::Datagram { .. } => None,
        })
    };
    let asks = |frame: &Vec<u8>| arp::Repr::parse(frame).is_ok_and(|arp| arp.target_ip.octets()[3] == 240);
    assert!(frames().filter(asks).count() > 50);
    let solicits = |frame: &Vec<u8>| ndp::Repr::parse(frame).is_ok();
    assert!(frames().filter(solicits).count() > 20);
    let neither = |frame: &Vec<u8>| arp::Repr::parse(frame).is_err() && ndp::Repr::parse(frame).is_err();
    assert!(frames().filter(neither).count() > 20);
}
