use super::*;

#[test]
fn text_and_back() {
    let mac = MacAddr([0x02, 0, 0xab, 0xcd, 0xef, 0x01]);
    assert_eq!(mac.to_string(), "02:00:ab:cd:ef:01");
    assert_eq!("02:00:AB:cd:ef:01".parse(), Ok(mac));
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "2:0:0:0:0:1",
        "02-00-00-00-00-01",
        "02:00:00:00:00:0g",
    ] {
        assert!(text.parse::<MacAddr>().is_err(), "{text}");
    }
}

#[test]
fn who_can_be_a_station() {
    assert!(MacAddr([0x02, 0, 0, 0, 0, 1]).is_station());
    assert!(!MacAddr::ZERO.is_station());
    assert!(!MacAddr::BROADCAST.is_station());
    assert!(MacAddr([0x33, 0x33, 0, 0, 0, 1]).is_multicast());
}
