use super::*;

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix::new(address.parse().unwrap(), length).unwrap()
}

#[test]
fn a_prefix_has_the_addresses_that_begin_like_it() {
    let cases = [
        ("172.21.5.11", 24, "172.21.5.0", "172.21.5.255"),
        ("172.21.5.11", 32, "172.21.5.11", "172.21.5.11"),
        ("172.21.5.11", 0, "0.0.0.0", "255.255.255.255"),
        ("fd00:5::11", 64, "fd00:5::", "fd00:5::ffff:ffff:ffff:ffff"),
        ("fd00:5::11", 128, "fd00:5::11", "fd00:5::11"),
        ("::", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ];
    for (address, length, first, last) in cases {
        let prefix = prefix(address, length);
        let [first, last]: [IpAddr; 2] = [first, last].map(|text| text.parse().unwrap());
        assert_eq!(prefix.range(), first..=last);
        assert_eq!(prefix.address(), first);
        assert_eq!(prefix.is_host(), first == last);
        assert!(prefix.contains(first) && prefix.contains(last));
    }
    assert!(!prefix("172.21.5.11", 24).contains("172.21.6.0".parse().unwrap()));
    assert!(!prefix("0.0.0.0", 0).contains("::".parse().unwrap()));
    assert!(!prefix("::", 0).contains("0.0.0.0".parse().unwrap()));
}

#[test]
fn a_prefix_is_no_longer_than_its_address() {
    assert_eq!(Prefix::new(Ipv4Addr::LOCALHOST.into(), 33), None);
    assert_eq!(Prefix::new(Ipv6Addr::LOCALHOST.into(), 129), None);
}
